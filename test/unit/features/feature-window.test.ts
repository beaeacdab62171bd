/** Retrieval without entity rows. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { failureOf } from '../../support/error-code.js';
import { FeatureLab } from '../../support/feature-lab.js';

let lab: FeatureLab;
const SECOND = 1_000_000n;
const T0 = BigInt(Date.parse('2001-01-01T00:00:00Z')) * 1000n;
const at = (seconds: number): string =>
  new Date(Number(T0 / 1000n) + seconds * 1000).toISOString().replace('Z', '000Z');

beforeAll(async () => {
  lab = await FeatureLab.open();
  const time = (column: string) => `TIMESTAMPTZ '2001-01-01 00:00:00Z' + to_seconds(${column})`;
  await lab.createTable('demo.a', { k: 'int', at: 'timestamptz', created: 'timestamptz', x: 'long' });
  await lab.append(
    'demo.a',
    `SELECT k, ${time('s')}, ${time('c')}, x FROM (VALUES (1, 0, 0, 10), (1, 10, 11, 11), (1, 10, 10, 12), (2, 20, 20, 20),
      (NULL, 15, 15, 99), (2, NULL, 0, 21), (2, 30, 30, 22)) AS v(k, s, c, x)`,
  );
  await lab.createTable('demo.b', { k: 'long', j: 'string', at: 'timestamp', y: 'string' });
  await lab.append(
    'demo.b',
    `SELECT k, j, (${time('s')}) AT TIME ZONE 'UTC', y FROM (VALUES (1, 'p', 5, 'early'), (1, 'q', 12, 'q'), (2, 'p', 100, 'late')) AS v(k, j, s, y)`,
  );
  await lab.createTable('demo.c', { at: 'timestamp_ns', z: 'long' });
  await lab.append('demo.c', `SELECT TIMESTAMP_NS '2001-01-01 00:00:10.000000001', 7`);
  lab.define({
    entities: [
      { name: 'thing', joinKeys: ['k'] },
      { name: 'other', joinKeys: ['j'] },
    ],
    featureViews: [
      {
        name: 'a',
        entities: ['thing'],
        source: { table: 'demo.a', timestampField: 'at', createdTimestampField: 'created' },
        ttl: '20s',
      },
      { name: 'b', entities: ['thing', 'other'], source: { table: 'demo.b', timestampField: 'at' } },
      { name: 'c', source: { table: 'demo.c', timestampField: 'at' } },
    ],
  });
});
afterAll(() => lab.close());

const window = (from: number, to: number) => ({
  window: { startUs: T0 + BigInt(from) * SECOND, endUs: T0 + BigInt(to) * SECOND },
});

test('one view: every row of the window as it is, both ends included, tied rows too, by time and keys', async () => {
  const answer = await lab.historical({ features: ['a:x'], entities: window(10, 20) });
  expect(answer.rows).toEqual([
    { k: 1, event_timestamp: at(10), x: 11 },
    { k: 1, event_timestamp: at(10), x: 12 },
    { k: null, event_timestamp: at(15), x: 99 },
    { k: 2, event_timestamp: at(20), x: 20 },
  ]);
  expect(answer.columns).toEqual(['k int', 'event_timestamp timestamptz', 'x long']);
  expect([...answer.snapshots.keys()]).toEqual(['demo.a']);
  const inside = { window: { startUs: T0 + 10n * SECOND + 1n, endUs: T0 + 20n * SECOND - 1n } };
  expect((await lab.historical({ features: ['a:x'], entities: inside })).rows.map((row) => row.x)).toEqual([99]);
});

test('knownAsOf leaves out rows that were created after their own time', async () => {
  const answer = await lab.historical({ features: ['a:x'], entities: window(0, 10), knownAsOf: true });
  expect(answer.rows.map((row) => row.x)).toEqual([10, 12]);
});

test('several views: each distinct key and time once, every view as of that time, also from before the window', async () => {
  const answer = await lab.historical({ features: ['a:x', 'b:y'], entities: window(10, 20) });
  expect(answer.rows).toEqual([
    { k: 1, j: null, event_timestamp: at(10), x: 11, y: null },
    { k: 1, j: 'q', event_timestamp: at(12), x: 11, y: 'q' },
    { k: null, j: null, event_timestamp: at(15), x: null, y: null },
    { k: 2, j: null, event_timestamp: at(20), x: 20, y: null },
  ]);
  expect(answer.columns).toEqual(['k long', 'j string', 'event_timestamp timestamptz', 'x long', 'y string']);
  const mapped = await lab.historical({
    features: [{ view: 'b', alias: 'one', features: ['y'], joinKeyMap: new Map([['j', 'jj']]) }, 'a:x'],
    entities: window(12, 12),
    fullFeatureNames: true,
  });
  expect(mapped.rows).toEqual([{ k: 1, jj: 'q', event_timestamp: at(12), one__y: 'q', a__x: 11 }]);
});

test('a view without keys, nanoseconds, and times of the finer unit where views differ', async () => {
  const alone = await lab.historical({ features: ['c:z'], entities: window(10, 11) });
  expect(alone.rows).toEqual([{ event_timestamp: '2001-01-01T00:00:10.000000001', z: 7 }]);
  expect((await lab.historical({ features: ['c:z'], entities: window(9, 10) })).rows).toEqual([]);
  const both = await lab.historical({ features: ['b:y', 'c:z'], entities: window(10, 12) });
  expect(both.columns[2]).toBe('event_timestamp timestamptz_ns');
  expect(both.rows).toEqual([
    { k: null, j: null, event_timestamp: '2001-01-01T00:00:10.000000001Z', y: null, z: 7 },
    { k: 1, j: 'q', event_timestamp: '2001-01-01T00:00:12.000000000Z', y: 'q', z: 7 },
  ]);
});

test('a window is completed as Feast does: the end is now, the start the longest ttl before it, else 30 days', async () => {
  const days = async (features: string[], endUs?: bigint) =>
    (await lab.historical({ features, entities: { window: endUs === undefined ? {} : { endUs } } })).rows.length;
  expect(await days(['a:x'])).toBe(0);
  // a: ttl 20 s, so the window is 10..30 s.
  expect(await days(['a:x'], T0 + 30n * SECOND)).toBe(5);
  expect(await days(['b:y'], T0 + 30n * 86_400n * SECOND + 5n * SECOND)).toBe(3);
  expect(await days(['b:y'], T0 + 30n * 86_400n * SECOND + 5n * SECOND + 1n)).toBe(2);
  const error = await failureOf(lab.historical({ features: ['a:x'], entities: window(2, 1) }));
  expect([error.code, error.message]).toEqual(['INVALID_ARGUMENT', 'The window ends before it starts.']);
});
