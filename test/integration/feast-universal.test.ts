/**
 * The questions of Feast's universal tests of offline stores (`test_universal_historical_retrieval.py`, `test_universal_types.py`), asked anew
 * of Moraine and, beside it, of the real Feast with its DuckDB store; expected rows are worked out by hand. Titles begin with the name
 * of Feast's test.
 */
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FeastSession } from '../support/feast-session.js';
import { describeInterop } from '../support/python.js';
import { type Entity, SideBySide } from '../support/side-by-side.js';

/** A moment of March 2026: `at('01T10:00')`. */
const at = (text: string): string => `2026-03-${text}:00.000000Z`;
const both = (rows: unknown): unknown => ({ feast: rows, moraine: rows });

const ENTITIES = [
  { name: 'courier', joinKeys: ['courier_id'] },
  { name: 'shop', joinKeys: ['shop_id'] },
  { name: 'place', joinKeys: ['place_id'] },
];
const source = (table: string, created = true, fieldMapping = {}) => ({
  table,
  timestampField: 'event_ts',
  ...(created ? { createdTimestampField: 'created' } : {}),
  fieldMapping,
});

/** Deliveries of bread: couriers, shops, both together, the city as a whole, places at two ends, a column under another name. */
async function bakery(feast: FeastSession, ttl: Readonly<Record<string, string>>): Promise<SideBySide> {
  const side = await SideBySide.open(feast);
  const times = { event_ts: 'timestamptz', created: 'timestamptz' };
  await side.table(
    'demo.couriers',
    { courier_id: 'long', ...times, rating: 'double', trips: 'int' },
    `(1, '${at('01T08:00')}', '${at('01T08:05')}', 4.5, 10), (2, '${at('01T08:00')}', '${at('01T08:05')}', 3.0, 20)`,
    `(1, '${at('02T08:00')}', '${at('02T08:05')}', NULL, 11), (3, '${at('05T08:00')}', '${at('05T08:05')}', 1.0, 1)`,
  );
  await side.table(
    'demo.shops',
    { shop_id: 'string', ...times, balance: 'float', orders: 'long' },
    `('a', '${at('01T09:00')}', '${at('01T09:05')}', 0.5, 5), ('b', '${at('01T12:00')}', '${at('01T12:05')}', 2.25, 7)`,
    `('a', '${at('01T11:00')}', '${at('01T11:05')}', 1.5, 6)`,
  );
  await side.table(
    'demo.deliveries',
    { courier_id: 'long', shop_id: 'string', ...times, on_time: 'boolean' },
    `(1, 'a', '${at('01T09:30')}', '${at('01T10:00')}', true), (2, 'a', '${at('01T09:30')}', '${at('01T10:00')}', false),
     (1, 'b', '${at('01T09:00')}', '${at('01T10:00')}', false)`,
  );
  await side.table(
    'demo.city',
    { event_ts: 'timestamptz', open_shops: 'int', minutes: 'double' },
    `('${at('01T07:00')}', 40, 12.5), ('${at('02T07:00')}', 41, 13.5)`,
  );
  await side.table(
    'demo.places',
    { place_id: 'long', event_ts: 'timestamptz', degrees: 'int' },
    `(7, '${at('01T06:00')}', -3), (8, '${at('01T06:00')}', 4), (7, '${at('02T06:00')}', -1)`,
  );
  await side.table(
    'demo.loaves',
    { courier_id: 'long', event_ts: 'timestamptz', loaves_col: 'long' },
    `(1, '${at('01T06:00')}', 300), (2, '${at('01T06:00')}', 400)`,
  );
  const view = (name: string, entities: readonly string[], more: object) => ({
    name,
    entities,
    ...more,
    ...(ttl[name] === undefined ? {} : { ttl: ttl[name] }),
  });
  await side.define({
    entities: ENTITIES,
    featureViews: [
      view('courier', ['courier'], { source: source('demo.couriers') }),
      view('shop', ['shop'], { source: source('demo.shops') }),
      view('delivery', ['courier', 'shop'], { source: source('demo.deliveries') }),
      view('city', [], { source: source('demo.city', false) }),
      view('place', ['place'], { source: source('demo.places', false) }),
      view('loaf', ['courier'], { source: source('demo.loaves', false, { loaves_col: 'loaves' }) }),
    ],
    featureServices: [
      { name: 'ratings', features: ['courier:rating', 'shop:balance'] },
      {
        name: 'ends',
        features: [
          { view: 'place', alias: 'origin', features: ['degrees'], joinKeyMap: { place_id: 'origin_id' } },
          { view: 'place', alias: 'destination', features: ['degrees'], joinKeyMap: { place_id: 'destination_id' } },
        ],
      },
    ],
  });
  return side;
}

