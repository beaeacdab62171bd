/**
 * Run keys: how a commit is recognised later, so that the same work lands once.
 *
 * The key stands in the snapshot's summary, and with the snapshot's id in a bounded table property that the same commit
 * sets, which outlives the snapshot's expiry.
 */
import {
  ancestors,
  findSnapshot,
  isAncestor,
  type JsonValue,
  parseJson,
  stringifyJson,
  type TableMetadata,
} from '../iceberg/index.js';

/** Names one piece of work; two commits with the same key are the same work. */
export interface RunMarker {
  readonly key: string;
}

/** Snapshot summary property that holds the run key. */
export const RUN_KEY = 'moraine.run-key';
/** Table property that holds the latest run keys: JSON, `[{"key": .., "snapshot-id": ".."}]`, newest last. */
export const RECENT_RUNS = 'moraine.recent-runs';
const RECENT_RUNS_MAX = 100;

interface RecentRun {
  readonly key: string;
  readonly snapshotId: bigint;
}

function recentRun(json: JsonValue): readonly RecentRun[] {
  if (json === null || typeof json !== 'object' || Array.isArray(json)) return [];
  const { key, 'snapshot-id': id } = json as { readonly [name: string]: JsonValue };
  return typeof key === 'string' && typeof id === 'string' && /^\d+$/.test(id) ? [{ key, snapshotId: BigInt(id) }] : [];
}

/** The property's entries. One that somebody else damaged says nothing, it must not stop every commit. */
function recentRuns(metadata: TableMetadata): readonly RecentRun[] {
  try {
    const json = parseJson(metadata.properties.get(RECENT_RUNS) ?? '[]');
    return Array.isArray(json) ? json.flatMap(recentRun) : [];
  } catch {
    return [];
  }
}

/** Whether a snapshot's effects are part of the table: an ancestor of the current one, or expired. Not: rolled back. */
function counts(metadata: TableMetadata, snapshotId: bigint): boolean {
  if (findSnapshot(metadata, snapshotId) === undefined) return true;
  return metadata.currentSnapshotId !== null && isAncestor(metadata, snapshotId, metadata.currentSnapshotId);
}

/** The snapshot that committed this run, if it is part of the table's history, else null. */
export function findRun(metadata: TableMetadata, run: RunMarker): bigint | null {
  if (metadata.currentSnapshotId !== null) {
    for (const snapshot of ancestors(metadata, metadata.currentSnapshotId)) {
      if (snapshot.summary.get(RUN_KEY) === run.key) return snapshot.snapshotId;
    }
  }
  const recent = recentRuns(metadata).findLast(
    ({ key, snapshotId }) => key === run.key && counts(metadata, snapshotId),
  );
  return recent?.snapshotId ?? null;
}

/** The value of {@link RECENT_RUNS} once this run commits as this snapshot. */
export function recentRunsWith(base: TableMetadata, run: RunMarker, snapshotId: bigint): string {
  const others = recentRuns(base).filter(({ key }) => key !== run.key);
  const kept = [...others, { key: run.key, snapshotId }].slice(-RECENT_RUNS_MAX);
  return stringifyJson(kept.map((entry) => ({ key: entry.key, 'snapshot-id': entry.snapshotId.toString() })));
}
