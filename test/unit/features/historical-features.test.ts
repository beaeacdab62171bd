import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JoinMethod } from '../../../features/index.js';
import { failureOf } from '../../support/error-code.js';
import { FeatureLab } from '../../support/feature-lab.js';

let lab: FeatureLab;
beforeAll(async () => {
  lab = await FeatureLab.open();
  await lab.createTable('demo.delays', {
    origin: 'string',
    event_ts: 'timestamptz',
    created: 'timestamptz',
    mean_delay: 'double',
    flights: 'long',
  });
  await lab.append(
    'demo.delays',
    `SELECT * FROM (VALUES
      ('A', TIMESTAMPTZ '2001-01-01 10:00:00Z', TIMESTAMPTZ '2001-01-01 10:05:00Z', 1.0, 10),
      ('A', TIMESTAMPTZ '2001-01-01 12:00:00Z', TIMESTAMPTZ '2001-01-01 12:05:00Z', NULL, 20),
      ('A', TIMESTAMPTZ '2001-01-01 12:00:00Z', NULL, 9.0, 21),
      ('B', TIMESTAMPTZ '2001-01-01 10:00:00Z', TIMESTAMPTZ '2001-01-01 10:05:00Z', 3.0, 30),
      (NULL, TIMESTAMPTZ '2001-01-01 10:00:00Z', NULL, 4.0, 40),
      ('A', NULL, NULL, 5.0, 50))`,
  );
  await lab.createTable('demo.routes', {
    origin: 'string',
    destination: 'int',
    at: 'timestamp_ns',
    distance: 'decimal(9,2)',
    km: 'int',
  });
  await lab.append(
    'demo.routes',
    `SELECT * FROM (VALUES
      ('A', 1, TIMESTAMP_NS '2001-01-01 10:00:00.000000001', 12.34, 7),
      ('A', 23, TIMESTAMP_NS '2001-01-01 09:00:00.000000000', 99.99, 8))`,
  );
  await lab.createTable('demo.weather', { at: 'timestamp', rain: 'boolean' });
  await lab.append(
    'demo.weather',
    `SELECT TIMESTAMP '2001-01-01 09:30:00', true UNION ALL SELECT TIMESTAMP '2001-01-01 11:30:00', false`,
  );
  await lab.createTable('demo.empty', { origin: 'string', at: 'timestamp', x: 'long' });
  lab.define({
    entities: [
      { name: 'airport', joinKeys: ['origin'] },
      { name: 'target', joinKeys: ['destination'] },
    ],
    featureViews: [
      {
        name: 'delays',
        entities: ['airport'],
        source: { table: 'demo.delays', timestampField: 'event_ts', createdTimestampField: 'created' },
        ttl: '2h',
      },
      {
        name: 'for_ever',
        entities: ['airport'],
        source: { table: 'demo.delays', timestampField: 'event_ts' },
        features: ['flights'],
      },
      {
        name: 'routes',
        entities: ['airport', 'target'],
        source: { table: 'demo.routes', timestampField: 'at', fieldMapping: { distance: 'miles' } },
        features: ['miles', { name: 'km', type: 'long' }],
      },
      { name: 'weather', source: { table: 'demo.weather', timestampField: 'at' } },
      { name: 'nothing', entities: ['airport'], source: { table: 'demo.empty', timestampField: 'at' } },
    ],
    featureServices: [{ name: 'departures', features: ['delays:mean_delay', 'weather'] }],
  });
});
afterAll(() => lab.close());

const at = (origin: string | null, time: string, more: object = {}) => ({ origin, event_timestamp: time, ...more });
const delaysOf = async (rows: Record<string, string | null>[], more: object = {}) =>
  (await lab.historical({ features: ['delays:mean_delay', 'delays:flights'], entities: { rows }, ...more })).rows.map(
    (row) => [row.mean_delay, row.flights],
  );

