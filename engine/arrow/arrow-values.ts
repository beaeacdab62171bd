/** Values in the buffers of Arrow data: which of them are there, and the bytes of texts. Pure. */
import type { Data, Vector } from 'apache-arrow';
import { MoraineError } from '../../errors/index.js';

/** Whether there are nulls in a column, or inside of its values. */
export const hasNulls = (data: Data): boolean =>
  data.nullCount > 0 || (data.dictionary?.nullCount ?? 0) > 0 || data.children.some(hasNulls);

/** What says whether a row has a value; null: all have. A valid key of a dictionary may be that of a null. */
export function validRows(data: Data): ((row: number) => boolean) | null {
  const { dictionary: entries } = data;
  if (entries === undefined || entries.nullCount === 0)
    return data.nullCount === 0 ? null : (row) => data.getValid(row);
  const keys = data.values as ArrayLike<number | bigint>;
  return (row) => data.getValid(row) && entries.isValid(Number(keys[row]));
}

/** Gives the bytes of a row's value. */
export type BytesAt = (data: Data) => (row: number) => Uint8Array;

/** Texts and bytes of any length. */
export const variable: BytesAt = (data) => {
  const offsets = data.valueOffsets as Int32Array | BigInt64Array;
  const values = data.values as Uint8Array;
  return (row) => values.subarray(Number(offsets[row]), Number(offsets[row + 1]));
};

/** Bytes of one width. */
export const fixedBytes =
  (width: number): BytesAt =>
  (data) => {
    const values = data.values as Uint8Array;
    return (row) => values.subarray(row * width, (row + 1) * width);
  };

/** The bytes of a dictionary's entries. Deltas are further pieces of it. */
export function entriesOf(entries: Vector): (key: number) => Uint8Array {
  const pieces = entries.data.map((data: Data) => ({ bytesAt: variable(data), length: data.length }));
  return (key) => {
    let place = key;
    for (const { bytesAt, length } of pieces) {
      if (place < length) return bytesAt(place);
      place -= length;
    }
    throw new MoraineError('TYPE_MISMATCH', `A dictionary of ${entries.length} entries has none with the key ${key}.`);
  };
}
