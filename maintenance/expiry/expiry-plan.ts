/**
 * Which snapshots and refs of a table have had their time. Pure.
 * Source: Apache Iceberg specification, "Snapshot Retention Policy"; table properties `history.expire.*`.
 */
import { MoraineError } from '../../errors/index.js';
import {
  ancestors,
  findSnapshot,
  MAIN_BRANCH,
  type MetadataLogEntry,
  type SnapshotRef,
  type TableMetadata,
} from '../../iceberg/index.js';

const DEFAULT_MAX_SNAPSHOT_AGE_MS = 5n * 86_400_000n;

/** Settings of a request besides the table's properties; a ref's own settings win over both. */
export interface ExpirySettings {
  /** In place of `history.expire.max-snapshot-age-ms`. */
  readonly olderThanMs?: bigint;
  /** In place of `history.expire.min-snapshots-to-keep`. */
  readonly retainLast?: number;
  /**
   * Whether files outside the table's folders go, too, once only expired snapshots name them. Metadata may name any file, so
   * they stay unless somebody has said that they are the table's own.
   */
  readonly deleteOutside?: boolean;
  /**
   * How many previous metadata files the table's log may name: a longer log is shortened, through the table's property
   * `write.metadata.previous-versions-max`. The files that leave it are orphans. A log is not shortened unless given.
   */
  readonly metadataVersions?: number;
}

/** Roots that keep snapshots besides the table's own branches and tags. */
export interface SnapshotRoot {
  /** Who needs them, for people. */
  readonly reason: string;
  readonly snapshotIds: readonly bigint[];
  /** Whoever reads on from here needs this snapshot and every one after it, up to the current one. */
  readonly sinceSnapshotId?: bigint;
}

/** Metadata files that leave the log when the next commit shortens it to the wanted length, the oldest first. */
export function surplusMetadata(
  { metadataLog }: TableMetadata,
  { metadataVersions }: ExpirySettings,
): readonly MetadataLogEntry[] {
  if (metadataVersions === undefined || metadataLog.length <= metadataVersions) return [];
  // That commit logs the file that it replaces.
  return metadataLog.slice(0, metadataLog.length + 1 - metadataVersions);
}

/** The snapshots and refs that go and, for every snapshot that stays, why. */
export interface ExpiryPlan {
  readonly snapshotIds: readonly bigint[];
  readonly refs: readonly string[];
  readonly kept: ReadonlyMap<bigint, string>;
}

/**
 * @param nowMs milliseconds since the epoch; a snapshot of a later time is young
 * @throws MoraineError `INVALID_ARGUMENT` for a property that is not such a number, or a table whose files must not be deleted
 */
export function planExpiry(
  metadata: TableMetadata,
  settings: ExpirySettings,
  roots: readonly SnapshotRoot[],
  nowMs: bigint,
): ExpiryPlan {
  requireGarbageCollection(metadata);
  const limits = {
    ageMs:
      settings.olderThanMs ?? property(metadata, 'history.expire.max-snapshot-age-ms') ?? DEFAULT_MAX_SNAPSHOT_AGE_MS,
    count: settings.retainLast ?? Number(property(metadata, 'history.expire.min-snapshots-to-keep') ?? 1n),
    refAgeMs: property(metadata, 'history.expire.max-ref-age-ms'),
  };
  const refs: string[] = [];
  const kept = new Map<bigint, string>();
  const keep = (id: bigint, reason: string): void => {
    if (!kept.has(id) && findSnapshot(metadata, id) !== undefined) kept.set(id, reason);
  };
  if (metadata.currentSnapshotId !== null) keep(metadata.currentSnapshotId, 'it is the current snapshot');
  for (const [name, ref] of metadata.refs) {
    if (isRefExpired(metadata, name, ref, ref.maxRefAgeMs ?? limits.refAgeMs, nowMs)) refs.push(name);
    else for (const [id, reason] of keptByRef(metadata, name, ref, limits, nowMs)) keep(id, reason);
  }
  for (const root of roots) for (const id of neededBy(metadata, root)) keep(id, root.reason);
  const reachable = onRefs(metadata, refs);
  for (const { snapshotId, timestampMs } of metadata.snapshots) {
    if (!reachable.has(snapshotId) && nowMs - timestampMs <= limits.ageMs)
      keep(snapshotId, 'no branch has it, but it is young');
  }
  const snapshotIds = metadata.snapshots.map(({ snapshotId }) => snapshotId).filter((id) => !kept.has(id));
  return { snapshotIds, refs, kept };
}

