/** States of sinks in table properties and summaries: bounded, and never read as something else. */
import { expect, test } from 'vitest';
import type { Snapshot } from '../../../iceberg/index.js';
import { newTableMetadata } from '../../../iceberg/index.js';
import { type Anchor, anchorsOf, anchorsText, stateOfSummary, summaryText } from '../../../sink/protocol/anchors.js';
import { FIXTURE_TABLE } from '../../support/table-fixture.js';

const anchor = (number: number, partitions = 1): Anchor => ({
  snapshotId: BigInt(number) + 2n ** 62n,
  sequenceNumber: BigInt(number),
  state: {
    epoch: 3n,
    owner: 'owner',
    lastBatch: { number: BigInt(number), id: `batch-${number}`, snapshotId: 2n ** 62n },
    marks: new Map(),
    pending: [],
    positions: new Map(
      Array.from({ length: partitions }, (_, index) => [`topic-${index}`, 2n ** 63n - BigInt(index + 1)]),
    ),
  },
});

const metadata = (text: string | null) => ({
  ...newTableMetadata({ ...FIXTURE_TABLE, location: '/t', tableUuid: 'u', nowMs: 0n }),
  properties: new Map(text === null ? [] : [['moraine.sink.s', text]]),
});

const snapshot = (text: string): Snapshot => ({
  snapshotId: 1n,
  sequenceNumber: 1n,
  timestampMs: 0n,
  summary: new Map([['moraine.sink', text]]),
});

function filled(count: number, partitions: number): { text: string; anchors: readonly Anchor[] } {
  let anchors: readonly Anchor[] = [];
  let text = '[]';
  for (let number = 1; number <= count; number += 1) {
    text = anchorsText([...anchors, anchor(number, partitions)]);
    anchors = anchorsOf(metadata(text), 's') ?? [];
  }
  return { text, anchors };
}

test('the newest 32 anchors are kept, exactly as they were', () => {
  const { anchors } = filled(40, 2);
  expect(anchors).toEqual(Array.from({ length: 32 }, (_, index) => anchor(index + 9, 2)));
});

test('fewer are kept of very many partitions, but two', () => {
  const some = filled(10, 1000);
  expect(some.text.length).toBeLessThanOrEqual(131_072 + 100);
  expect(some.anchors.map(({ sequenceNumber }) => sequenceNumber)).toEqual([8n, 9n, 10n]);
  expect(filled(10, 5000).anchors.map(({ sequenceNumber }) => sequenceNumber)).toEqual([9n, 10n]);
});

test.each(['x', '{}', '[{}]', '[{"snapshot-id": 1}]'])('a damaged property %s is not read as no anchors', (text) => {
  expect(anchorsOf(metadata(text), 's')).toBeNull();
  expect(anchorsOf(metadata(text), 'other')).toEqual([]);
});

test('a summary tells the state of its own sink', () => {
  const { state } = anchor(5);
  expect(stateOfSummary(snapshot(summaryText('s', state)), 's')).toEqual(state);
  expect(stateOfSummary(snapshot(summaryText('s', state)), 'other')).toBeNull();
  expect(stateOfSummary(snapshot('x'), 's')).toBeUndefined();
});

test('a summary of very many partitions is small, and says that it does not tell their positions', () => {
  const text = summaryText('s', anchor(5, 1000).state);
  expect(text.length).toBeLessThan(300);
  expect(stateOfSummary(snapshot(text), 's')).toBeUndefined();
});
