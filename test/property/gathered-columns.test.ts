/** Rows of decoded columns in arrays of their own: every value is the one that it was, bit by bit. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { PrimitiveType } from '../../iceberg/index.js';
import { type Column, gather, type Numbers, type Piece, valueAt } from '../../online/parts/column.js';
import { runs } from '../support/property-runs.js';

const ROWS = 40;

interface Stored {
  readonly type: PrimitiveType;
  readonly column: Column;
}

const validity = fc.option(fc.uint8Array({ minLength: Math.ceil(ROWS / 8), maxLength: Math.ceil(ROWS / 8) }));

function fixed(type: PrimitiveType, like: new (bytes: ArrayBuffer) => Numbers, width: number): fc.Arbitrary<Stored> {
  const size = ROWS * width * new like(new ArrayBuffer(8)).BYTES_PER_ELEMENT;
  return fc.tuple(fc.uint8Array({ minLength: size, maxLength: size }), validity).map(([bytes, bits]) => {
    const values = new like(Uint8Array.from(bytes).buffer);
    return { type, column: { storage: 'fixed', values, width, validity: bits } };
  });
}

const bytes = (kind: 'string' | 'binary'): fc.Arbitrary<Stored> => {
  const value = fc.oneof(fc.string({ unit: 'grapheme' }), fc.string({ minLength: 60, maxLength: 200 }));
  return fc.tuple(fc.array(value, { minLength: ROWS, maxLength: ROWS }), validity).map(([values, bits]) => {
    const offsets = new Int32Array(ROWS + 1);
    for (const [row, text] of values.entries()) offsets[row + 1] = (offsets[row] as number) + Buffer.byteLength(text);
    return {
      type: { kind },
      column: { storage: 'bytes', data: Buffer.from(values.join('')), offsets, validity: bits },
    };
  });
};

const rowsOf = fc.option(fc.array(fc.nat(ROWS - 1), { maxLength: 2 * ROWS }).map((rows) => Int32Array.from(rows)));

it.each<[string, fc.Arbitrary<Stored>]>([
  ['boolean', fixed({ kind: 'boolean' }, Uint8Array, 1)],
  ['int', fixed({ kind: 'int' }, Int32Array, 1)],
  ['float', fixed({ kind: 'float' }, Float32Array, 1)],
  ['double', fixed({ kind: 'double' }, Float64Array, 1)],
  ['long', fixed({ kind: 'long' }, BigInt64Array, 1)],
  ['decimal', fixed({ kind: 'decimal', precision: 38, scale: 0 }, BigInt64Array, 2)],
  ['uuid', fixed({ kind: 'uuid' }, Uint8Array, 16)],
  ['fixed', fixed({ kind: 'fixed', length: 3 }, Uint8Array, 3)],
  ['string', bytes('string')],
  ['binary', bytes('binary')],
])('%s', (_, stored) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(stored, rowsOf), { minLength: 1, maxLength: 4 }), (pieces) => {
      const given = pieces.map(
        ([{ column }, rows]): Piece => ({ column, rows, count: rows === null ? ROWS : rows.length }),
      );
      const expected = pieces.flatMap(([{ type, column }, rows]) =>
        Array.from(rows ?? Array.from({ length: ROWS }, (_, row) => row), (row) => valueAt(type, column, row)),
      );
      const type = (pieces[0] as (typeof pieces)[number])[0].type;
      const gathered = gather(given, expected.length);
      expect(expected.map((_, row) => valueAt(type, gathered, row))).toEqual(expected);
    }),
    { numRuns: runs(30) },
  );
});
