/** Joins where half of both sides is one entity, or where there are few entities or none. Pairs of rows would be the square of the rows. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { explainHistoricalFeatures, type HistoricalRequest } from '../../../features/index.js';
import { FeatureLab } from '../../support/feature-lab.js';

const ROWS = 4000;
/** Every second row is of entity 0, one for each second; the others are each of an entity of its own. */
const KEY = '(CASE WHEN n % 2 = 0 THEN 0 ELSE n END)::BIGINT';
const time = (seconds: string): string =>
  `TIMESTAMPTZ '2001-01-01 00:00:00Z' + to_microseconds((${seconds}) * 1000000)`;

let lab: FeatureLab;
beforeAll(async () => {
  lab = await FeatureLab.open();
  const columns = { k: 'long', at: 'timestamptz', created: 'timestamptz', x: 'long' };
  await lab.createTable('demo.skewed', columns);
  // Known 5 s later, but of entity 0 every tenth row 1,000 s later.
  const late = 'n + CASE WHEN n % 20 = 0 THEN 1000 ELSE 5 END';
  await lab.append('demo.skewed', `SELECT ${KEY}, ${time('n')}, ${time(late)}, n FROM range(${ROWS}) v(n)`);
  await lab.createTable('demo.tied', columns);
  // Entity 0 has ten times, each 200 times, created one after the other: the row of time d that is created at n has the value n.
  const tied = `SELECT ${KEY}, ${time('n // 400')}, ${time('n + 10')}, n FROM range(${ROWS}) v(n)`;
  await lab.append('demo.tied', tied);
  // Nothing but the value tells these from those.
  const larger = `SELECT k, happened, created, x + 1 FROM (${tied}) AS t(k, happened, created, x)`;
  await lab.append('demo.tied', `${tied} UNION ALL ${larger}`);
  await lab.createTable('demo.frame', { k: 'long', event_timestamp: 'timestamptz', n: 'long' });
  await lab.append('demo.frame', `SELECT ${KEY}, ${time('n')} + to_microseconds(500000), n FROM range(${ROWS}) v(n)`);
  const view = (name: string, table: string, entities: readonly string[]) => ({
    name,
    entities,
    source: { table, timestampField: 'at', createdTimestampField: 'created' },
    features: ['x'],
  });
  lab.define({
    entities: [{ name: 'thing', joinKeys: ['k'] }],
    featureViews: [
      view('skewed', 'demo.skewed', ['thing']),
      view('tied', 'demo.tied', ['thing']),
      view('all', 'demo.skewed', []),
    ],
  });
});
afterAll(() => lab.close());

const frame = { table: 'demo.frame' };
const retrieve = async (feature: string, more: Partial<HistoricalRequest> = {}) => {
  const { rows, methods } = await lab.historical({ features: [feature], entities: frame, ...more });
  return { methods, values: rows.map(({ n, x }) => [n, x]) };
};
const answers = (valueOf: (n: number) => number | null) => Array.from({ length: ROWS }, (_, n) => [n, valueOf(n)]);

test('an entity that is half of both sides is joined by sorting', async () => {
  expect(await retrieve('skewed:x')).toEqual({ methods: ['asof-join-back'], values: answers((n) => n) });
});

test('an entity that is frequent in the frame alone does not change the join', async () => {
  const at = (k: number) => ({ k, event_timestamp: '2001-01-02T00:00:00Z' });
  const keys = [...Array.from({ length: 400 }, () => 1), ...Array.from({ length: 300 }, (_, index) => 2 * index + 1)];
  const { rows, methods } = await lab.historical({ features: ['skewed:x'], entities: { rows: keys.map(at) } });
  expect([methods, rows.map(({ x }) => x)]).toEqual([['arg-max'], keys]);
});

test('of an entity that is half of both sides only rows count that were known', async () => {
  const newest = (n: number): number | null => {
    if (n % 2 === 1) return null;
    // The newest even second that is 5 s ago or more, unless its row came late.
    const known = n - 6;
    if (known <= 0) return null;
    return known % 20 === 0 ? known - 2 : known;
  };
  const values = answers(newest);
  expect(await retrieve('skewed:x', { knownAsOf: true })).toEqual({ methods: ['asof-join-back'], values });
});

test('without entities only rows count that were known', async () => {
  const values = answers((n) => {
    const known = n - 5;
    if (known <= 0) return null;
    return known % 20 === 0 ? known - 1 : known;
  });
  expect(await retrieve('all:x', { knownAsOf: true })).toEqual({ methods: ['asof-join-back'], values });
});

test('of many rows of one entity and time the newest created wins, then the later commit, then the larger value', async () => {
  // Of entity 0 the time d counts from second d on. The last of its 200 rows is that of 400 d + 398, and larger by one in the later commit.
  const newest = (n: number): number => (n % 2 === 1 ? n + 1 : Math.min(n, 9) * 400 + 399);
  expect(await retrieve('tied:x')).toEqual({ methods: ['asof-join-back'], values: answers(newest) });
});

test('of many rows of one entity and time the newest that was known wins', async () => {
  const values = answers((n) => (n % 2 === 1 || n < 10 ? null : n - 9));
  expect(await retrieve('tied:x', { knownAsOf: true })).toEqual({ methods: ['asof-join-back'], values });
});

test('explaining counts the rows that a value decides, whatever the join', async () => {
  const ties = async (feature: string, knownAsOf: boolean) => {
    const { views } = await explainHistoricalFeatures(lab.deps, { features: [feature], entities: frame, knownAsOf });
    return [...views.values()].map(({ method, tiesDecidedByValue }) => [method, tiesDecidedByValue]);
  };
  expect(await ties('skewed:x', false)).toEqual([['asof-join-back', 0]]);
  // Every row of the second commit has a twin that is larger by one.
  expect(await ties('tied:x', false)).toEqual([['asof-join-back', ROWS]]);
  // Entity 0 from second 10 on; each other entity's only row is created after the frame's.
  expect(await ties('tied:x', true)).toEqual([['asof-join-back', ROWS / 2 - 5]]);
});