const TTL = { courier: '2d', shop: '1d', delivery: '2d', city: '1d', place: '3d', loaf: '1d' };
const FEATURES = [
  'courier:rating',
  'courier:trips',
  'shop:balance',
  'shop:orders',
  'delivery:on_time',
  'city:open_shops',
  'city:minutes',
  'loaf:loaves',
];

/** Orders with a column, `tip`, that a request brings along. */
const order = (order_id: number, courier_id: number, shop_id: string, time: string, tip: number): Entity => ({
  order_id,
  courier_id,
  shop_id,
  event_timestamp: time,
  tip,
});
const ORDERS = [
  order(104, 1, 'a', at('02T08:00'), 4),
  order(101, 1, 'a', at('01T10:00'), 0.5),
  order(103, 2, 'b', at('01T11:59'), 2),
  order(102, 1, 'b', at('01T12:00'), 1),
  order(105, 3, 'c', at('03T07:01'), 0),
];
/** Features of the orders, in the order of {@link FEATURES}: values by name, with the ttl of {@link TTL}. */
const EXPECTED: readonly (readonly unknown[])[] = [
  [null, 11, 1.5, 6, true, 41, 13.5, null],
  [4.5, 10, 0.5, 5, true, 40, 12.5, 300],
  [3, 20, null, null, null, 40, 12.5, 400],
  [4.5, 10, 2.25, 7, false, 40, 12.5, 300],
  [null, null, null, null, null, null, null, null],
];

/** The orders with features called so. */
function answered(
  names: readonly string[],
  values: readonly (readonly unknown[])[],
  entities: readonly Entity[],
): unknown {
  return entities.map((entity, row) => ({
    ...entity,
    ...Object.fromEntries(names.map((name, index) => [name, values[row]?.[index]])),
  }));
}

