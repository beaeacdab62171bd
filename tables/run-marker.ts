/**
 * Run keys: how a commit is recognised later, so that the same work lands once.
 *
 * The key stands in the snapshot's summary, and with the snapshot's id in a bounded table property that the same commit
 * sets, which outlives the snapshot's expiry.
 */
import {
  ancestors,
  findSnapshot,
  type JsonValue,
  parseJson,
  stringifyJson,
  type TableMetadata,
} from '../iceberg/index.js';

/** Names one piece of work; two commits with the same key are the same work. */
export interface RunMarker {
  readonly key: string;
  /** Keys of the pieces of work that the commit does together; each is found by {@link findRun} as well. */
  readonly windowKeys?: readonly string[];
}

/** Snapshot summary property that holds the run key. */
export const RUN_KEY = 'moraine.run-key';
/** Table property that holds the latest run keys: JSON, `[{"key": .., "snapshot-id": ".."}]`, newest last. */
export const RECENT_RUNS = 'moraine.recent-runs';
const RECENT_RUNS_MAX = 100;
/** Characters of window keys that {@link RECENT_RUNS} keeps; the oldest go first. */
const RECENT_WINDOWS_MAX_CHARS = 64_000;
/** Snapshot summary property with the keys of a commit's windows: the first 16 hex digits of each, separated by spaces. */
export const WINDOW_KEYS = 'moraine.window-keys';
const WINDOW_KEY_CHARS = 16;

interface RecentRun {
  readonly key: string;
  readonly snapshotId: bigint;
  /** As {@link WINDOW_KEYS}. */
  readonly windows: string;
}

/** The value of {@link WINDOW_KEYS}. */
export function windowKeysText(keys: readonly string[]): string {
  return keys.map((key) => key.slice(0, WINDOW_KEY_CHARS)).join(' ');
}

function recentRun(json: JsonValue): readonly RecentRun[] {
  if (json === null || typeof json !== 'object' || Array.isArray(json)) return [];
  const { key, 'snapshot-id': id, windows } = json as { readonly [name: string]: JsonValue };
  if (typeof key !== 'string' || typeof id !== 'string' || !/^\d+$/.test(id)) return [];
  return [{ key, snapshotId: BigInt(id), windows: typeof windows === 'string' ? windows : '' }];
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

/** Where the runs of a table's history are, by key and by {@link WINDOW_KEYS}. */
interface RunIndex {
  readonly runs: ReadonlyMap<string, bigint>;
  readonly windows: ReadonlyMap<string, bigint>;
}

/** A plan asks for each of its windows: the history is walked once for all of them. */
const indexes = new WeakMap<TableMetadata, RunIndex>();

function runIndex(metadata: TableMetadata): RunIndex {
  let index = indexes.get(metadata);
  if (index === undefined) {
    index = indexRuns(metadata);
    indexes.set(metadata, index);
  }
  return index;
}

/** The newest comes first: recent runs, which may be expired, only where no snapshot of the history has the key. */
function indexRuns(metadata: TableMetadata): RunIndex {
  const runs = new Map<string, bigint>();
  const windows = new Map<string, bigint>();
  const add = (snapshotId: bigint, key: string | undefined, windowKeys: string | undefined): void => {
    if (key !== undefined && !runs.has(key)) runs.set(key, snapshotId);
    if (windowKeys === undefined || windowKeys === '') return;
    for (const window of windowKeys.split(' ')) if (!windows.has(window)) windows.set(window, snapshotId);
  };
  const history = metadata.currentSnapshotId === null ? [] : [...ancestors(metadata, metadata.currentSnapshotId)];
  for (const { snapshotId, summary } of history) add(snapshotId, summary.get(RUN_KEY), summary.get(WINDOW_KEYS));
  // A snapshot that is there and not in the history was rolled back; one that is not there has expired from it.
  const ids = new Set(history.map(({ snapshotId }) => snapshotId));
  for (const { key, snapshotId, windows: windowKeys } of recentRuns(metadata).toReversed())
    if (ids.has(snapshotId) || findSnapshot(metadata, snapshotId) === undefined) add(snapshotId, key, windowKeys);
  return { runs, windows };
}

/** The snapshot that committed this run, if it is part of the table's history, else null. */
export function findRun(metadata: TableMetadata, run: RunMarker): bigint | null {
  const { runs, windows } = runIndex(metadata);
  return runs.get(run.key) ?? windows.get(run.key.slice(0, WINDOW_KEY_CHARS)) ?? null;
}

/** The value of {@link RECENT_RUNS} once this run commits as this snapshot. */
export function recentRunsWith(base: TableMetadata, run: RunMarker, snapshotId: bigint): string {
  const others = recentRuns(base).filter(({ key }) => key !== run.key);
  const windows = windowKeysText(run.windowKeys ?? []);
  const kept = [...others, { key: run.key, snapshotId, windows }].slice(-RECENT_RUNS_MAX);
  let chars = 0;
  const bounded = kept.toReversed().map((entry) => {
    chars += entry.windows.length;
    return chars <= RECENT_WINDOWS_MAX_CHARS ? entry : { ...entry, windows: '' };
  });
  return stringifyJson(
    bounded.toReversed().map((entry) => ({
      key: entry.key,
      'snapshot-id': entry.snapshotId.toString(),
      ...(entry.windows === '' ? {} : { windows: entry.windows }),
    })),
  );
}