/** @throws MoraineError `INVALID_ARGUMENT` for a table with `gc.enabled` false: other tables may share its files */
export function requireGarbageCollection(metadata: TableMetadata): void {
  if (metadata.properties.get('gc.enabled')?.toLowerCase() !== 'false') return;
  const message = 'The table property gc.enabled is false: other tables may use its files, so none is deleted.';
  throw new MoraineError('INVALID_ARGUMENT', message);
}

interface Limits {
  readonly ageMs: bigint;
  readonly count: number;
}

/** Snapshots that a ref keeps: the newest ancestors of a branch, by number or age; the snapshot of a tag. */
function* keptByRef(
  metadata: TableMetadata,
  name: string,
  ref: SnapshotRef,
  limits: Limits,
  nowMs: bigint,
): Generator<readonly [bigint, string]> {
  if (ref.type === 'tag') {
    yield [ref.snapshotId, `tag ${name}`];
    return;
  }
  const count = Math.max(1, ref.minSnapshotsToKeep ?? limits.count);
  const ageMs = ref.maxSnapshotAgeMs ?? limits.ageMs;
  let position = 0;
  for (const { snapshotId, timestampMs } of ancestors(metadata, ref.snapshotId)) {
    if (position >= count && nowMs - timestampMs > ageMs) return;
    yield [snapshotId, position < count ? `branch ${name} keeps its last ${count}` : `branch ${name}, and it is young`];
    position += 1;
  }
}

function isRefExpired(
  metadata: TableMetadata,
  name: string,
  ref: SnapshotRef,
  maxAgeMs: bigint | undefined,
  nowMs: bigint,
): boolean {
  const snapshot = findSnapshot(metadata, ref.snapshotId);
  if (name === MAIN_BRANCH || maxAgeMs === undefined || snapshot === undefined) return false;
  return nowMs - snapshot.timestampMs > maxAgeMs;
}

function* neededBy(metadata: TableMetadata, { snapshotIds, sinceSnapshotId }: SnapshotRoot): Generator<bigint> {
  yield* snapshotIds;
  if (sinceSnapshotId === undefined || metadata.currentSnapshotId === null) return;
  const since: bigint[] = [];
  for (const { snapshotId } of ancestors(metadata, metadata.currentSnapshotId)) {
    since.push(snapshotId);
    if (snapshotId === sinceSnapshotId) yield* since;
  }
}

/** The snapshots of all refs that stay, and of their pasts. */
function onRefs(metadata: TableMetadata, expiredRefs: readonly string[]): ReadonlySet<bigint> {
  const found = new Set<bigint>();
  for (const [name, ref] of metadata.refs) {
    if (expiredRefs.includes(name)) continue;
    if (ref.type === 'tag') found.add(ref.snapshotId);
    else for (const { snapshotId } of ancestors(metadata, ref.snapshotId)) found.add(snapshotId);
  }
  return found;
}

function property(metadata: TableMetadata, name: string): bigint | undefined {
  const text = metadata.properties.get(name);
  if (text === undefined) return undefined;
  if (/^\d{1,18}$/.test(text)) return BigInt(text);
  throw new MoraineError('INVALID_ARGUMENT', `The table property ${name} is ${JSON.stringify(text)}, not a number.`);
}
