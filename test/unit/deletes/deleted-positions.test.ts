/** The positions that go into one delete file. */
import { expect, test } from 'vitest';
import { distinctPositions } from '../../../deletes/deleted-positions.js';

test('a data file may lose more rows than a set has room for', () => {
  const rows = 2 ** 24 + 1;
  function* backwards(): Generator<bigint> {
    for (let position = rows; position > 0; position--) yield BigInt(position);
  }
  const positions = distinctPositions([7n, 5n], backwards(), [0n, 7n]);
  expect([positions.length, positions.subarray(0, 3), positions.at(-1)]).toEqual([
    rows + 1,
    BigUint64Array.of(0n, 1n, 2n),
    BigInt(rows),
  ]);
});
