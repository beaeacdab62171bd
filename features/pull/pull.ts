/**
 * Rows of a source without an entity frame: all of a window, or the newest of each entity in it. Like Feast's
 * `pull_all_from_table_or_query` and `pull_latest_from_table_or_query`, windows are closed at both ends
 * (`infra/offline_stores/ibis.py`); unlike there, ties are decided by the total order of `feature-order.ts`, and rows with a null
 * join key are nobody's newest.
 */
import { type Connection, columnAlias, type Engine, readableScanSql } from '../../engine/index.js';
import { didYouMean, MoraineError } from '../../errors/index.js';
import {
  assignFreshIds,
  type BoundExpression,
  type IcebergType,
  type NestedField,
  type Schema,
} from '../../iceberg/index.js';
import { type OpenedScan, openScan, planSource } from '../../scans/index.js';
import { featureTypeToString, isNanosecondType, isTimestampType } from '../definitions/feature-type.js';
import { stageTableSql, type TableSql, type TableSqlDeps } from '../query/table-sql.js';
import { chooseLatestMethod, type LatestRequest, prepareLatestPerEntity } from '../views/latest-per-entity.js';
import { type HistoricalAsOf, pinSource, stateOf, type TableState } from '../views/pin-source.js';
import { SEQUENCE_COLUMN } from '../views/view-scan.js';

/** Where rows are pulled from: an Iceberg table, `[CATALOG/]NS.TABLE`, or SQL over tables; as they are now unless given. */
export type PullSource =
  | { readonly table: string; readonly asOf?: HistoricalAsOf }
  | { readonly query: TableSql; readonly asOf?: HistoricalAsOf };

/** Rows and columns to pull. Columns are named as in the source. */
export interface PullRequest {
  readonly source: PullSource;
  /** None: all rows are about one thing. */
  readonly joinKeys: readonly string[];
  /** Undefined: every column that is neither key nor timestamp. */
  readonly features?: readonly string[];
  readonly timestampField: string;
  readonly createdTimestampField?: string;
  /** First event time, microseconds since the epoch; included. */
  readonly startUs?: bigint;
  /** Last event time, microseconds since the epoch; included. */
  readonly endUs?: bigint;
  readonly signal?: AbortSignal;
}

/** Dependencies of pulling. */
export interface PullDeps extends TableSqlDeps {
  readonly engine: Engine;
}

/** The rows, to be read on their connection. */
export interface PulledRows {
  readonly connection: Connection;
  /** A statement whose columns are in the order of the schema: join keys, features, event time, created time. Rows have no fixed order. */
  readonly select: string;
  readonly schema: Schema;
  /** State of every table that was read, by its name. */
  readonly sources: ReadonlyMap<string, TableState>;
  /** Data files that are read, and those that their statistics rule out. */
  readonly filesRead: number;
  readonly filesSkipped: number;
}

/** Every row of the window. @throws COLUMN_NOT_FOUND, TYPE_MISMATCH, TABLE_NOT_FOUND, INVALID_ARGUMENT, SNAPSHOT_EXPIRED */
export function pullAll<T>(deps: PullDeps, request: PullRequest, use: (rows: PulledRows) => Promise<T>): Promise<T> {
  return pull(deps, request, async (pulled) => {
    const { columns, relation } = pulled;
    const outputs = outputColumns(columns).map(({ id }) => columnAlias(id));
    return await use(answer(pulled, `SELECT ${outputs.join(', ')} FROM ${relation}`));
  });
}

/** The newest row of each entity in the window. @throws as {@link pullAll} */
export function pullLatest<T>(deps: PullDeps, request: PullRequest, use: (rows: PulledRows) => Promise<T>): Promise<T> {
  return pull(deps, request, async (pulled) => {
    const { connection, opened } = pulled;
    const rows = BigInt(opened.rows);
    const wanted = latestRequest(pulled);
    const method = chooseLatestMethod({ rows, features: wanted.features.length });
    const latest = await prepareLatestPerEntity(connection, wanted, method, rows);
    const outputs = outputColumns(pulled.columns).map(({ id }) => columnAlias(id));
    try {
      return await use(answer(pulled, `SELECT ${outputs.join(', ')} FROM (${latest.select})`));
    } finally {
      await latest.release();
    }
  });
}

/** The source's columns by what they are. */
interface PullColumns {
  readonly keys: readonly NestedField[];
  readonly features: readonly NestedField[];
  readonly timestamp: NestedField;
  readonly created: NestedField | undefined;
}

interface Pulled {
  readonly connection: Connection;
  readonly columns: PullColumns;
  /** Stands after FROM; columns are called by `columnAlias` of their field id. */
  readonly relation: string;
  readonly opened: OpenedScan;
  /** Whether the relation has the sequence numbers of the rows' files. */
  readonly isTable: boolean;
  readonly sources: ReadonlyMap<string, TableState>;
}

/** A source before its columns are known to be right. */
interface OpenedSource {
  readonly schema: Schema;
  readonly sources: ReadonlyMap<string, TableState>;
  readonly isTable: boolean;
  readonly scan: (filter: BoundExpression | undefined) => Promise<OpenedScan>;
  readonly release: () => Promise<void>;
}

