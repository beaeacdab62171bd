/** A comparison is cut by time into parts of about as many rows, and what they say is added up. */
import { expect, test } from 'vitest';
import { logParts, mergeComparisons } from '../../../logging/comparison-parts.js';
import { CAUSES, type CauseCounts, type DifferenceExample, type LogComparison } from '../../../logging/index.js';
import { openTableWorld } from '../../support/table-world.js';

const MINUTE_US = 60_000_000n;

test('parts follow each other, cover the window, and hold as many rows as asked for and a minute', async () => {
  const { engine } = await openTableWorld();
  // Ten rows in each of eight minutes from 1970-01-01T01:00 on, and 100 in the ninth.
  const rows =
    '(SELECT make_timestamptz((3600 + i * 6) * 1000000) AS t FROM range(80) r(i) UNION ALL SELECT make_timestamptz(4080000000) FROM range(100))';
  const parts = (relation: string, partRows: number, window = {}) =>
    engine.withConnection((connection) => logParts(connection, relation, 't', window, partRows));
  const minute = (count: bigint) => (60n + count) * MINUTE_US;
  const window = { startUs: 0n, endUs: 86_400_000_000n };
  expect(await parts(rows, 25, window)).toEqual([
    { window: { startUs: 0n, endUs: minute(3n) }, rows: 30 },
    { window: { startUs: minute(3n), endUs: minute(5n) }, rows: 20 },
    { window: { startUs: minute(5n), endUs: minute(8n) }, rows: 30 },
    { window: { startUs: minute(8n), endUs: window.endUs }, rows: 100 },
  ]);
  expect(await parts(rows, 1000)).toEqual([{ window: {}, rows: 180 }]);
  expect(await parts(`(FROM ${rows} WHERE false)`, 25, window)).toEqual([{ window, rows: 0 }]);
});

const counts = (by: Partial<CauseCounts>): CauseCounts => ({
  ...(Object.fromEntries(CAUSES.map((cause) => [cause, 0])) as Omit<CauseCounts, 'total'>),
  total: Object.values(by).reduce((sum, count) => sum + count, 0),
  ...by,
});
const example = (feature: string, cause: DifferenceExample['cause'], requestId: string): DifferenceExample => ({
  feature,
  difference: 'extra',
  cause,
  requestId,
  entity: new Map(),
  eventTimestampUs: 0n,
  status: 'PRESENT',
  served: '1',
  servedEventTimestampUs: 0n,
  offline: null,
  offlineEventTimestampUs: null,
});

test('counts are added up, examples are the first of each feature and cause', () => {
  const part = (extra: CauseCounts, matches: boolean, examples: readonly DifferenceExample[]): LogComparison => ({
    service: 'svc',
    rows: 10,
    logSnapshotId: 7n,
    sources: new Map(),
    features: [
      { name: 'b', match: 9, mismatch: counts({}), missing: counts({}), extra, notLogged: 1 },
      { name: 'a', match: 10, mismatch: counts({ late: 2 }), missing: counts({}), extra: counts({}), notLogged: 0 },
    ],
    matches,
    undatable: 1,
    examples,
  });
  const merged = mergeComparisons(
    [
      part(counts({ ttl: 1 }), false, [example('b', 'ttl', '1'), example('a', 'late', '2')]),
      part(counts({}), true, []),
      part(counts({ ttl: 2, null: 4 }), false, [
        example('b', 'null', '3'),
        example('b', 'ttl', '4'),
        example('a', 'late', '5'),
      ]),
    ],
    1,
  );
  expect(merged).toEqual({
    service: 'svc',
    rows: 30,
    logSnapshotId: 7n,
    sources: new Map(),
    features: [
      {
        name: 'b',
        match: 27,
        mismatch: counts({}),
        missing: counts({}),
        extra: counts({ ttl: 3, null: 4 }),
        notLogged: 3,
      },
      { name: 'a', match: 30, mismatch: counts({ late: 6 }), missing: counts({}), extra: counts({}), notLogged: 0 },
    ],
    matches: false,
    undatable: 3,
    examples: [example('b', 'null', '3'), example('b', 'ttl', '1'), example('a', 'late', '2')],
  });
});
