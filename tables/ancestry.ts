/**
 * Which commits a snapshot rests on, told without them: every snapshot that Moraine makes has in its summary the sequence numbers of itself and all
 * ancestors, expired ones as well, as ranges. Rolled-back snapshots are in none. ADR 0037.
 */
import { ancestors, type Snapshot, type TableMetadata } from '../iceberg/index.js';

/** Snapshot summary property: ranges of sequence numbers, oldest first, `1-57 60-1020`. */
export const ANCESTRY = 'moraine.ancestry';

/** Ranges that are kept; a roll-back, and a commit to another branch, begins a new one. The oldest go first: what they had counts as unknown. */
const MAX_RANGES = 64;

/** Sequence numbers, both ends included. */
interface Range {
  readonly first: bigint;
  readonly last: bigint;
}

/**
 * The value of {@link ANCESTRY} of a new snapshot.
 * @param base what it is committed on
 * @param sequenceNumber its own
 */
export function ancestryText(base: TableMetadata, sequenceNumber: bigint): string {
  const ranges = withNewer(currentRanges(base), sequenceNumber);
  return ranges.map(({ first, last }) => `${first}-${last}`).join(' ');
}

/**
 * Whether the current snapshot or an ancestor of it has a sequence number, also once that one has expired. False where nobody knows: no snapshot
 * that is left has recorded it.
 */
export function isInAncestry(metadata: TableMetadata, sequenceNumber: bigint): boolean {
  return ancestryOf(metadata, sequenceNumber) === 'in';
}

/**
 * The same, with the difference between a sequence number that the history certainly does not have, such as one that was rolled back, and one of which nobody knows: it is
 * below all that are recorded.
 */
export function ancestryOf(metadata: TableMetadata, sequenceNumber: bigint): 'in' | 'out' | 'unknown' {
  const ranges = currentRanges(metadata);
  if (ranges.some(({ first, last }) => first <= sequenceNumber && sequenceNumber <= last)) return 'in';
  const [oldest] = ranges;
  return oldest !== undefined && oldest.first < sequenceNumber ? 'out' : 'unknown';
}

/** What the newest record of the current history says, and the kept snapshots after it. */
function currentRanges(metadata: TableMetadata): readonly Range[] {
  const { currentSnapshotId } = metadata;
  if (currentSnapshotId === null) return [];
  const later: bigint[] = [];
  let recorded: readonly Range[] = [];
  for (const snapshot of ancestors(metadata, currentSnapshotId)) {
    const ranges = recordedRanges(snapshot);
    if (ranges !== undefined) {
      recorded = ranges;
      break;
    }
    // Snapshots of format version 1 have no number.
    if (snapshot.sequenceNumber > 0n) later.push(snapshot.sequenceNumber);
  }
  return later.reduceRight(withNewer, recorded);
}

function withNewer(ranges: readonly Range[], sequenceNumber: bigint): readonly Range[] {
  const newest = ranges.at(-1);
  if (newest !== undefined && newest.last === sequenceNumber - 1n)
    return [...ranges.slice(0, -1), { first: newest.first, last: sequenceNumber }];
  return [...ranges, { first: sequenceNumber, last: sequenceNumber }].slice(-MAX_RANGES);
}

/** The record of a snapshot about itself. One that another program copied from a snapshot ends with another number, and says nothing. */
function recordedRanges({ summary, sequenceNumber }: Snapshot): readonly Range[] | undefined {
  const text = summary.get(ANCESTRY);
  if (text === undefined || !/^\d{1,19}-\d{1,19}( \d{1,19}-\d{1,19})*$/.test(text)) return undefined;
  const ranges = text.split(' ').map((range): Range => {
    const [first = '', last = ''] = range.split('-');
    return { first: BigInt(first), last: BigInt(last) };
  });
  return ranges.at(-1)?.last === sequenceNumber ? ranges : undefined;
}
