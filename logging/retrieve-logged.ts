/** Retrieval for the rows of a log, at one state of the sources, as a table that other connections can read. */
import { columnAlias } from '../engine/index.js';
import {
  type Definitions,
  getHistoricalFeatures,
  type HistoricalDeps,
  type HistoricalFeatures,
  type RequestedView,
  ROW_TIMES,
  type TableState,
} from '../features/index.js';
import type { IcebergType, NestedField } from '../iceberg/index.js';
import type { ComparisonTables } from './comparison-sql.js';
import { featureColumn, LOG_COLUMNS } from './log-columns.js';

/** Features to retrieve, and for which rows. */
export interface LoggedRetrieval {
  readonly deps: HistoricalDeps;
  readonly tables: ComparisonTables;
  readonly views: readonly RequestedView[];
  /** Columns of the log that are join keys, and its event timestamp. */
  readonly keys: readonly NestedField[];
  readonly eventTimestamp: NestedField;
  readonly signal: AbortSignal | undefined;
}

/** The differences between the retrievals of one comparison. */
export interface RetrievalState {
  /** Name of the table that is made. */
  readonly which: string;
  /** Condition on the served rows. */
  readonly where?: string;
  readonly sources?: ReadonlyMap<string, TableState>;
  readonly definitions?: Definitions;
}

/** A feature that was retrieved: its columns in the table. */
export interface RetrievedFeature {
  readonly name: string;
  readonly offline: string;
  readonly offlineTime: string;
  readonly createdAfter: string;
  readonly type: IcebergType;
}

export interface RetrievedRows {
  readonly features: readonly RetrievedFeature[];
  /** State of every source table by its name. */
  readonly sources: ReadonlyMap<string, TableState>;
}

const ROW = '__row';

/** Retrieves features with the times of their rows into the table `tables.retrieved(which)`. */
export function retrieveLogged(retrieval: LoggedRetrieval, state: RetrievalState): Promise<RetrievedRows> {
  const { deps, tables, views, signal } = retrieval;
  const { definitions, sources } = state;
  return getHistoricalFeatures(
    definitions === undefined ? deps : { ...deps, definitions: () => Promise.resolve(definitions) },
    {
      features: views.map(({ features, ...view }) => ({ ...view, ...(features === undefined ? {} : { features }) })),
      entities: { open: () => Promise.resolve(entityRows(retrieval, state.where)) },
      fullFeatureNames: true,
      rowTimes: true,
      ...(sources === undefined ? {} : { asOf: { snapshots: sources } }),
      ...(signal === undefined ? {} : { signal }),
    },
    async (answer) => {
      const { columns, features } = retrievedColumns(answer);
      const names = answer.schema.fields.map((_, index) => `a${index}`).join(', ');
      await answer.connection.run(
        `CREATE TABLE ${tables.retrieved(state.which)} AS SELECT ${columns.join(', ')} FROM (${answer.select}) AS a(${names})`,
      );
      return { features, sources: answer.sources };
    },
  );
}

function entityRows({ tables, keys, eventTimestamp }: LoggedRetrieval, where = 'true') {
  const fields = [eventTimestamp, ...keys];
  const columns = ['r', ...fields.map(({ id }) => columnAlias(id))].join(', ');
  const row: NestedField = { id: 0, name: ROW, required: true, type: { kind: 'long' } };
  const relation = `(SELECT ${columns} FROM ${tables.served()} WHERE ${where} ORDER BY r)`;
  return { relation, schema: { schemaId: 0, identifierFieldIds: [], fields: [row, ...fields] } };
}

/** The columns of the table: `r`, `f0..` values, `t0..` times and `n0..` of each view. */
function retrievedColumns({ schema, recipe }: HistoricalFeatures) {
  const at = (name: string): number => schema.fields.findIndex((field) => field.name === name);
  const time = `a${at(LOG_COLUMNS.eventTimestamp)}`;
  const columns = [`a${at(ROW)} AS r`];
  const features: RetrievedFeature[] = [];
  for (const [view, { alias, features: names = [] }] of recipe.views.entries()) {
    const event = at(`${alias}__${ROW_TIMES.event}`);
    columns.push(`epoch_us(a${event}) AS t${view}`);
    const created = at(`${alias}__${ROW_TIMES.created}`);
    columns.push(`${created < 0 ? 'false' : isAfter(`a${created}`, schema.fields[created]?.type, time)} AS n${view}`);
    for (const name of names) {
      if (name === ROW_TIMES.event || name === ROW_TIMES.created) continue;
      const column = featureColumn(alias, name);
      const index = at(column);
      const offline = `f${features.length}`;
      columns.push(`a${index} AS ${offline}`);
      const type = schema.fields[index]?.type ?? { kind: 'unknown' };
      features.push({ name: column, offline, offlineTime: `t${view}`, createdAfter: `n${view}`, type });
    }
  }
  return { columns, features };
}

/** Whether a created time, perhaps in nanoseconds, is after a request's. */
function isAfter(created: string, type: IcebergType | undefined, time: string): string {
  const isNanoseconds = type?.kind === 'timestamp_ns' || type?.kind === 'timestamptz_ns';
  return isNanoseconds
    ? `epoch_ns(${created})::HUGEINT > epoch_us(${time})::HUGEINT * 1000`
    : `epoch_us(${created}) > epoch_us(${time})`;
}
