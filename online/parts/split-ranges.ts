/** Splitting the ranges of decoded parts that have grown by appended files: by the keys in memory, so that nothing is read again. Pure. */
import type { PrimitiveType, PrimitiveValue } from '../../iceberg/index.js';
import { valueAt } from './column.js';
import { compareKeys, type KeyRanges } from './key-ranges.js';
import type { Rows } from './segment.js';

/** Keys of a part that are looked at. */
const SAMPLE = 1_024;

/** Decoded rows, such as those of a segment. */
interface Decoded {
  readonly rows: Pick<Rows, 'key' | 'count'>;
}

export interface SplitOptions {
  readonly keyType: PrimitiveType;
  /** Most rows that a part is made for. */
  readonly partRows: number;
  /** Rows of a range when it is chosen. */
  readonly rangeRows: number;
}

/**
 * Ranges with more rows than a part is made for, cut into ranges of about as many as are chosen at first; the others as they are.
 * @param decoded by range: its rows, among them perhaps those of other ranges; none if it is not decoded
 */
export function splitRanges(
  ranges: KeyRanges,
  decoded: readonly (readonly Decoded[])[],
  options: SplitOptions,
): KeyRanges {
  const cuts = decoded.flatMap((segments, range) => cutsOf(segments, options, (key) => ranges.rangeOf(key) === range));
  return cuts.length === 0 ? ranges : ranges.cutAt(cuts);
}

function cutsOf(
  segments: readonly Decoded[],
  { keyType, partRows, rangeRows }: SplitOptions,
  isOwn: (key: PrimitiveValue) => boolean,
): readonly PrimitiveValue[] {
  const rows = segments.reduce((sum, segment) => sum + segment.rows.count, 0);
  if (rows <= partRows) return [];
  const rowsOfOne = Math.ceil(rows / SAMPLE);
  const keys = sampleOf(keyType, segments, rowsOfOne).filter(isOwn).sort(compareKeys);
  const ownRows = keys.length * rowsOfOne;
  if (ownRows <= partRows) return [];
  const pieces = Math.ceil(ownRows / rangeRows);
  const cuts = Array.from({ length: pieces - 1 }, (_, cut) => keys[Math.floor(((cut + 1) * keys.length) / pieces)]);
  // A cut at the first key would leave nothing before it.
  const [first] = keys;
  return cuts.filter((key): key is PrimitiveValue => key !== undefined && compareKeys(key, first as never) > 0);
}

/** The key of each so many-th row; rows without one are in no answer. */
function sampleOf(keyType: PrimitiveType, segments: readonly Decoded[], rowsOfOne: number): PrimitiveValue[] {
  const keys: PrimitiveValue[] = [];
  for (const { rows } of segments)
    for (let row = 0; row < rows.count; row += rowsOfOne) {
      const key = valueAt(keyType, rows.key, row);
      if (key !== null) keys.push(key as PrimitiveValue);
    }
  return keys;
}