describeInterop("Feast's universal tests of retrieval, asked anew", () => {
  let feast: FeastSession;
  beforeAll(() => {
    feast = FeastSession.open();
  });
  afterAll(() => feast.close());

  test.each([true, false])('main: several views, keys and none, ttl, request columns; full names: %s', async (full) => {
    const side = await bakery(feast, TTL);
    const names = FEATURES.map((feature) => (full ? feature.replace(':', '__') : feature.replace(/.*:/, '')));
    const question = { features: FEATURES, entities: ORDERS, fullFeatureNames: full };
    expect(await side.historical(question)).toEqual(both(answered(names, EXPECTED, ORDERS)));
    const service = { service: 'ratings', entities: ORDERS, fullFeatureNames: full };
    const ratings = EXPECTED.map((values) => [values[0], values[2]]);
    const ratingNames = full ? ['courier__rating', 'shop__balance'] : ['rating', 'balance'];
    expect(await side.historical(service)).toEqual(both(answered(ratingNames, ratings, ORDERS)));
  });

  test('main: one view under two names, with other join keys', async () => {
    const side = await bakery(feast, TTL);
    const entities = [
      { origin_id: 7, destination_id: 8, event_timestamp: at('01T06:00') },
      { origin_id: 8, destination_id: 7, event_timestamp: at('02T06:00') },
      { origin_id: 7, destination_id: 7, event_timestamp: at('02T05:59') },
      { origin_id: 9, destination_id: 8, event_timestamp: at('04T06:01') },
    ];
    const degrees = [
      [-3, 4],
      [4, -1],
      [-3, -3],
      [null, null],
    ];
    const names = ['origin__degrees', 'destination__degrees'];
    const question = { service: 'ends', entities, fullFeatureNames: true };
    expect(await side.historical(question)).toEqual(both(answered(names, degrees, entities)));
    expect(await side.historical({ ...question, fullFeatureNames: false })).toEqual({
      feast: 'FeatureNameCollisionError',
      moraine: 'DUPLICATE_NAME',
    });
  });

  test('main: the only timestamp column is the time; without a zone it is UTC, offsets are converted', async () => {
    const side = await bakery(feast, TTL);
    const features = ['courier:trips'];
    const ask = (...times: string[]) =>
      side.historical({ features, entities: times.map((e_ts) => ({ courier_id: 1, e_ts })), times: ['e_ts'] });
    const found = (time: string, trips: number | null) => ({ courier_id: 1, e_ts: at(time), trips });
    const offsets = ['2026-03-01T13:44:00+05:45', '2026-03-01T13:45:00+05:45'];
    expect(await ask(...offsets)).toEqual(both([found('01T07:59', null), found('01T08:00', 10)]));
    const zoneless = ['2026-03-01T07:59:00', '2026-03-01T08:00:00'];
    expect(await ask(...zoneless)).toEqual(both([found('01T07:59', null), found('01T08:00', 10)]));
    const two = [{ courier_id: 1, e_ts: at('01T08:00'), paid: at('01T09:00') }];
    expect(await side.historical({ features, entities: two, times: ['e_ts', 'paid'] })).toEqual({
      feast: 'EntityTimestampInferenceException',
      moraine: 'COLUMN_NOT_FOUND',
    });
  });

  test('shared_batch_source: two views of one table have the features that each of them names', async () => {
    const side = await bakery(feast, {});
    const views = [
      { name: 'v1', entities: ['courier'], source: source('demo.couriers'), features: ['trips'] },
      { name: 'v2', entities: ['courier'], source: source('demo.couriers'), features: ['trips', 'rating'] },
    ];
    await side.define({ entities: ENTITIES, featureViews: views });
    const entities = [{ courier_id: 2, event_timestamp: at('01T09:00') }];
    const ask = (...features: string[]) => side.historical({ features, entities, fullFeatureNames: true });
    const found = { v1__trips: 20, v2__trips: 20, v2__rating: 3 };
    expect(await ask('v1:trips', 'v2:trips', 'v2:rating')).toEqual(both([{ ...entities[0], ...found }]));
    expect(await ask('v1:rating')).toEqual({ feast: 'KeyError', moraine: 'FEATURE_NOT_FOUND' });
  });

  test('missing_request_data: what the entity rows lack is an error', async () => {
    const side = await bakery(feast, TTL);
    const entities = [{ courier_id: 1, tip: 2, event_timestamp: at('01T10:00') }];
    expect(await side.historical({ features: ['delivery:on_time'], entities })).toEqual({
      feast: 'IbisTypeError',
      moraine: 'COLUMN_NOT_FOUND',
    });
  });

  test('entities_from_query: the entity rows that SQL gives', async () => {
    const side = await bakery(feast, TTL);
    const sql = `SELECT courier_id, shop_id, event_ts + INTERVAL 30 MINUTE AS event_timestamp FROM demo.deliveries
      ORDER BY courier_id, shop_id`;
    const features = ['shop:orders', 'delivery:on_time', 'city:open_shops', 'loaf:loaves'];
    const entities = [
      { courier_id: 1, shop_id: 'a', event_timestamp: at('01T10:00') },
      { courier_id: 1, shop_id: 'b', event_timestamp: at('01T09:30') },
      { courier_id: 2, shop_id: 'a', event_timestamp: at('01T10:00') },
    ];
    const values = [
      [5, true, 40, 300],
      [null, false, 40, 300],
      [5, false, 40, 400],
    ];
    const expected = answered(['orders', 'on_time', 'open_shops', 'loaves'], values, entities);
    // Feast's SQL stores take SQL; its DuckDB store wants a frame.
    expect(await side.historical({ features, entities })).toEqual(both(expected));
    expect(await side.historical({ features, sql })).toEqual({ feast: 'AttributeError', moraine: expected });
  });

  test.each([true, false])('persisting: a saved dataset has the rows of the answer; full names: %s', async (full) => {
    const side = await bakery(feast, TTL);
    const names = FEATURES.map((feature) => (full ? feature.replace(':', '__') : feature.replace(/.*:/, '')));
    const entities = ORDERS.map(({ courier_id = null, shop_id = null, event_timestamp = null }) => ({
      courier_id,
      shop_id,
      event_timestamp,
    }));
    const expected = answered(names, EXPECTED, entities) as Record<string, unknown>[];
    const request = { features: FEATURES, entities, fullFeatureNames: full };
    const byTime = (rows: readonly Record<string, unknown>[]) =>
      rows.toSorted((a, b) => String(a.event_timestamp).localeCompare(String(b.event_timestamp)));
    const { rows, stored, again } = await side.feastSaved(request);
    expect(byTime(rows)).toEqual(byTime(expected));
    expect(byTime(stored)).toEqual(byTime(expected));
    expect(again).toBe('SavedDatasetLocationAlreadyExists');

    const file = join(side.lab.folder, 'saved-here.parquet');
    const moraine = await side.moraine();
    await moraine.saveDataset({ ...request, saveAs: { name: 'in_a_file', to: { file } } });
    expect(await readParquet(file)).toEqual(expected);
    const second = moraine.saveDataset({ ...request, saveAs: { name: 'again', to: { file } } });
    await expect(second).rejects.toMatchObject({ code: 'FILE_ALREADY_EXISTS' });
    const table = 'demo.saved';
    await moraine.saveDataset({ ...request, saveAs: { name: 'in_a_table', to: { table } } });
    const joinKeys = ['courier_id', 'shop_id'];
    const pulled = await moraine.pullAll({ source: { table }, joinKeys, timestampField: 'event_timestamp' });
    expect(byTime((await pulled.toRows()) as Record<string, unknown>[])).toEqual(byTime(expected));
    await pulled.close();
  });

  test.each([{}, { courier: '0s', shop: '0s', delivery: '0s', city: '0s', loaf: '0s' }])(
    'no_ttl: rows of any age, %o',
    async (ttl) => {
      const side = await bakery(feast, ttl);
      const entities = [
        { courier_id: 1, shop_id: 'a', event_timestamp: at('31T00:00') },
        { courier_id: 2, shop_id: 'b', event_timestamp: '2099-01-01T00:00:00.000000Z' },
        { courier_id: 3, shop_id: 'a', event_timestamp: at('01T06:59') },
      ];
      const values = [
        [null, 11, 1.5, 6, true, 41, 13.5, 300],
        [3, 20, 2.25, 7, null, 41, 13.5, 400],
        [null, null, null, null, null, null, null, null],
      ];
      const names = FEATURES.map((feature) => feature.replace(/.*:/, ''));
      expect(await side.historical({ features: FEATURES, entities })).toEqual(both(answered(names, values, entities)));
    },
  );

  test('containing_backfills: the newest event time wins, then the newest created', async () => {
    const side = await backfilled(feast);
    const entities = [1, 2, 3].map((courier_id) => ({ courier_id, event_timestamp: at('09T00:00') }));
    expect(await side.historical({ features: ['backfilled:trips'], entities })).toEqual(
      both(answered(['trips'], [[20], [40], [60]], entities)),
    );
  });

  test('field_mapping: a join key, the time and a feature that have other names in the source', async () => {
    const side = await SideBySide.open(feast);
    const columns = { id: 'long', happened: 'timestamptz', written: 'timestamptz', n: 'int' };
    const older = `(1, '${at('01T08:00')}', '${at('02T08:00')}', 20), (2, '${at('02T08:00')}', '${at('01T08:00')}', 40)`;
    await side.table('demo.mapped', columns, older, `(1, '${at('01T08:00')}', '${at('03T08:00')}', 21)`);
    const fieldMapping = { id: 'courier_id', happened: 'event_ts', written: 'created', n: 'trips' };
    const view = { name: 'mapped', entities: ['courier'], source: source('demo.mapped', true, fieldMapping) };
    await side.define({ entities: ENTITIES, featureViews: [view] });
    const entities = [
      { courier_id: 1, event_timestamp: at('03T08:00') },
      { courier_id: 2, event_timestamp: at('03T08:00') },
      { courier_id: 2, event_timestamp: at('02T07:59') },
    ];
    expect(await side.historical({ features: ['mapped:trips'], entities })).toEqual(
      both(answered(['trips'], [[21], [40], [null]], entities)),
    );
  });

  test('non_entity_retrieval, preserves_multiple_timestamps: every row of the window, both ends included', async () => {
    const side = await bakery(feast, TTL);
    const window = { start: at('01T09:00'), end: at('01T12:00') };
    // Of Feast's local stores the DuckDB store takes no window: `feast-deviations` has the answer of the other one.
    expect(await side.historical({ features: ['shop:orders'], window })).toEqual({
      feast: 'TypeError',
      moraine: [
        { shop_id: 'a', event_timestamp: at('01T09:00'), orders: 5 },
        { shop_id: 'a', event_timestamp: at('01T11:00'), orders: 6 },
        { shop_id: 'b', event_timestamp: at('01T12:00'), orders: 7 },
      ],
    });
  });

  test('filter_by_created_timestamp: what was written after the time of the entity row is not known yet', async () => {
    const side = await backfilled(feast);
    const entities = [1, 2, 3].map((courier_id) => ({ courier_id, event_timestamp: at('03T00:00') }));
    const ask = (knownAsOf: boolean) => side.historical({ features: ['backfilled:trips'], entities, knownAsOf });
    expect(await ask(false)).toEqual(both(answered(['trips'], [[20], [40], [60]], entities)));
    expect(await ask(true)).toEqual(both(answered(['trips'], [[10], [40], [null]], entities)));
  });

  test.each(['int', 'long', 'string'])('entity_inference_types_match: join keys of type %s', async (type) => {
    const side = await SideBySide.open(feast);
    const rows = `(1, '${at('01T08:00')}', 1), (3, '${at('01T08:00')}', 4), (3, '${at('01T11:00')}', 5)`;
    await side.table('demo.keyed', { courier_id: type, event_ts: 'timestamptz', x: 'int' }, rows);
    const view = { name: 'keyed', entities: ['courier'], source: source('demo.keyed', false) };
    await side.define({ entities: ENTITIES, featureViews: [view] });
    const key = (value: number) => (type === 'string' ? String(value) : value);
    const entities = [1, 3, 2].map((value) => ({ courier_id: key(value), event_timestamp: at('01T11:00') }));
    expect(await side.historical({ features: ['keyed:x'], entities })).toEqual(
      both(answered(['x'], [[1], [5], [null]], entities)),
    );
  });

  test('all types: values and nulls of every type, as the table has them', async () => {
    const side = await SideBySide.open(feast);
    const types = Object.fromEntries(Object.entries(EVERY_TYPE).map(([name, [type]]) => [name, type]));
    const row = (key: number, values: readonly string[]) => `(${[key, `'${at('01T08:00')}'`, ...values].join(', ')})`;
    const filled = row(
      1,
      Object.values(EVERY_TYPE).map(([, sql]) => sql),
    );
    const empty = row(
      2,
      Object.values(EVERY_TYPE).map(() => 'NULL'),
    );
    await side.table('demo.typed', { courier_id: 'long', event_ts: 'timestamptz', ...types }, `${filled}, ${empty}`);
    const view = { name: 'typed', entities: ['courier'], source: source('demo.typed', false) };
    await side.define({ entities: ENTITIES, featureViews: [view] });
    const entities = [1, 2].map((courier_id) => ({ courier_id, event_timestamp: at('02T08:00') }));
    const values = Object.values(EVERY_TYPE).map(([, , value]) => value);
    const names = Object.keys(EVERY_TYPE);
    expect(await side.historical({ features: names.map((name) => `typed:${name}`), entities })).toEqual(
      both(answered(names, [values, values.map(() => null)], entities)),
    );
  });
});