describe.each<JoinMethod>(['arg-max', 'max-join-back', 'asof-join-back'])('%s', (method) => {
  test('the newest row at or before T, not older than the ttl, both ends closed at the microsecond', async () => {
    const rows = [
      at('B', '2001-01-01T09:59:59.999999Z'),
      at('B', '2001-01-01T10:00:00.000000Z'),
      at('B', '2001-01-01T12:00:00.000000Z'),
      at('B', '2001-01-01T12:00:00.000001Z'),
    ];
    expect(await delaysOf(rows, { method })).toEqual([
      [null, null],
      [3, 30],
      [3, 30],
      [null, null],
    ]);
  });

  test('newest created wins a tie, null created loses, and a null feature of the winner stays null', async () => {
    expect(await delaysOf([at('A', '2001-01-01T12:00:00Z')], { method })).toEqual([[null, 20]]);
  });

  test('which row wins a tie does not depend on the features asked for', async () => {
    const rows = [at('A', '2001-01-01T13:00:00Z')];
    const { rows: answer } = await lab.historical({ features: ['for_ever:flights'], entities: { rows }, method });
    // Without `created`, the features in the view decide: here only `flights`.
    expect(answer).toEqual([{ origin: 'A', event_timestamp: '2001-01-01T13:00:00.000000Z', flights: 21 }]);
  });

  test('no ttl has no lower bound', async () => {
    const rows = [at('B', '2090-01-01T00:00:00Z')];
    const { rows: answer } = await lab.historical({ features: ['for_ever'], entities: { rows }, method });
    expect(answer[0]?.flights).toBe(30);
  });

  test('rows keep their order, duplicates and further columns; a null key matches nothing', async () => {
    const rows = [
      at('B', '2001-01-01T11:00:00Z', { label: 'x' }),
      at(null, '2001-01-01T11:00:00Z', { label: 'y' }),
      at('A', '2001-01-01T11:00:00Z', { label: null }),
      at('B', '2001-01-01T11:00:00Z', { label: 'x' }),
      at('C', '2001-01-01T11:00:00Z', { label: 'z' }),
    ];
    const answer = await lab.historical({ features: ['delays:flights'], entities: { rows }, method });
    const time = '2001-01-01T11:00:00.000000Z';
    expect(answer.rows).toEqual([
      { origin: 'B', event_timestamp: time, label: 'x', flights: 30 },
      { origin: null, event_timestamp: time, label: 'y', flights: null },
      { origin: 'A', event_timestamp: time, label: null, flights: 10 },
      { origin: 'B', event_timestamp: time, label: 'x', flights: 30 },
      { origin: 'C', event_timestamp: time, label: 'z', flights: null },
    ]);
  });

  test('a key that is null in every row has the type of the view, not that of text', async () => {
    const row = { origin: 'A', destination: null, event_timestamp: '2001-01-01T11:00:00Z' };
    const { rows: answer } = await lab.historical({ features: ['routes:km'], entities: { rows: [row] }, method });
    expect(answer).toEqual([{ ...row, event_timestamp: '2001-01-01T11:00:00.000000Z', km: null }]);
  });

  test('several keys, nanoseconds never truncated, types kept and promoted as declared', async () => {
    const rows = [
      { origin: 'A', destination: 1, event_timestamp: '2001-01-01T10:00:00.000000Z' },
      { origin: 'A', destination: 1, event_timestamp: '2001-01-01T10:00:00.000001Z' },
      { origin: 'A', destination: 23, event_timestamp: '2001-01-01T10:00:00.000000Z' },
      { origin: 'A', destination: 3_000_000_000, event_timestamp: '2001-01-01T10:00:00.000000Z' },
    ];
    const answer = await lab.historical({ features: ['routes'], entities: { rows }, method });
    expect(answer.rows.map((row) => [row.miles, row.km])).toEqual([
      [null, null],
      [12.34, 7],
      [99.99, 8],
      [null, null],
    ]);
    expect(answer.columns).toEqual([
      'origin string',
      'destination long',
      'event_timestamp timestamptz',
      'miles decimal(9, 2)',
      'km long',
    ]);
  });

  test('a view without keys joins on time alone', async () => {
    const rows = [at('A', '2001-01-01T09:00:00Z'), at(null, '2001-01-01T10:00:00Z'), at('Q', '2001-01-01T12:00:00Z')];
    const answer = await lab.historical({ features: ['weather:rain'], entities: { rows }, method });
    expect(answer.rows.map((row) => row.rain)).toEqual([null, true, false]);
  });
});

test.each<JoinMethod>(['arg-max', 'max-join-back', 'asof-join-back'])(
  '%s: knownAsOf leaves out what was created later or at no known time',
  async (method) => {
    const rows = [at('A', '2001-01-01T10:04:59Z'), at('A', '2001-01-01T10:05:00Z'), at('A', '2001-01-01T12:01:00Z')];
    expect(await delaysOf(rows, { method, knownAsOf: true })).toEqual([
      [null, null],
      [1, 10],
      [null, null],
    ]);
    expect(await delaysOf(rows, { method })).toEqual([
      [1, 10],
      [1, 10],
      [null, 20],
    ]);
  },
);

