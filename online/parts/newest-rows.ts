/** Rows that a compaction leaves, of those that it wrote anew. */
import type { Turns } from '../../processes/index.js';
import type { Compaction } from '../compactions.js';
import type { Column } from './column.js';
import { compareRows, KeyIndex, longAt, type OrderingColumns } from './key-index.js';
import { countOf, countOfAll, gatherOrdering, gatherRows, type Rows, type SomeRows } from './segment.js';

/**
 * The newest row of each key at the compaction's time, and each later one that can win, with the sequence number of the new files. Rows that differ in features alone
 * stay both.
 */
export async function newestRows(
  some: readonly SomeRows[],
  { asOfUs, sequenceNumber }: Pick<Compaction, 'asOfUs' | 'sequenceNumber'>,
  turns: Turns,
): Promise<Rows> {
  const stands = standingRows(await gatherOrdering(some, turns), countOfAll(some), asOfUs);
  await turns.give();
  const rows = await gatherRows(standingOf(some, stands), turns);
  return { ...rows, sequenceNumber: sameNumber(rows.count, sequenceNumber) };
}

/** @param stands by place among all rows, one list after the other */
function standingOf(some: readonly SomeRows[], stands: Uint8Array): readonly SomeRows[] {
  let first = 0;
  return some.map((one): SomeRows => {
    const count = countOf(one);
    const rows = new Int32Array(count);
    let kept = 0;
    for (let place = 0; place < count; place += 1)
      if (stands[first + place] === 1) rows[kept++] = one.rows === null ? place : (one.rows[place] as number);
    first += count;
    return { from: one.from, rows: rows.subarray(0, kept) };
  });
}

/** One for each row that stays. */
function standingRows(rows: OrderingColumns, rowCount: number, asOfUs: bigint): Uint8Array {
  const index = new KeyIndex(rows, rowCount);
  const stands = new Uint8Array(rowCount);
  for (let number = 1; number <= index.keyCount; number += 1) {
    let last: number | undefined;
    for (let place = 0; place < index.countOf(number); place += 1) {
      const row = index.rowOf(number, place);
      if (last !== undefined && compareRows(rows, last, rows, row) !== 0) {
        // The rows of a key are in the order in which they win.
        if ((longAt(rows.eventTimestamp, last) as bigint) <= asOfUs) break;
        if (isSameTime(rows, last, row)) continue;
      }
      stands[row] = 1;
      last = row;
    }
  }
  return stands;
}

function isSameTime({ eventTimestamp, created }: OrderingColumns, a: number, b: number): boolean {
  return longAt(eventTimestamp, a) === longAt(eventTimestamp, b) && longAt(created, a) === longAt(created, b);
}

function sameNumber(count: number, number: bigint): Column {
  return { storage: 'fixed', values: new BigInt64Array(count).fill(number), width: 1, validity: null };
}
