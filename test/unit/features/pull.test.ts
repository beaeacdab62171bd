/** All rows of a window and the newest of each entity, from tables and from SQL over them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ByteSink, writeRows } from '../../../engine/index.js';
import { type PulledRows, type PullRequest, pullAll, pullLatest } from '../../../features/index.js';
import { failureOf } from '../../support/error-code.js';
import { FeatureLab } from '../../support/feature-lab.js';

let lab: FeatureLab;
beforeAll(async () => {
  lab = await FeatureLab.open();
  await lab.createTable('demo.t', {
    k: 'long',
    name: 'string',
    at: 'timestamptz',
    created: 'timestamptz',
    x: 'double',
    y: 'decimal(5,2)',
  });
  await lab.append(
    'demo.t',
    `SELECT k, name, TIMESTAMPTZ '2001-01-01 00:00:00Z' + to_seconds(s), TIMESTAMPTZ '2001-01-02 00:00:00Z' + to_seconds(c), x, y
      FROM (VALUES (1, 'a', 0, 0, 1.0, 1.5), (1, 'a', 10, 2, 2.0, 2.5), (1, 'a', 10, 1, 9.0, 3.5), (2, 'b', 5, NULL, NULL, 4.5),
        (NULL, 'c', 5, 0, 5.0, 5.5), (3, 'd', 20, 0, 6.0, 6.5), (1, 'z', NULL, 0, 7.0, 7.5)) AS v(k, name, s, c, x, y)`,
  );
  // Of rows tied in both times the later commit wins, though its value is smaller.
  await lab.append(
    'demo.t',
    `SELECT 3, 'd', TIMESTAMPTZ '2001-01-01 00:00:20Z', TIMESTAMPTZ '2001-01-02 00:00:00Z', 0.0, 0`,
  );
  await lab.createTable('demo.ns', { k: 'long', at: 'timestamp_ns', x: 'long' });
  await lab.append(
    'demo.ns',
    `SELECT 1, TIMESTAMP_NS '2001-01-01 00:00:10.000000000', 1 UNION ALL SELECT 2, TIMESTAMP_NS '2001-01-01 00:00:10.000000001', 2`,
  );
});
afterAll(() => lab.close());

const second = (s: number): bigint => (BigInt(Date.parse('2001-01-01T00:00:00Z')) / 1000n + BigInt(s)) * 1_000_000n;
const read = async ({ connection, select, schema }: PulledRows): Promise<unknown[][]> => {
  let text = '';
  const sink: ByteSink = {
    write: (bytes) => {
      text += Buffer.from(bytes).toString('utf8');
      return Promise.resolve();
    },
  };
  await writeRows(connection, select, schema, 'jsonl', sink);
  const lines = text.split('\n').filter((line) => line !== '');
  return lines
    .map((line) => Object.entries(JSON.parse(line) as object).map(([name, value]) => `${name}=${value}`))
    .sort();
};
const TABLE = { source: { table: 'demo.t' }, joinKeys: ['k'], features: ['x'], timestampField: 'at' };
const all = (request: Partial<PullRequest>) => pullAll(lab.deps, { ...TABLE, ...request }, read);
const latest = (request: Partial<PullRequest>) => pullLatest(lab.deps, { ...TABLE, ...request }, read);
const at = (s: number) => `at=2001-01-01T00:00:${String(s).padStart(2, '0')}.000000Z`;

describe.each([
  ['a table', {}],
  ['SQL', { source: { query: { sql: 'SELECT * FROM demo.t' } } }],
])('%s', (_name, source) => {
  test('all rows of a window that is closed at both ends', async () => {
    expect(await all({ ...source, startUs: second(5), endUs: second(10) })).toEqual([
      ['k=1', 'x=2', at(10)],
      ['k=1', 'x=9', at(10)],
      ['k=2', 'x=null', at(5)],
      ['k=null', 'x=5', at(5)],
    ]);
    expect(await all({ ...source, startUs: second(5) + 1n, endUs: second(10) - 1n })).toEqual([]);
  });

  test('without a window all rows there are, those without a time too', async () => {
    expect((await all({ ...source, features: [] })).map((row) => row.join())).toEqual([
      `k=1,${at(0)}`,
      `k=1,${at(10)}`,
      `k=1,${at(10)}`,
      'k=1,at=null',
      `k=2,${at(5)}`,
      `k=3,${at(20)}`,
      `k=3,${at(20)}`,
      `k=null,${at(5)}`,
    ]);
  });

  test('the newest row of each entity: the larger created wins, null created loses, null keys are nobody', async () => {
    expect(await latest({ ...source, createdTimestampField: 'created', endUs: second(19) })).toEqual([
      ['k=1', 'x=2', at(10), 'created=2001-01-02T00:00:02.000000Z'],
      ['k=2', 'x=null', at(5), 'created=null'],
    ]);
    expect(await latest({ ...source, startUs: second(0), endUs: second(9) })).toEqual([
      ['k=1', 'x=1', at(0)],
      ['k=2', 'x=null', at(5)],
    ]);
  });
});

test('among rows tied in time the later commit wins; SQL has no commits, so that the larger value does', async () => {
  const window = { startUs: second(20), endUs: second(20) };
  expect(await latest(window)).toEqual([['k=3', 'x=0', at(20)]]);
  expect(await latest({ ...window, source: { query: { sql: 'SELECT * FROM demo.t' } } })).toEqual([
    ['k=3', 'x=6', at(20)],
  ]);
});

test('several keys, no key, and every other column when no feature is named', async () => {
  expect(await latest({ joinKeys: ['name', 'k'], features: ['y'], endUs: second(5) })).toEqual([
    ['name=a', 'k=1', 'y=1.5', at(0)],
    ['name=b', 'k=2', 'y=4.5', at(5)],
  ]);
  expect(await latest({ joinKeys: [], features: ['x'] })).toEqual([['x=0', at(20)]]);
  await pullAll(
    lab.deps,
    { source: TABLE.source, joinKeys: ['k'], timestampField: 'at' },
    async ({ schema, sources }) => {
      expect(schema.fields.map((field) => field.name)).toEqual(['k', 'name', 'created', 'x', 'y', 'at']);
      const { metadata } = await lab.table('demo.t');
      expect(sources.get('demo.t')).toEqual({
        snapshotId: metadata.currentSnapshotId,
        schemaId: 0,
        tableUuid: metadata.tableUuid,
      });
    },
  );
});

test('a window in microseconds over a table in nanoseconds cuts nothing', async () => {
  const rows = await all({ source: { table: 'demo.ns' }, endUs: second(10) });
  expect(rows).toEqual([['k=1', 'x=1', 'at=2001-01-01T00:00:10.000000000']]);
});

test('a window that reaches beyond the years of nanoseconds has all rows, or none', async () => {
  const [from, to] = [
    BigInt(Date.parse('1500-01-01T00:00:00Z')) * 1000n,
    BigInt(Date.parse('2300-01-01T00:00:00Z')) * 1000n,
  ];
  const both = [
    ['k=1', 'x=1', 'at=2001-01-01T00:00:10.000000000'],
    ['k=2', 'x=2', 'at=2001-01-01T00:00:10.000000001'],
  ];
  const source = { table: 'demo.ns' };
  for (const window of [{ startUs: from }, { endUs: to }, { startUs: from, endUs: to }]) {
    expect(await all({ source, ...window })).toEqual(both);
    expect(await latest({ source, ...window })).toEqual(both);
  }
  expect(await all({ source, endUs: from })).toEqual([]);
  expect(await all({ source, startUs: to })).toEqual([]);
});

test('mistakes are named before anything is read', async () => {
  const error = async (request: Partial<PullRequest>) => {
    const { code, message } = await failureOf(all(request));
    return `${code}: ${message}`;
  };
  expect(await error({ joinKeys: ['kk'] })).toMatch(/^COLUMN_NOT_FOUND: The source has no column 'kk'/);
  expect(await error({ timestampField: 'x' })).toBe(
    "TYPE_MISMATCH: Column 'x' of the source is of type double, not a timestamp.",
  );
  expect(await error({ features: ['k'] })).toMatch(/^DUPLICATE_NAME: Column 'k' is asked for twice/);
  expect(await error({ startUs: 2n, endUs: 1n })).toBe('INVALID_ARGUMENT: The window ends before it starts.');
  expect(await error({ source: { table: 'demo.gone' } })).toMatch(/^TABLE_NOT_FOUND/);
  expect(await error({ source: { table: 'demo.t', asOf: { snapshotId: 1n } } })).toMatch(
    /^SNAPSHOT_NOT_FOUND: Table demo.t: There is no snapshot 1/,
  );
});