test('knownAsOf is refused for a view that does not say when rows were created', async () => {
  const error = await failureOf(
    lab.historical({ features: ['for_ever'], entities: { rows: [at('A', '2001-01-01T10:00:00Z')] }, knownAsOf: true }),
  );
  expect([error.code, error.message]).toEqual(['INVALID_ARGUMENT', expect.stringContaining("View 'for_ever'")]);
});

test('several views at once, a service, and full names', async () => {
  const rows = [at('B', '2001-01-01T11:00:00Z')];
  const service = await lab.historical({ service: 'departures', entities: { rows } });
  expect(service.rows).toEqual([
    { origin: 'B', event_timestamp: '2001-01-01T11:00:00.000000Z', mean_delay: 3, rain: true },
  ]);
  const full = await lab.historical({
    features: ['delays:flights', 'for_ever:flights'],
    fullFeatureNames: true,
    entities: { rows },
  });
  expect(full.rows[0]).toMatchObject({ delays__flights: 30, for_ever__flights: 30 });
});

test('one view under two aliases with mapped join keys', async () => {
  const entities = { rows: [{ from: 'A', to: 'B', event_timestamp: '2001-01-01T10:30:00Z' }] };
  const features = [
    { view: 'delays', alias: 'here', features: ['flights'], joinKeyMap: new Map([['origin', 'from']]) },
    { view: 'delays', alias: 'there', features: ['flights'], joinKeyMap: new Map([['origin', 'to']]) },
  ];
  const answer = await lab.historical({ features, fullFeatureNames: true, entities });
  expect(answer.rows[0]).toMatchObject({ here__flights: 10, there__flights: 30 });
});

test('a duplicate name is an error before anything is read', async () => {
  const rows = [at('B', '2001-01-01T11:00:00Z')];
  const two = await failureOf(lab.historical({ features: ['delays:flights', 'for_ever:flights'], entities: { rows } }));
  expect([two.code, two.message]).toEqual([
    'DUPLICATE_NAME',
    "Both 'delays:flights' and 'for_ever:flights' would be the column 'flights'. Ask for full feature names, or give a view an alias.",
  ]);
  const clash = { rows: [{ ...at('B', '2001-01-01T11:00:00Z'), flights: 1 }] };
  expect((await failureOf(lab.historical({ features: ['delays:flights'], entities: clash }))).code).toBe(
    'DUPLICATE_NAME',
  );
});

test('names that do not exist are answered with the nearest', async () => {
  const entities = { rows: [at('B', '2001-01-01T11:00:00Z')] };
  const message = async (request: object) => {
    const error = await failureOf(lab.historical({ entities, ...request }));
    return `${error.code}: ${error.message}`;
  };
  expect(await message({ features: ['delay:flights'] })).toBe(
    "FEATURE_VIEW_NOT_FOUND: There is no feature view 'delay'. Did you mean 'delays'?",
  );
  expect(await message({ features: ['delays:flihgts'] })).toBe(
    "FEATURE_NOT_FOUND: Feature view 'delays' has no feature 'flihgts'. Did you mean 'flights'?",
  );
  expect(await message({ service: 'departure' })).toBe(
    "FEATURE_SERVICE_NOT_FOUND: There is no feature service 'departure'. Did you mean 'departures'?",
  );
  expect(
    await message({
      features: ['delays'],
      entities: { rows: [{ orgin: 'A', event_timestamp: '2001-01-01T11:00:00Z' }] },
    }),
  ).toBe(
    "COLUMN_NOT_FOUND: View 'delays' is joined on 'origin', which the entity rows do not have. Did you mean 'orgin'?",
  );
  expect(
    await message({
      features: ['delays'],
      entities: { rows: [{ origin: 7, event_timestamp: '2001-01-01T11:00:00Z' }] },
    }),
  ).toBe("TYPE_MISMATCH: Join key 'origin' is of type long in the entity rows, but string in view 'delays'.");
});

