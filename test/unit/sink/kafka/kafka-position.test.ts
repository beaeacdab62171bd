/** Positions in Kafka: their names, and when a log no longer goes on at one. */
import { expect, it } from 'vitest';
import {
  markOf,
  partitionsOf,
  positionOf,
  requirePositionInLog,
  requireSameTopic,
  sourcePartitionOf,
} from '../../../../sink/kafka/kafka-position.js';

const NOW = { clusterId: 'c1', topic: 'uplinks', topicId: 't1' };
const AT = { leaderEpoch: 2, offset: 100n };

it('a position survives as an offset and a mark', () => {
  for (const position of [AT, { leaderEpoch: -1, offset: 0n }])
    expect(positionOf(position.offset, markOf(position))).toEqual(position);
  expect(positionOf(5n, undefined)).toEqual({ leaderEpoch: -1, offset: 5n });
});

it('of the positions of a sink those of the topic as it exists are found', () => {
  const others = [
    sourcePartitionOf({ ...NOW, topicId: 't0' }, 4),
    sourcePartitionOf({ ...NOW, topic: 'other' }, 5),
    'file:ab/3',
  ];
  const positions = new Map([
    [sourcePartitionOf(NOW, 0), 'a'],
    [sourcePartitionOf(NOW, 12), 'b'],
    ...others.map((name) => [name, 'x'] as const),
  ]);
  expect([...partitionsOf(positions, NOW)]).toEqual([
    [0, 'a'],
    [12, 'b'],
  ]);
});

it('a topic of that name with another id, or in another cluster, is another topic', () => {
  const committed = new Map([[sourcePartitionOf(NOW, 3), AT]]);
  expect(() => requireSameTopic(committed, NOW)).not.toThrow();
  expect(() => requireSameTopic(committed, { ...NOW, topic: 'other', topicId: 't2' })).not.toThrow();
  for (const now of [
    { ...NOW, topicId: 't2' },
    { ...NOW, clusterId: 'c2' },
  ])
    expect(() => requireSameTopic(committed, now)).toThrow(
      'The table has partition 3 of topic uplinks with id t1 of cluster c1 up to offset 100 (leader epoch 2); ' +
        `now uplinks has the id ${now.topicId} in cluster ${now.clusterId}: it was made anew.`,
    );
});

it.each([
  ['its beginning', 100n, 200n, 150n, null],
  ['its end', 0n, 100n, 100n, null],
  ['an epoch that nobody knows', 0n, 200n, -1n, null],
  [
    'records that are gone',
    101n,
    200n,
    150n,
    'and the log begins at offset 101: the records between were deleted unread.',
  ],
  ['an end before it', 0n, 99n, 99n, 'and the log ends at offset 99: it was truncated.'],
  [
    'an epoch that ends before it',
    0n,
    200n,
    99n,
    'and that epoch ends at offset 99: the log was truncated and went on elsewhere.',
  ],
])('a position at %s', (_, start, end, epochEnd, refusal) => {
  const check = () => requirePositionInLog({ topic: 'uplinks', partition: 3 }, AT, { start, end, epochEnd });
  if (refusal === null) expect(check).not.toThrow();
  else expect(check).toThrow(`The table has uplinks-3 up to offset 100 (leader epoch 2), ${refusal}`);
});
