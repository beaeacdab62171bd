/** Splitting the ranges of decoded parts that have grown by appended files: by the keys in memory, so that nothing is read again. Pure. */
import type { PrimitiveType, PrimitiveValue } from '../../iceberg/index.js';
import type { Cell, Part, Slot } from './cell.js';
import { valueAt } from './column.js';
import { compareKeys, type KeyRanges } from './key-ranges.js';

/** Keys of a part that are looked at. */
const SAMPLE = 1_024;

/** Ranges with parts of more rows than a part is made for, cut into ranges of about as many as are chosen at first; the others as they are. */
export function splitRanges(cell: Cell, ranges: KeyRanges, keyType: PrimitiveType): KeyRanges {
  const cuts = cell.slots.flatMap((slot) => cutsOf(ranges, keyType, slot));
  return cuts.length === 0 ? ranges : ranges.cutAt(cuts);
}

function cutsOf(ranges: KeyRanges, keyType: PrimitiveType, slot: Slot): readonly PrimitiveValue[] {
  const part = slot.part ?? slot.behind?.part ?? null;
  const { partRows, rangeRows } = slot.cell;
  if (part === null || rowsOf(part) <= partRows) return [];
  const rowsOfOne = Math.ceil(rowsOf(part) / SAMPLE);
  const keys = sampleOf(keyType, part, rowsOfOne).filter((key) => ranges.rangeOf(key) === slot.range);
  const pieces = Math.ceil((keys.length * rowsOfOne) / rangeRows);
  if (keys.length * rowsOfOne <= partRows) return [];
  keys.sort(compareKeys);
  // A cut at the first key would leave nothing before it.
  const cuts = Array.from({ length: pieces - 1 }, (_, at) => keys[Math.floor(((at + 1) * keys.length) / pieces)]);
  return cuts.filter((key) => key !== undefined && compareKeys(key, keys[0] as PrimitiveValue) > 0) as PrimitiveValue[];
}

const rowsOf = ({ segments }: Part): number => segments.reduce((sum, { rows }) => sum + rows.count, 0);

/** The key of each so many-th row; rows without one are in no answer. */
function sampleOf(keyType: PrimitiveType, { segments }: Part, rowsOfOne: number): PrimitiveValue[] {
  const keys: PrimitiveValue[] = [];
  for (const { rows } of segments)
    for (let row = 0; row < rows.count; row += rowsOfOne) {
      const key = valueAt(keyType, rows.key, row);
      if (key !== null) keys.push(key as PrimitiveValue);
    }
  return keys;
}
