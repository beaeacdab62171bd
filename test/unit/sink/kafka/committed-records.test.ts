/** Which fetched records count: the rules of Java's consumer under `read_committed`. */
import type { RecordsBatch } from '@platformatic/kafka';
import { expect, it } from 'vitest';
import { committedRecords } from '../../../../sink/kafka/committed-records.js';

const [TRANSACTIONAL, CONTROL] = [16, 32];
const NOTHING = Buffer.alloc(0);

interface BatchOptions {
  readonly producerId?: bigint;
  readonly attributes?: number;
  readonly key?: Buffer;
  readonly epoch?: number;
  readonly magic?: number;
  /** Offsets of the batch; the records may be fewer. */
  readonly length?: number;
}

/** A batch with records at these offsets, whose values are their offsets. */
function batch(firstOffset: bigint, deltas: readonly number[], options: BatchOptions = {}): RecordsBatch {
  const { producerId = -1n, attributes = 0, key = NOTHING, epoch = 3, magic = 2, length } = options;
  return {
    ...{ firstOffset, length: 0, partitionLeaderEpoch: epoch, magic, crc: 0, attributes },
    ...{ lastOffsetDelta: (length ?? deltas.length) - 1, firstTimestamp: 0n, maxTimestamp: 0n },
    ...{ producerId, producerEpoch: 0, firstSequence: 0 },
    records: deltas.map((offsetDelta) => ({
      ...{ length: 0, attributes: 0, timestampDelta: 0n, offsetDelta, key, headers: [] },
      value: Buffer.from(String(firstOffset + BigInt(offsetDelta))),
    })),
  };
}
const transaction = (first: bigint, deltas: readonly number[], producerId: bigint) =>
  batch(first, deltas, { producerId, attributes: TRANSACTIONAL });
/** Version 0, then 0 for an abort and 1 for a commit. */
const marker = (offset: bigint, producerId: bigint, type: 0 | 1) =>
  batch(offset, [0], { producerId, attributes: TRANSACTIONAL | CONTROL, key: Buffer.of(0, 0, 0, type) });

const from = (offset: bigint) => ({ leaderEpoch: 1, offset });
const offsetsOf = ({ records }: ReturnType<typeof committedRecords>) => records.map(({ offset }) => offset);

it('records before the position, control records and gaps are left out, and the position lies behind all of them', () => {
  const batches = [
    batch(10n, [0, 1, 2, 3]),
    batch(14n, [0, 5], { length: 8, epoch: 4 }),
    marker(22n, 7n, 1),
    batch(23n, [0], { epoch: 5 }),
  ];
  const read = committedRecords({ batches, aborted: [] }, from(12n));
  expect(read.records.map(({ offset, leaderEpoch, value }) => [offset, leaderEpoch, value.toString()])).toEqual([
    [12n, 3, '12'],
    [13n, 3, '13'],
    [14n, 4, '14'],
    [19n, 4, '19'],
    [23n, 5, '23'],
  ]);
  expect(read.next).toEqual({ leaderEpoch: 5, offset: 24n });
});

it('a producer that aborts twice and commits then has its last records read', () => {
  const batches = [
    ...[transaction(0n, [0, 1], 7n), marker(2n, 7n, 0), transaction(3n, [0], 7n), marker(4n, 7n, 0)],
    ...[transaction(5n, [0, 1], 7n), marker(7n, 7n, 1)],
  ];
  const aborted = [
    { producerId: 7n, firstOffset: 3n },
    { producerId: 7n, firstOffset: 0n },
  ];
  const read = committedRecords({ batches, aborted }, from(0n));
  expect(offsetsOf(read)).toEqual([5n, 6n]);
  expect(read.next.offset).toBe(8n);
});

it('an answer that ends before the marker leaves out the aborted records that it has, and others of that time not', () => {
  const batches = [transaction(0n, [0, 1], 7n), transaction(2n, [0], 8n), batch(3n, [0], { producerId: 7n })];
  const read = committedRecords({ batches, aborted: [{ producerId: 7n, firstOffset: 0n }] }, from(0n));
  expect(offsetsOf(read)).toEqual([2n, 3n]);
});

it('an answer without batches leaves the position where it is, and older formats are refused', () => {
  expect(committedRecords({ batches: [], aborted: [] }, from(9n))).toEqual({ records: [], next: from(9n) });
  const old = { batches: [batch(9n, [0], { magic: 1 })], aborted: [] };
  expect(() => committedRecords(old, from(9n))).toThrow('Offset 9 has the record format 1, not 2.');
});