test('the time is event_timestamp, else the only timestamp column, else an error that lists the candidates', async () => {
  const one = await lab.historical({
    features: ['delays:flights'],
    entities: { rows: [{ origin: 'B', t: '2001-01-01T11:00:00Z' }] },
  });
  expect(one.rows[0]?.flights).toBe(30);
  const rows = [{ origin: 'B', t: '2001-01-01T11:00:00Z', u: '2001-01-01T11:00:00Z' }];
  const error = await failureOf(lab.historical({ features: ['delays'], entities: { rows } }));
  expect([error.code, error.message]).toEqual([
    'COLUMN_NOT_FOUND',
    "The entity rows have no column 'event_timestamp', and of their columns these are timestamps: 't', 'u'. Rename the right one to 'event_timestamp'.",
  ]);
});

test('times without a zone are UTC, offsets are converted, and the answer is UTC', async () => {
  const zoneless = [at('B', '2001-01-01T10:00:00'), at('B', '2001-01-01 09:59:59')];
  expect(await delaysOf(zoneless)).toEqual([
    [3, 30],
    [null, null],
  ]);
  const rows = [at('B', '2001-01-01T12:00:00+02:00'), at('B', '2001-01-01T11:59:59+02:00')];
  const answer = await lab.historical({ features: ['delays:flights'], entities: { rows } });
  expect(answer.rows).toEqual([
    { origin: 'B', event_timestamp: '2001-01-01T10:00:00.000000Z', flights: 30 },
    { origin: 'B', event_timestamp: '2001-01-01T09:59:59.000000Z', flights: null },
  ]);
});

test('no entity rows give no rows and the whole schema', async () => {
  const answer = await lab.historical({ service: 'departures', entities: { rows: [] } });
  expect(answer.rows).toEqual([]);
  expect(answer.columns).toEqual(['origin string', 'event_timestamp timestamptz', 'mean_delay double', 'rain boolean']);
});

test('a table without a snapshot has no features', async () => {
  const answer = await lab.historical({ features: ['nothing'], entities: { rows: [at('A', '2001-01-01T10:00:00Z')] } });
  expect(answer.rows).toEqual([{ origin: 'A', event_timestamp: '2001-01-01T10:00:00.000000Z', x: null }]);
  expect(answer.snapshots).toEqual(new Map([['demo.empty', null]]));
});

test('the answer names its snapshots, and reading those again gives the same rows after the table has changed', async () => {
  await lab.createTable('demo.changing', { origin: 'string', at: 'timestamp', x: 'long' });
  lab.define({
    entities: [{ name: 'airport', joinKeys: ['origin'] }],
    featureViews: [
      { name: 'changing', entities: ['airport'], source: { table: 'demo.changing', timestampField: 'at' } },
    ],
  });
  const first = await lab.append('demo.changing', `SELECT 'A', TIMESTAMP '2001-01-01', 1`);
  const request = { features: ['changing:x'], entities: { rows: [at('A', '2001-01-02T00:00:00Z')] } };
  const before = await lab.historical(request);
  expect(before.snapshots).toEqual(new Map([['demo.changing', first]]));
  const second = await lab.append('demo.changing', `SELECT 'A', TIMESTAMP '2001-01-01 12:00:00', 2`);
  const after = await lab.historical(request);
  expect([after.rows[0]?.x, after.snapshots]).toEqual([2, new Map([['demo.changing', second]])]);
  const again = await lab.historical({ ...request, asOf: { snapshots: before.snapshots } });
  expect(again.rows).toEqual(before.rows);
  expect((await failureOf(lab.historical({ ...request, asOf: { snapshotId: 1n } }))).code).toBe('SNAPSHOT_NOT_FOUND');
});

test('among rows tied in time and created, the later commit wins', async () => {
  await lab.createTable('demo.corrected', { origin: 'string', at: 'timestamp', x: 'long' });
  lab.define({
    entities: [{ name: 'airport', joinKeys: ['origin'] }],
    featureViews: [
      { name: 'corrected', entities: ['airport'], source: { table: 'demo.corrected', timestampField: 'at' } },
    ],
  });
  await lab.append('demo.corrected', `SELECT 'A', TIMESTAMP '2001-01-01', 9`);
  await lab.append('demo.corrected', `SELECT 'A', TIMESTAMP '2001-01-01', 2`);
  const request = { features: ['corrected:x'], entities: { rows: [at('A', '2001-01-02T00:00:00Z')] } };
  for (const method of ['arg-max', 'max-join-back', 'asof-join-back'] as const) {
    expect((await lab.historical({ ...request, method })).rows[0]?.x).toBe(2);
  }
});
