/** What was read of a topic in pieces that fit into batches. Pure. */
import type { ReadRecords } from './topic-reader.js';

/**
 * Pieces that follow one another; together they have the range of the whole.
 * @param first records of the first piece at most
 * @param others records of each other one at most
 */
export function piecesOf(read: ReadRecords, first: number, others: number): readonly ReadRecords[] {
  const { partition, records } = read;
  const pieces: ReadRecords[] = [];
  let { from } = read;
  for (let at = 0; at === 0 || at < records.length; ) {
    const piece = records.slice(at, at + (at === 0 ? first : others));
    at += Math.max(piece.length, 1);
    const last = piece.at(-1);
    // What lies behind the record, such as the end of a transaction, belongs to the next piece.
    const isLast = last === undefined || at >= records.length;
    const to = isLast ? read.to : { leaderEpoch: last.leaderEpoch, offset: last.offset + 1n };
    pieces.push({ partition, records: piece, from, to });
    from = to;
  }
  return pieces;
}
