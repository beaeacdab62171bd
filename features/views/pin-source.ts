/** At which state source tables are read. */
import { isMoraineError, MoraineError } from '../../errors/index.js';
import type { PinnedSource } from '../../scans/index.js';
import { type SnapshotSelection, selectSnapshot, type Table } from '../../tables/index.js';

/** The state of one table: its snapshot (null: it had none) and the schema that it was read with. */
export interface TableState {
  readonly snapshotId: bigint | null;
  readonly schemaId: number;
  readonly tableUuid: string;
}

/**
 * At which state tables are read: one selection for all, or a snapshot for each by the table's name, as an earlier answer named
 * them. With `others: 'current'` tables that are not named are read as they are now; else they are an error.
 */
export type HistoricalAsOf =
  | SnapshotSelection
  | { readonly snapshots: ReadonlyMap<string, bigint | null | TableState>; readonly others?: 'current' };

/**
 * A table at the state to read.
 * @param name the name by which the request knows the table
 * @throws SNAPSHOT_NOT_FOUND, SNAPSHOT_EXPIRED; TABLE_REPLACED for another table of the same name; INVALID_ARGUMENT for a table that `asOf` leaves out
 */
export function pinSource(table: Table, name: string, asOf: HistoricalAsOf): PinnedSource {
  if (!('snapshots' in asOf)) return { table, ...naming(name, () => selectSnapshot(table.metadata, asOf)) };
  const state = asOf.snapshots.get(name);
  if (state !== undefined) return naming(name, () => atState(table, name, state));
  if (asOf.others === 'current') return { table, ...selectSnapshot(table.metadata) };
  throw new MoraineError('INVALID_ARGUMENT', `The snapshots to read name none of table ${name}.`);
}

/** The state of a pinned table that an answer names, so that the same can be read again. */
export function stateOf({ table, snapshot, schema }: PinnedSource): TableState {
  return {
    snapshotId: snapshot?.snapshotId ?? null,
    schemaId: schema.schemaId,
    tableUuid: table.metadata.tableUuid,
  };
}

function atState(table: Table, name: string, state: bigint | null | TableState): PinnedSource {
  if (typeof state === 'bigint') return { table, ...selectSnapshot(table.metadata, { snapshotId: state }) };
  if (state === null) return { table, schema: selectSnapshot(table.metadata).schema, snapshot: null };
  if (state.tableUuid !== table.metadata.tableUuid) {
    const { tableUuid } = table.metadata;
    throw new MoraineError(
      'TABLE_REPLACED',
      `Table ${name} is another one (${tableUuid}) than was read (${state.tableUuid}).`,
    );
  }
  const { snapshotId } = state;
  const schema = table.metadata.schemas.find((candidate) => candidate.schemaId === state.schemaId);
  const found = readBefore(name, () => atState(table, name, snapshotId));
  return { ...found, schema: schema ?? found.schema };
}

/** That a state was read proves that it existed, however little of it the table still knows. */
function readBefore<T>(name: string, choose: () => T): T {
  try {
    return choose();
  } catch (error) {
    if (!isMoraineError(error, 'SNAPSHOT_NOT_FOUND')) throw error;
    throw new MoraineError(
      'SNAPSHOT_EXPIRED',
      `The snapshot that was read of ${name} has been expired from the table.`,
      { cause: error },
    );
  }
}

/** Errors of choosing a snapshot say which table they are about: a request reads several. */
function naming<T>(name: string, choose: () => T): T {
  try {
    return choose();
  } catch (error) {
    if (!(error instanceof MoraineError) || error.code === 'TABLE_REPLACED') throw error;
    throw new MoraineError(error.code, `Table ${name}: ${error.message}`, {
      details: { ...error.details, table: name },
      cause: error,
    });
  }
}
