/**
 * A table's snapshots. Nessie answers with the current one alone, without its parent; the others are those that were current at earlier
 * commits of the table, each to be had at its commit.
 */
import {
  findSnapshot,
  type Schema,
  type Snapshot,
  type SnapshotLogEntry,
  type TableMetadata,
} from '../../iceberg/index.js';
import { mapConcurrently } from '../../storage/index.js';
import type { LoadedTable, TableIdentifier } from '../catalog.js';
import type { TableCommit } from './nessie-log.js';

/** Stands for the parent of a snapshot whose parent cannot be told, or is not known. No table has a snapshot of this id. */
export const UNKNOWN_PARENT = -2n;

/** The snapshots of one state of a table. */
export interface TableHistory {
  /** Oldest first; the last one is current. Each is the parent of the next. */
  readonly snapshots: readonly Snapshot[];
  readonly log: readonly SnapshotLogEntry[];
  /** Schemas of the snapshots. */
  readonly schemas: readonly Schema[];
}

export const NO_HISTORY: TableHistory = { snapshots: [], log: [], schemas: [] };

/** Where the history of a table is read from. */
export interface HistorySource {
  /** Its commits, newest first; the first of them gave the state that is asked for. */
  readonly commits: AsyncIterable<TableCommit>;
  /** The table at one commit, as the server answers; undefined: it is no longer to be had. */
  readonly load: (identifier: TableIdentifier, hash: string) => Promise<LoadedTable | undefined>;
  /** The history of a state that is known already, by its metadata file. */
  readonly known: (metadataLocation: string) => TableHistory | undefined;
  /** So many snapshots are enough. */
  readonly limit: number;
}

/**
 * The history of a table's state.
 * @param table as the server answers
 */
export async function readHistory({ metadata }: LoadedTable, source: HistorySource): Promise<TableHistory> {
  const { commits, base } = await untilKnown(source);
  const earlier = await mapConcurrently(commits.slice(1), ({ identifier, hash }) => source.load(identifier, hash));
  const states = [metadata, ...earlier.map((table) => table?.metadata)];
  let history = base;
  for (const [i, commit] of [...commits.entries()].reverse()) {
    const state = states[i];
    if (state?.tableUuid !== metadata.tableUuid) history = undefined;
    else history = withState(history, state, commit.committedMs, source.limit);
  }
  const newest = history?.snapshots.at(-1)?.snapshotId ?? null;
  if (history !== undefined && newest === metadata.currentSnapshotId) return history;
  // The log does not tell of what the table has now.
  return withState(undefined, metadata, Number(metadata.lastUpdatedMs), source.limit) ?? NO_HISTORY;
}

/**
 * The commits that gave the table a new snapshot, newest first, and what there was before: undefined, if that cannot be told. A commit that
 * left the snapshot as it was stands for none.
 */
async function untilKnown({ commits, known, limit }: HistorySource): Promise<{
  readonly commits: readonly TableCommit[];
  readonly base: TableHistory | undefined;
}> {
  const found: TableCommit[] = [];
  let later: TableCommit | undefined;
  for await (const commit of commits) {
    const isSameState = later?.metadataLocation === commit.metadataLocation;
    if (later !== undefined && !isSameState && !later.isDirect) return { commits: found, base: undefined };
    const base = known(commit.metadataLocation);
    const newest = found.at(-1);
    const isSameSnapshot = newest?.snapshotId === commit.snapshotId;
    if (base !== undefined) return { commits: isSameSnapshot ? found.slice(0, -1) : found, base };
    if (commit.snapshotId === null) return { commits: found, base: NO_HISTORY };
    // The oldest commit with a snapshot is the one that made it.
    if (isSameSnapshot) found.pop();
    if (found.length === limit) return { commits: found, base: undefined };
    found.push(commit);
    later = commit;
  }
  return { commits: found, base: NO_HISTORY };
}

/** A history that goes on with the current snapshot of a state. @param base undefined: what was before cannot be told */
function withState(
  base: TableHistory | undefined,
  state: TableMetadata,
  committedMs: number,
  limit: number,
): TableHistory | undefined {
  const snapshot = findSnapshot(state, state.currentSnapshotId ?? UNKNOWN_PARENT);
  if (snapshot === undefined) return undefined;
  if (base !== undefined && follows(base, snapshot, state.formatVersion)) {
    const { snapshots, log, schemas } = extended(base, snapshot, state.schemas);
    return { snapshots: snapshots.slice(-limit), log: log.slice(-limit), schemas };
  }
  return {
    snapshots: [{ ...snapshot, parentSnapshotId: UNKNOWN_PARENT }],
    log: [{ snapshotId: snapshot.snapshotId, timestampMs: BigInt(committedMs) }],
    schemas: state.schemas,
  };
}

function extended({ snapshots, log, schemas }: TableHistory, next: Snapshot, others: readonly Schema[]): TableHistory {
  const parent = snapshots.at(-1)?.snapshotId;
  const { snapshotId, timestampMs } = next;
  const fresh = others.filter(({ schemaId }) => !schemas.some((each) => each.schemaId === schemaId));
  return {
    snapshots: [...snapshots, parent === undefined ? next : { ...next, parentSnapshotId: parent }],
    log: [...log, { snapshotId, timestampMs }],
    schemas: [...schemas, ...fresh],
  };
}

/**
 * Whether a snapshot was made on the last one of a history. Each commit of a snapshot counts the sequence number up by one: where a number
 * is left out, snapshots came and went in one commit, or on another branch. Version 1 does not count.
 */
function follows({ snapshots }: TableHistory, { sequenceNumber }: Snapshot, formatVersion: number): boolean {
  return formatVersion > 1 && sequenceNumber === (snapshots.at(-1)?.sequenceNumber ?? 0n) + 1n;
}

/** A table with the snapshots, and the schemas, of its history. */
export function withHistory(table: LoadedTable, { snapshots, log, schemas }: TableHistory): LoadedTable {
  const { metadata } = table;
  const others = schemas.filter(({ schemaId }) => !metadata.schemas.some((each) => each.schemaId === schemaId));
  return {
    ...table,
    metadata: { ...metadata, snapshots, snapshotLog: log, schemas: [...metadata.schemas, ...others] },
  };
}

/** The history after a commit, without asking for it. */
export function historyAfter({ metadata: before }: LoadedTable, { metadata: after }: LoadedTable): TableHistory {
  const base = { snapshots: before.snapshots, log: before.snapshotLog, schemas: before.schemas };
  const snapshot = findSnapshot(after, after.currentSnapshotId ?? UNKNOWN_PARENT);
  const isNew = snapshot !== undefined && snapshot.snapshotId !== before.currentSnapshotId;
  return isNew ? extended(base, snapshot, after.schemas) : base;
}