/** A value of each type: type, SQL, JSON. */
const EVERY_TYPE: Readonly<Record<string, readonly [string, string, unknown]>> = {
  flag: ['boolean', 'true', true],
  small: ['int', '-7', -7],
  large: ['long', '9007199254740991', 9007199254740991],
  single: ['float', '0.5', 0.5],
  double: ['double', '0.1', 0.1],
  text: ['string', "'Brötchen'", 'Brötchen'],
  bytes: ['binary', "'\\x00\\xFF'::BLOB", '00ff'],
  day: ['date', "'2024-02-29'", '2024-02-29'],
  clock: ['time', "'23:59:59.999999'", '23:59:59.999999'],
  local: ['timestamp', "'2001-02-03 04:05:06.789012'", '2001-02-03T04:05:06.789012'],
  moment: ['timestamptz', "'2001-02-03 04:05:06.789012+05:45'", '2001-02-02T22:20:06.789012Z'],
  price: ['decimal(9, 2)', '-12.25', -12.25],
  id: ['uuid', "'00112233-4455-6677-8899-aabbccddeeff'", '00112233-4455-6677-8899-aabbccddeeff'],
  ints: ['list<int>', '[1, NULL, 3]', [1, null, 3]],
  texts: ['list<string>', "['x', '']", ['x', '']],
  flags: ['list<boolean>', '[]', []],
  moments: ['list<timestamptz>', "['2001-02-03 04:05:06Z']", ['2001-02-03T04:05:06.000000Z']],
};

