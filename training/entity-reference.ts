/** Entity rows by reference: their schema and state without reading them, and the rows on a connection. */
import { type Connection, scanSql } from '../engine/index.js';
import {
  type EntityRelation,
  type EntityRowsOptions,
  entityTimesUs,
  openTableRows,
  pinSource,
  stateOf,
  type TableState,
  type TimesUs,
} from '../features/index.js';
import type { Schema } from '../iceberg/index.js';
import type { Location } from '../locations/index.js';
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
  /** What metadata says of the rows. */
  outline(): Promise<EntityOutline>;
  /** @param options which rows; staged rows are never filtered */
  open(connection: Connection, options?: EntityRowsOptions): Promise<EntityRelation>;
}

export interface EntityOutline {
  /** Undefined: not known. */
  readonly timesUs: TimesUs | undefined;
  /** Bytes of each file. */
  readonly files: ReadonlyMap<Location, bigint>;
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
      outline: () => Promise.resolve({ timesUs: staged.timesUs, files: new Map([[staged.path, staged.sizeBytes]]) }),
      open: (connection) => openStagedEntities(io, connection, staged),
    };
  }
  const { table: name, asOf = {} } = reference;
  const source = pinSource(await deps.loadSource(name), name, pinned === undefined ? asOf : { snapshots: pinned });
  return {
    schema: source.schema,
    rows: BigInt(source.snapshot?.summary.get('total-records') ?? '0'),
    sources: new Map([[name, stateOf(source)]]),
    outline: async () => {
      const files = (await planSource(source)).files.map(({ file }) => file);
      return {
        timesUs: entityTimesUs(files, source.schema.fields),
        files: new Map(files.map(({ filePath, fileSizeInBytes }) => [filePath, fileSizeInBytes])),
      };
    },
    open: (connection, options) => openTableRows(connection, source, options),
  };
}

/** Rows with the columns of a schema, and none of them. */
export function noRowsOf(schema: Schema): EntityRelation {
  return { schema, relation: scanSql({ schema, files: [], naming: 'id' }) };
}