async function pull<T>(deps: PullDeps, request: PullRequest, use: (pulled: Pulled) => Promise<T>): Promise<T> {
  refuseEmptyWindow(request);
  return await deps.engine.withConnection(
    async (connection) => {
      const source = await openSource(deps, connection, request);
      try {
        const columns = resolveColumns(source.schema, request);
        const filter = windowFilter(columns.timestamp, request);
        const opened = await source.scan(filter);
        const { isTable, sources } = source;
        const wanted = [...new Set(outputColumns(columns).map(({ id }) => id))];
        const scan = { ...opened.scan, schema: source.schema, columns: wanted, naming: 'id' as const };
        const extras = isTable ? { extras: { sequenceNumber: SEQUENCE_COLUMN } } : {};
        const relation = await readableScanSql(connection, { ...scan, ...extras });
        return await use({ connection, columns, relation, opened, isTable, sources });
      } finally {
        await source.release();
      }
    },
    { signal: request.signal },
  );
}

async function openSource(deps: PullDeps, connection: Connection, request: PullRequest): Promise<OpenedSource> {
  const { source, signal } = request;
  const asOf = source.asOf ?? {};
  if ('table' in source) {
    const pinned = pinSource(await deps.loadSource(source.table), source.table, asOf);
    return {
      schema: pinned.schema,
      sources: new Map([[source.table, stateOf(pinned)]]),
      isTable: true,
      scan: async (filter) => openScan(connection, pinned, await planSource(pinned, filter), filter),
      release: () => Promise.resolve(),
    };
  }
  const staged = await stageTableSql(deps, connection, source.query, asOf, 'the source SQL', signal);
  return {
    schema: staged.schema,
    sources: new Map([...staged.sources].map(([name, pinned]) => [name, stateOf(pinned)])),
    isTable: false,
    scan: (filter) => Promise.resolve(staged.open(filter)),
    release: staged.release,
  };
}

function refuseEmptyWindow({ startUs, endUs }: PullRequest): void {
  if (startUs === undefined || endUs === undefined || startUs <= endUs) return;
  throw new MoraineError('INVALID_ARGUMENT', 'The window ends before it starts.');
}

function resolveColumns(schema: Schema, request: PullRequest): PullColumns {
  const { joinKeys, timestampField, createdTimestampField } = request;
  const column = (name: string): NestedField => {
    const names = schema.fields.map((field) => field.name);
    const field = schema.fields.find((candidate) => candidate.name === name);
    if (field !== undefined) return field;
    throw new MoraineError('COLUMN_NOT_FOUND', `The source has no column '${name}'. ${didYouMean(name, names)}`);
  };
  const keys = joinKeys.map(column);
  const timestamp = timestampColumn(column(timestampField));
  const created = createdTimestampField === undefined ? undefined : timestampColumn(column(createdTimestampField));
  const others = new Set([...keys, timestamp, created]);
  const features = request.features?.map(column) ?? schema.fields.filter((field) => !others.has(field));
  const columns = { keys, features, timestamp, created };
  refuseRepeats(outputColumns(columns));
  return columns;
}

function timestampColumn(field: NestedField): NestedField {
  if (isTimestampType(field.type)) return field;
  const type = featureTypeToString(field.type);
  throw new MoraineError('TYPE_MISMATCH', `Column '${field.name}' of the source is of type ${type}, not a timestamp.`);
}

function refuseRepeats(fields: readonly NestedField[]): void {
  const twice = fields.find((field, index) => fields.indexOf(field) !== index);
  if (twice === undefined) return;
  throw new MoraineError(
    'DUPLICATE_NAME',
    `Column '${twice.name}' is asked for twice: a column is a key, a timestamp or a feature.`,
  );
}

/** Join keys, features, event time, created time: the order that Feast has. */
function outputColumns({ keys, features, timestamp, created }: PullColumns): readonly NestedField[] {
  return [...keys, ...features, timestamp, ...(created === undefined ? [] : [created])];
}

/** Rows without an event time are in no window; undefined without one. */
function windowFilter(field: NestedField, { startUs, endUs }: PullRequest): BoundExpression | undefined {
  const ref = { fieldId: field.id, path: field.name, type: field.type, required: field.required, nested: false };
  const literal = (us: bigint): bigint => (isNanosecondType(field.type) ? us * 1000n : us);
  const children: BoundExpression[] = [];
  if (startUs !== undefined) children.push({ op: 'gt-eq', ref, literal: literal(startUs) });
  if (endUs !== undefined) children.push({ op: 'lt-eq', ref, literal: literal(endUs) });
  return children.length === 0 ? undefined : { op: 'and', children };
}

function latestRequest({ columns, relation, isTable }: Pulled): LatestRequest {
  const named = ({ id }: NestedField) => ({ column: columnAlias(id), as: columnAlias(id) });
  return {
    relation,
    keys: columns.keys.map(named),
    timestamp: named(columns.timestamp),
    created: columns.created === undefined ? undefined : named(columns.created),
    sequenceNumber: isTable ? SEQUENCE_COLUMN : undefined,
    features: columns.features.map((field) => ({ ...named(field), type: field.type satisfies IcebergType })),
  };
}

function answer({ connection, columns, opened, sources }: Pulled, select: string): PulledRows {
  const fields = outputColumns(columns).map((field) => ({ ...field, required: false }));
  return {
    connection,
    select,
    schema: assignFreshIds({ schemaId: 0, identifierFieldIds: [], fields }),
    sources,
    filesRead: opened.scan.files.length,
    filesSkipped: opened.stats.filesSkipped,
  };
}
