/** Rows that a compaction leaves, of those that it wrote anew. */
import type { Turns } from '../../processes/index.js';
import type { Compaction } from '../compactions.js';
import type { Column } from './column.js';
import { compareRows, KeyIndex, longAt } from './key-index.js';
import { gatherRows, type Rows, type SomeRows } from './segment.js';

/**
 * The newest row of each key at the compaction's time, and each later one that can win, with the sequence number of the new files. Rows that differ in features alone
 * stay both.
 */
export async function newestRows(
  some: readonly SomeRows[],
  { asOfUs, sequenceNumber }: Pick<Compaction, 'asOfUs' | 'sequenceNumber'>,
  turns: Turns,
): Promise<Rows> {
  const all = await gatherRows(some, turns);
  const standing = standingRows(all, asOfUs);
  await turns.give();
  const rows = standing.length === all.count ? all : await gatherRows([{ from: all, rows: standing }], turns);
  return { ...rows, sequenceNumber: sameNumber(rows.count, sequenceNumber) };
}

function standingRows(rows: Rows, asOfUs: bigint): Int32Array {
  const index = new KeyIndex(rows, rows.count);
  const standing = new Int32Array(rows.count);
  let count = 0;
  for (let number = 1; number <= index.keyCount; number += 1) {
    let last: number | undefined;
    for (let place = 0; place < index.countOf(number); place += 1) {
      const row = index.rowOf(number, place);
      if (last !== undefined && compareRows(rows, last, rows, row) !== 0) {
        // The rows of a key are in the order in which they win.
        if ((longAt(rows.eventTimestamp, last) as bigint) <= asOfUs) break;
        if (isSameTime(rows, last, row)) continue;
      }
      standing[count++] = row;
      last = row;
    }
  }
  return standing.subarray(0, count);
}

function isSameTime({ eventTimestamp, created }: Rows, a: number, b: number): boolean {
  return longAt(eventTimestamp, a) === longAt(eventTimestamp, b) && longAt(created, a) === longAt(created, b);
}

function sameNumber(count: number, number: bigint): Column {
  return { storage: 'fixed', values: new BigInt64Array(count).fill(number), width: 1, validity: null };
}
