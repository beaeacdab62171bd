/** Batches of a group whose clients named them by a key: which of them have to be written, and what the others are answered. Pure. */
import { MoraineError } from '../errors/index.js';
import type { IdempotencyKey, IdempotencyRecord } from '../tables/index.js';

/** What a batch that is not written is answered. */
export type KnownBatch =
  /** A commit has it already. */
  | Pick<IdempotencyRecord, 'snapshotId' | 'committedMs'>
  /** Another batch of the group, by its place, is the same. */
  | { readonly sameAs: number }
  | { readonly error: MoraineError };

/**
 * The answers of batches that are not written, by their places.
 * @param committed commits by key
 */
export function knownBatches(
  keys: readonly (IdempotencyKey | undefined)[],
  committed: ReadonlyMap<string, IdempotencyRecord>,
): ReadonlyMap<number, KnownBatch> {
  const known = new Map<number, KnownBatch>();
  const first = new Map<string, number>();
  for (const [place, named] of keys.entries()) {
    if (named === undefined) continue;
    const record = committed.get(named.key);
    const earlier = first.get(named.key);
    const before = record ?? (earlier === undefined ? undefined : keys[earlier]);
    if (before !== undefined && before.content !== named.content) known.set(place, { error: reused() });
    else if (record !== undefined) known.set(place, { snapshotId: record.snapshotId, committedMs: record.committedMs });
    else if (earlier === undefined) first.set(named.key, place);
    else known.set(place, { sameAs: earlier });
  }
  return known;
}

function reused(): MoraineError {
  return new MoraineError(
    'IDEMPOTENCY_KEY_REUSED',
    'Something else was written under this idempotency key within the last 24 hours.',
  );
}
