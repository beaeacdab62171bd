/** Whether the ranges of a batch follow what a table has committed. Pure. */
import { MoraineError } from '../../errors/index.js';
import type { SourceMarks, SourcePositions, SourceRange } from '../source-position.js';

/** A range of a batch. */
export interface BatchRange extends SourceRange {
  /** Nothing of the partition has ever been read before it: it may begin anywhere. */
  readonly isFirst: boolean;
}

export type RangeOrder = 'next' | 'below' | 'mismatch';

/** How a range lies to what was committed of its partition; undefined: nothing was. */
export function orderOf({ from, to, isFirst }: BatchRange, committed: bigint | undefined): RangeOrder {
  if (committed === undefined) return isFirst ? 'next' : 'mismatch';
  if (from === committed) return 'next';
  return to <= committed ? 'below' : 'mismatch';
}

/** Whether a range moves its partition's position: an empty one lies at the same position before and after its batch is committed. */
export const hasLength = ({ from, to }: SourceRange): boolean => to > from;

/** @throws MoraineError `SINK_POSITION_MISMATCH` for a base on which a batch cannot be committed */
export function requireNext(sink: string, ranges: readonly BatchRange[], committed: SourcePositions): void {
  for (const range of ranges) {
    const position = committed.get(range.partition);
    if (orderOf(range, position) !== 'next') throw positionMismatch(sink, range, position);
  }
}

/** Ranges of what is committed together: those of a partition that follow one another are one. */
export function joinRanges(ranges: readonly BatchRange[]): readonly BatchRange[] {
  const joined: BatchRange[] = [];
  for (const range of ranges.toSorted((a, b) => Number(a.from - b.from || a.to - b.to))) {
    const at = joined.findIndex(({ partition, to }) => partition === range.partition && to === range.from);
    const before = joined[at];
    if (before === undefined) joined.push(range);
    else joined[at] = { ...range, from: before.from, isFirst: before.isFirst };
  }
  return joined;
}

/** The positions once the ranges are committed. */
export function positionsAfter(committed: SourcePositions, ranges: readonly BatchRange[]): SourcePositions {
  return new Map([...committed, ...ranges.map(({ partition, to }) => [partition, to] as const)]);
}

/** Where partitions begin, but those that begin at 0, once the ranges are committed. */
export function beginningsAfter(
  beginnings: SourcePositions,
  committed: SourcePositions,
  ranges: readonly BatchRange[],
): SourcePositions {
  const first = ranges.filter(({ partition, from }) => from !== 0n && !committed.has(partition));
  return new Map([...beginnings, ...first.map(({ partition, from }) => [partition, from] as const)]);
}

/** What is known of the positions once the ranges are committed. */
export function marksAfter(committed: SourceMarks, ranges: readonly BatchRange[]): SourceMarks {
  const marks = new Map(committed);
  for (const { partition, mark } of ranges) {
    if (mark === undefined) marks.delete(partition);
    else marks.set(partition, mark);
  }
  return marks;
}

/** The error of a range that does not follow what was read or committed before. */
export function positionMismatch(sink: string, range: SourceRange, committed: bigint | undefined): MoraineError {
  const { partition, from, to } = range;
  const next = committed === undefined ? 'nothing' : `up to ${committed}`;
  const message = `Sink ${JSON.stringify(sink)} was given positions ${from} to ${to} of ${JSON.stringify(partition)}, of which ${next} is committed.`;
  const details = { sink, partition, from: from.toString(), committed: committed?.toString() ?? 'none' };
  return new MoraineError('SINK_POSITION_MISMATCH', message, { details });
}
