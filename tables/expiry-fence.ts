/**
 * Expiry beside work that protects snapshots. A catalog removes snapshots together with the refs that point at them, those among them that
 * were set a moment before: no requirement of the REST specification can say "and no ref but these". So an expiry first sets a tag of its
 * own, the fence, looks at the table again, and removes the snapshots only while its fence stands. Whoever protects a snapshot takes
 * every fence down, and goes on once it sees its protection in a table without fences: an expiry that began before can no longer
 * land, and one that begins later sees the protection.
 */
import { randomUUID } from 'node:crypto';
import type { TableMetadata, TableUpdate } from '../iceberg/index.js';
import type { Table } from './table.js';
import { commitUpdates } from './update-metadata.js';

/** How the names of fences begin. */
const FENCE_PREFIX = 'moraine-expiry-';
/** A fence that was left behind by an expiry that died goes with the old refs. */
const FENCE_AGE_MS = 86_400_000n;

/**
 * Commits updates that protect snapshots or files of a table.
 * @param updates as for {@link commitUpdates}
 * @returns the table with the protection; no expiry that has not seen it can take anything away any more
 * @throws as {@link commitUpdates}
 */
export function commitProtection(
  table: Table,
  updates: (base: TableMetadata) => readonly TableUpdate[] | null,
): Promise<Table> {
  return commitUpdates(table, (base) => orNull([...(updates(base) ?? []), ...removals(fencesOf(base))]));
}

/**
 * Removes snapshots and what else nobody must have come to need meanwhile.
 * @param updates as for {@link commitUpdates}; computed behind the fence
 * @throws as {@link commitUpdates}
 */
export function commitExpiryBehindFence(
  table: Table,
  updates: (base: TableMetadata) => readonly TableUpdate[] | null,
): Promise<Table> {
  const own = new Set<string>();
  return commitUpdates(table, (base) => {
    const standing = fencesOf(base).filter((name) => own.has(name));
    const wanted = updates(base) ?? [];
    const snapshotId = base.currentSnapshotId ?? base.snapshots.at(-1)?.snapshotId;
    if (wanted.length > 0 && standing.length === 0 && snapshotId !== undefined) {
      // A name is used once: an attempt that lands late must not find the fence of the next one.
      const refName = `${FENCE_PREFIX}${randomUUID()}`;
      own.add(refName);
      return [{ action: 'set-snapshot-ref', refName, ref: { type: 'tag', snapshotId, maxRefAgeMs: FENCE_AGE_MS } }];
    }
    return orNull([...removals(standing), ...wanted]);
  });
}

const fencesOf = ({ refs }: TableMetadata): readonly string[] =>
  [...refs.keys()].filter((name) => name.startsWith(FENCE_PREFIX));

const removals = (names: readonly string[]): readonly TableUpdate[] =>
  names.map((refName) => ({ action: 'remove-snapshot-ref', refName }));

const orNull = (updates: readonly TableUpdate[]): readonly TableUpdate[] | null =>
  updates.length === 0 ? null : updates;
