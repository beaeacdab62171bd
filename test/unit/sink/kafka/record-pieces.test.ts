/** Records as lines of JSON, and what was read of a topic in pieces. */
import { expect, it } from 'vitest';
import { jsonLine } from '../../../../sink/files/json-line.js';
import { piecesOf } from '../../../../sink/kafka/record-pieces.js';

it.each([
  ['{"a":1}', '{"a":1}\n'],
  ['{\n"a":\r\n1}\n', '{ "a":\r 1} \n'],
  ['', 'null\n'],
  [' \t\r\n', 'null\n'],
  ['{"a":"x\ny"}', '\u0001{"a":"x y"}\n'],
  ['{"a":1}\n{"a":2}', '{"a":1} {"a":2}\n'],
  ['no\n', 'no \n'],
])('the record %j is a line that is JSON if the record is', (record, line) =>
  expect(jsonLine(Buffer.from(record)).toString()).toBe(line),
);

it('pieces follow one another: each ends behind its last record, in the leader epoch of that', () => {
  const record = (offset: bigint, value: string, leaderEpoch = 1) => ({
    offset,
    leaderEpoch,
    value: Buffer.from(value),
  });
  const records = [record(10n, 'a'), record(12n, 'b'), record(13n, 'c', 2), record(20n, 'd', 4)];
  const read = { partition: 0, records, from: { leaderEpoch: 0, offset: 9n }, to: { leaderEpoch: 5, offset: 30n } };
  const shown = (first: number, others: number) =>
    piecesOf(read, first, others).map((piece) => [
      piece.records.map(({ value }) => value.toString()).join(''),
      piece.from,
      piece.to,
    ]);
  expect(shown(1, 2)).toEqual([
    ['a', { leaderEpoch: 0, offset: 9n }, { leaderEpoch: 1, offset: 11n }],
    ['bc', { leaderEpoch: 1, offset: 11n }, { leaderEpoch: 2, offset: 14n }],
    ['d', { leaderEpoch: 2, offset: 14n }, { leaderEpoch: 5, offset: 30n }],
  ]);
  expect(shown(4, 4)).toEqual([['abcd', read.from, read.to]]);
  expect(piecesOf({ ...read, records: [] }, 1, 1)).toEqual([{ ...read, records: [] }]);
});
