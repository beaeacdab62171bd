/** Entity rows by reference: their schema and state without reading them, and the rows on a connection. */
import { type Connection, scanSql } from '../engine/index.js';
import {
  type EntityRelation,
  entityTimesUs,
  openTableRows,
  pinSource,
  stateOf,
  type TableState,
  type TimesUs,
} from '../features/index.js';
import type { BoundExpression, Schema } from '../iceberg/index.js';
import { planSource } from '../scans/index.js';
import type { TrainingDeps } from './deps.js';
import { openStagedEntities, readStagedEntities } from './staged-entities.js';
import type { EntityReference } from './training-set-request.js';

/** Referenced entity rows, pinned. */
export interface PinnedEntities {
  readonly schema: Schema;
  /** Rows, as the table's snapshot counts them: deletes may leave fewer. */
  readonly rows: bigint;
  /** State of every table that the rows are read from, or were read from, by its name. */
  readonly sources: ReadonlyMap<string, TableState>;
  /** First and last time of the rows in microseconds, by metadata alone; undefined: not known. */
  timesUs(): Promise<TimesUs | undefined>;
  /** @param filter lets only some rows through; staged rows are never filtered */
  open(connection: Connection, filter?: BoundExpression): Promise<EntityRelation>;
}

/**
 * @param pinned the states of an earlier look; the rows are read at them
 * @throws TABLE_NOT_FOUND, SNAPSHOT_NOT_FOUND, SNAPSHOT_EXPIRED, FILE_NOT_FOUND; INVALID_ARGUMENT for staged rows that are none
 */
export async function pinEntities(
  deps: Pick<TrainingDeps, 'io' | 'loadSource'>,
  reference: EntityReference,
  pinned?: ReadonlyMap<string, TableState>,
): Promise<PinnedEntities> {
  const { io } = deps;
  if ('staged' in reference) {
    const staged = await readStagedEntities(io, reference.staged);
    return {
      ...staged,
      timesUs: () => Promise.resolve(staged.timesUs),
      open: (connection) => openStagedEntities(io, connection, staged),
    };
  }
  const { table: name, asOf = {} } = reference;
  const source = pinSource(await deps.loadSource(name), name, pinned === undefined ? asOf : { snapshots: pinned });
  return {
    schema: source.schema,
    rows: BigInt(source.snapshot?.summary.get('total-records') ?? '0'),
    sources: new Map([[name, stateOf(source)]]),
    timesUs: async () => {
      const { files } = await planSource(source);
      return entityTimesUs(
        files.map(({ file }) => file),
        source.schema.fields,
      );
    },
    open: (connection, filter) => openTableRows(connection, source, filter),
  };
}

/** Rows with the columns of a schema, and none of them. */
export function noRowsOf(schema: Schema): EntityRelation {
  return { schema, relation: scanSql({ schema, files: [], naming: 'id' }) };
}