/** Rows written late: twice for one time, a newer time written before an older one, and one not known until later. */
async function backfilled(feast: FeastSession): Promise<SideBySide> {
  const side = await SideBySide.open(feast);
  const columns = { courier_id: 'long', event_ts: 'timestamptz', created: 'timestamptz', trips: 'int' };
  const row = (key: number, time: string, created: string, trips: number) =>
    `(${key}, '${at(time)}', '${at(created)}', ${trips})`;
  const first = [row(1, '01T00:00', '01T00:00', 10), row(2, '01T00:00', '04T00:00', 30)];
  const second = [
    row(1, '01T00:00', '04T00:00', 20),
    row(2, '02T00:00', '01T00:00', 40),
    row(3, '01T00:00', '04T00:00', 60),
  ];
  await side.table('demo.backfilled', columns, first.join(', '), second.join(', '));
  const view = { name: 'backfilled', entities: ['courier'], source: source('demo.backfilled') };
  await side.define({ entities: ENTITIES, featureViews: [view] });
  return side;
}

/** Rows of a Parquet file as plain DuckDB reads them. */
async function readParquet(file: string): Promise<readonly unknown[]> {
  const duckdb = await (await DuckDBInstance.create(':memory:')).connect();
  await duckdb.run("SET TimeZone = 'UTC'");
  const time = "strftime(event_timestamp, '%Y-%m-%dT%H:%M:%S.%fZ')";
  const read = await duckdb.runAndReadAll(`SELECT * REPLACE (${time} AS event_timestamp) FROM '${file}'`);
  return read
    .getRowObjects()
    .map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, plain(value)])));
}

const plain = (value: unknown): unknown => (typeof value === 'bigint' ? Number(value) : value);
