/** Telling rows of decoded parts apart by what they belong to. */
import type { PrimitiveType, PrimitiveValue } from '../../iceberg/index.js';
import type { Turns } from '../../processes/index.js';
import { valueAt } from './column.js';
import type { KeyRanges } from './key-ranges.js';
import type { Rows, SomeRows } from './segment.js';

/** Rows that are looked at before others have a turn. */
const ROWS_AT_ONCE = 2_048;

/** Adds each row to the list that it belongs to; those of none are left out. */
export async function routeRows(
  rows: Rows,
  listOf: (row: number) => SomeRows[] | undefined,
  turns: Turns,
): Promise<void> {
  for (let from = 0; from < rows.count; from += ROWS_AT_ONCE) {
    for (const [list, places] of grouped(from, Math.min(from + ROWS_AT_ONCE, rows.count), listOf))
      list.push({ from: rows, rows: Int32Array.from(places) });
    await turns.give();
  }
}

/** Lists of rows by the range of their key; rows without a key are left out. */
export async function rowsByRange(
  all: readonly Rows[],
  keyType: PrimitiveType,
  ranges: KeyRanges,
  turns: Turns,
): Promise<readonly SomeRows[][]> {
  const lists = Array.from({ length: ranges.count }, (): SomeRows[] => []);
  for (const rows of all) {
    const listOf = (row: number): SomeRows[] | undefined => {
      const key = valueAt(keyType, rows.key, row);
      return key === null ? undefined : lists[ranges.rangeOf(key as PrimitiveValue)];
    };
    await routeRows(rows, listOf, turns);
  }
  return lists;
}

/** Rows, from one to before another, by what they belong to; those of nothing are left out. */
export function grouped<K>(from: number, to: number, of: (row: number) => K | undefined): ReadonlyMap<K, number[]> {
  const groups = new Map<K, number[]>();
  for (let row = from; row < to; row += 1) {
    const group = of(row);
    if (group === undefined) continue;
    const rows = groups.get(group);
    if (rows === undefined) groups.set(group, [row]);
    else rows.push(row);
  }
  return groups;
}
