/**
 * Feast's unmodified client (`online_store: {type: remote}`) against `moraine serve` and against Feast's own `feast serve` (SQLite online
 * store) on the same features: values and types as Python has them, statuses, and the JSON on the wire. Expected values are worked out by
 * hand. Where the two differ, both answers are written down.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startFeastServer } from '../support/feast-server.js';
import { FeastSession } from '../support/feast-session.js';
import { describeInterop } from '../support/python.js';
import { startServiceProcess } from '../support/service-process.js';
import { type Entity, SideBySide } from '../support/side-by-side.js';

const HOUR_MS = 3_600_000;
const NOW_MS = Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
/** Hours from the beginning of this hour: Feast materializes and reads by the clock. */
const hours = (count: number): string => new Date(NOW_MS + count * HOUR_MS).toISOString();

/** What Feast's client makes of an answer: for each name `[type, repr, status]` of each entity. */
interface ClientAnswer {
  readonly names: readonly string[];
  readonly views: readonly string[];
  readonly columns: Readonly<Record<string, readonly (readonly [type: string, value: string, status: string])[]>>;
}

interface Question {
  readonly features?: readonly string[];
  readonly service?: string;
  readonly entities: readonly Entity[];
  readonly fullFeatureNames?: boolean;
  readonly withVersions?: boolean;
}

const EPOCH = '1970-01-01T00:00:00Z';
const LARGE = '9007199254740993';
const UUID = '00112233-4455-6677-8899-aabbccddeeff';
const MISSING = ['NoneType', 'None', 'NOT_FOUND'];

/** Features of each type that Feast serves: its type here, its value in SQL, and the type and value in Python. */
const TYPES: Readonly<Record<string, readonly [type: string, sql: string, python: string, repr: string]>> = {
  flag: ['boolean', 'true', 'bool', 'True'],
  small: ['int', '-7', 'int', '-7'],
  large: ['long', '9223372036854775807', 'int', '9223372036854775807'],
  single: ['float', '0.1', 'float', '0.10000000149011612'],
  huge: ['double', '1e300', 'float', '1e+300'],
  tiny: ['double', '-1e-7', 'float', '-1e-07'],
  whole: ['double', '5', 'float', '5.0'],
  million: ['double', '1e20', 'float', '1e+20'],
  zero: ['double', "'-0.0'", 'float', '-0.0'],
  infinite: ['double', "'-Infinity'", 'str', "'-Infinity'"],
  endless: ['float', "'Infinity'", 'str', "'Infinity'"],
  text: ['string', `'Brötchen "1"\\'`, 'str', `'Brötchen "1"\\\\'`],
  bytes: ['binary', `'\\x00\\xFF'::BLOB`, 'str', "'AP8='"],
  moment: ['timestamptz', "'2001-02-03 04:05:06.75+05:45'", 'int', '981152406'],
  zoneless: ['timestamp', "'1969-12-31 23:59:58.5'", 'int', '-2'],
  ints: ['list<int>', '[1, -3]', 'list', '[1, -3]'],
  longs: ['list<long>', `[${LARGE}]`, 'list', `[${LARGE}]`],
  singles: ['list<float>', '[0.1, 2]', 'list', '[0.10000000149011612, 2.0]'],
  doubles: ['list<double>', '[0.5, 2]', 'list', '[0.5, 2.0]'],
  flags: ['list<boolean>', '[true, false]', 'list', '[True, False]'],
  texts: ['list<string>', "['x', '']", 'list', "['x', '']"],
  moments: ['list<timestamptz>', "['2001-02-03 04:05:06.75+05:45']", 'list', '[981152406]'],
  zonelesses: ['list<timestamp>', "['2001-02-03 04:05:06', '1969-12-31 23:59:58']", 'list', '[981173106, -2]'],
  day: ['date', "'1969-12-30'", 'int', '-172800'],
  clock: ['time', "'23:59:59.000001'", 'str', "'23:59:59.000001'"],
  id: ['uuid', `'${UUID}'`, 'str', `'${UUID}'`],
  ids: ['list<uuid>', `['${UUID}']`, 'list', `['${UUID}']`],
  blobs: ['list<binary>', "['\\x00\\xFF'::BLOB]", 'list', "['AP8=']"],
  price: ['decimal(20, 2)', "'123456789012345678.50'", 'str', "'123456789012345678.50'"],
  prices: ['list<decimal(9, 2)>', "['1.50']", 'list', "['1.50']"],
  pair: ['struct<a: long, b: string>', `{'a': ${LARGE}, 'b': 'x'}`, 'dict', `{'a': ${LARGE}, 'b': 'x'}`],
  pairs: ['list<struct<a: long, b: string>>', `[{'a': ${LARGE}, 'b': 'x'}]`, 'list', `[{'a': ${LARGE}, 'b': 'x'}]`],
  nested: [
    'struct<a: list<long>, s: struct<b: double>>',
    "{'a': [1], 's': {'b': 5}}",
    'dict',
    "{'a': [1], 's': {'b': 5.0}}",
  ],
};
/** Further features, as in `TYPES`, of types that Feast cannot materialize. */
const MAPS: typeof TYPES = {
  words: ['map<string, string>', "MAP {'a': 'x'}", 'dict', "{'a': 'x'}"],
  counts: ['map<string, long>', `MAP {'a': ${LARGE}}`, 'dict', `{'a': ${LARGE}}`],
  several: ['map<string, list<double>>', "MAP {'a': [1, 0.5]}", 'dict', "{'a': [1.0, 0.5]}"],
};
/** Of types that Feast can neither materialize nor take from an application. */
const LISTS: typeof TYPES = {
  maps: ['list<map<string, string>>', "[MAP {'a': 'x'}]", 'list', "[{'a': 'x'}]"],
  days: ['list<date>', "['1969-12-30']", 'list', '[-172800]'],
  clocks: ['list<time>', "['10:00:00.5']", 'list', "['10:00:00.500000']"],
};
/** The same: keys that are no texts are the text of their JSON. */
const KEYED: typeof TYPES = {
  by_long: ['map<long, string>', `MAP {${LARGE}: 'x'}`, 'dict', `{'${LARGE}': 'x'}`],
  by_double: ['map<double, string>', "MAP {1.0::DOUBLE: 'x'}", 'dict', "{'1.0': 'x'}"],
  by_flag: ['map<boolean, long>', 'MAP {true: 1}', 'dict', "{'true': 1}"],
  by_price: ['map<decimal(9, 2), long>', 'MAP {1.50: 1}', 'dict', "{'1.50': 1}"],
  by_day: ['map<date, long>', "MAP {DATE '1969-12-30': 1}", 'dict', "{'-172800': 1}"],
  by_moment: ['map<timestamptz, long>', "MAP {TIMESTAMPTZ '2001-02-03 04:05:06.75Z': 1}", 'dict', "{'981173106': 1}"],
  by_clock: ['map<time, long>', "MAP {TIME '10:00:00.5': 1}", 'dict', "{'10:00:00.500000': 1}"],
  by_id: ['map<uuid, long>', `MAP {'${UUID}'::UUID: 1}`, 'dict', `{'${UUID}': 1}`],
  by_bytes: ['map<binary, long>', "MAP {'\\xFF\\x00'::BLOB: 1}", 'dict', "{'/wA=': 1}"],
};
/** Parts of a second before 1970, which Feast rounds down, but up in a list. */
const EARLY: typeof TYPES = {
  early: ['list<timestamp>', "['1969-12-31 23:59:58.5']", 'list', '[-2]'],
};
const TIMES = { event_ts: 'timestamptz', created: 'timestamptz' };

async function defineWorld(side: SideBySide): Promise<void> {
  const types = Object.fromEntries(Object.entries(TYPES).map(([name, [type]]) => [name, type]));
  const sql = Object.values(TYPES).map(([, value]) => value);
  const at = (count: number, fraction = '.000') => `'${hours(count).replace('.000', fraction)}'`;
  await side.table(
    'demo.t',
    { driver_id: 'long', ...TIMES, ...types },
    `(${LARGE}, ${at(-5)}, ${at(-5)}, ${sql.join(', ')})`,
  );
  // Feast makes floats of the integers of a column that also has nulls, so that nulls have a table of their own.
  const nulls = sql.map(() => 'NULL').join(', ');
  await side.table(
    'demo.nulls',
    { driver_id: 'long', ...TIMES, ...types, nan: 'double' },
    `(${LARGE}, ${at(-4)}, ${at(-4)}, ${nulls}, 'NaN')`,
  );
  await side.table(
    'demo.trips',
    { driver_id: 'int', zone: 'string', ...TIMES, count: 'int' },
    `(1, 'a', ${at(-2, '.125')}, ${at(-2)}, 10), (2, 'a', ${at(-2)}, ${at(-2)}, 20), (3, 'a', ${at(-60)}, ${at(-60)}, 30)`,
  );
  await side.table(
    'demo.zones',
    { zone: 'string', ...TIMES, count: 'long' },
    `('a', ${at(-3)}, ${at(-3)}, 7), ('b', ${at(-3)}, ${at(-3)}, 8)`,
  );
  for (const [name, features] of Object.entries({ MAPS, LISTS, KEYED, EARLY })) {
    const columns = Object.entries(features).map(([column, [type]]) => [column, type] as const);
    const values = Object.values(features).map(([, value]) => value);
    await side.table(
      `demo.${name.toLowerCase()}`,
      { driver_id: 'long', ...TIMES, ...Object.fromEntries(columns) },
      `(1, ${at(-5)}, ${at(-5)}, ${values.join(', ')})`,
    );
  }
  const view = (name: string, table: string, entities: readonly string[], more: object = {}) => ({
    name,
    entities,
    source: { table, timestampField: 'event_ts', createdTimestampField: 'created' },
    online: true,
    ...more,
  });
  await side.define({
    entities: ['driver_id', 'zone'].map((name) => ({ name, joinKeys: [name] })),
    featureViews: [
      view('v', 'demo.t', ['driver_id']),
      view('nulls', 'demo.nulls', ['driver_id']),
      view('trips', 'demo.trips', ['driver_id', 'zone'], { ttl: '2d', features: ['count'] }),
      view('zones', 'demo.zones', ['zone']),
      ...['maps', 'lists', 'keyed', 'early'].map((name) => view(name, `demo.${name}`, ['driver_id'])),
    ],
    featureServices: [{ name: 'model', features: [{ view: 'trips', features: ['count'] }] }],
  });
}

async function post(url: string, body: unknown): Promise<Response> {
  const headers = { 'content-type': 'application/json' };
  return await fetch(`${url}/get-online-features`, { method: 'POST', headers, body: JSON.stringify(body) });
}

describeInterop("Feast's client", () => {
  let feast: FeastSession;
  beforeAll(() => {
    feast = FeastSession.open();
  });
  afterAll(() => feast.close());

  /** Both servers on the same definitions, with what is materialized. */
  async function servers(side: SideBySide, ...views: string[]) {
    for (const view of views)
      expect(await side.materialize(view, hours(0), hours(-90_000))).toEqual({ feast: 'done', moraine: 'done' });
    const { folder } = side.lab;
    writeFileSync(
      join(folder, 'moraine.yaml'),
      JSON.stringify({
        catalogs: { main: { uri: 'catalog.db', warehouse: 'warehouse' } },
        engine: { threads: 2 },
        online: { readTimeoutMs: 60_000 },
        server: { queueTimeoutMs: 60_000 },
      }),
    );
    await side.moraine();
    const urls = {
      feast: await startFeastServer(join(folder, 'feast')),
      moraine: (await startServiceProcess(folder)).url,
    };
    const ask = async (url: string, question: Question): Promise<ClientAnswer> =>
      (await feast.ask('remote', { url, ...question })) as ClientAnswer;
    return {
      urls,
      ask: async (question: Question) => ({
        feast: await ask(urls.feast, question),
        moraine: await ask(urls.moraine, question),
      }),
    };
  }

  test('has the values, types and statuses that it has from its own server', async () => {
    const side = await SideBySide.open(feast);
    await defineWorld(side);
    const ofMaps = await side.materialize('maps', hours(0), hours(-90_000));
    const ofLists = await side.materialize('lists', hours(0), hours(-90_000));
    const ofKeyed = await side.materialize('keyed', hours(0), hours(-90_000));
    const { ask, urls } = await servers(side, 'v', 'nulls', 'trips', 'zones', 'early');

    // A number of JavaScript cannot hold this key: the Python program reads it from the text.
    const entities = [LARGE, '9007199254740992'].map((driver_id) => ({ driver_id }));
    const names = Object.keys(TYPES);
    const present = await ask({ features: names.map((name) => `v:${name}`), entities });
    const expected = Object.entries(TYPES).map(([name, [, , type, repr]]) => {
      return [name, [[type, repr, 'PRESENT'], MISSING]];
    });
    const keys = [
      ['int', LARGE, 'PRESENT'],
      ['int', '9007199254740992', 'PRESENT'],
    ];
    expect(present.moraine.names).toEqual(['driver_id', ...names]);
    expect(present.moraine.columns).toEqual({ driver_id: keys, ...Object.fromEntries(expected) });
    expect(present.feast.columns).toEqual(present.moraine.columns);

    // Feast says PRESENT of a null, serves a number for a null time, and loses NaN when it writes.
    const nulls = await ask({ features: [...names.map((name) => `nulls:${name}`), 'nulls:nan'], entities });
    const nullOf = (status: string) => names.map((name) => [name, [['NoneType', 'None', status], MISSING]]);
    const noTime = [['int', '-9223372036854775808', 'PRESENT'], MISSING];
    expect(nulls.moraine.columns).toEqual({
      driver_id: keys,
      ...Object.fromEntries(nullOf('NULL_VALUE')),
      nan: [['str', "'NaN'", 'PRESENT'], MISSING],
    });
    expect(nulls.feast.columns).toEqual({
      driver_id: keys,
      ...Object.fromEntries(nullOf('PRESENT')),
      moment: noTime,
      zoneless: noTime,
      nan: [['NoneType', 'None', 'PRESENT'], MISSING],
    });

    const one = [{ driver_id: 1 }];
    const columnsOf = (features: typeof TYPES) => ({
      driver_id: [['int', '1', 'PRESENT']],
      ...Object.fromEntries(
        Object.entries(features).map(([name, [, , type, repr]]) => [name, [[type, repr, 'PRESENT']]]),
      ),
    });
    const askAll = (view: string, features: typeof TYPES) =>
      ask({ features: Object.keys(features).map((name) => `${view}:${name}`), entities: one });

    // Feast cannot materialize maps and lists of dates and of times. Maps that an application writes into its store are answered alike.
    expect(ofMaps).toEqual({ feast: 'ArrowTypeError', moraine: 'done' });
    expect(ofLists).toEqual({ feast: 'TypeError', moraine: 'done' });
    expect(ofKeyed).toEqual({ feast: 'ArrowInvalid', moraine: 'done' });
    await feast.ask('write', {
      view: 'maps',
      columns: {
        driver_id: ['1'],
        ...{ event_ts: [`'${hours(-5).replace('Z', '')}'`], created: [`'${hours(-5).replace('Z', '')}'`] },
        ...Object.fromEntries(Object.entries(MAPS).map(([name, [, , , repr]]) => [name, [repr]])),
      },
    });
    const maps = await askAll('maps', MAPS);
    expect(maps.moraine.columns).toEqual(columnsOf(MAPS));
    expect(maps.feast.columns).toEqual(maps.moraine.columns);
    const lists = await askAll('lists', LISTS);
    expect(lists.moraine.columns).toEqual(columnsOf(LISTS));
    const keyed = await askAll('keyed', KEYED);
    expect(keyed.moraine.columns).toEqual(columnsOf(KEYED));
    for (const name of Object.keys(LISTS)) expect(lists.feast.columns[name]).toEqual([MISSING]);
    for (const name of Object.keys(KEYED)) expect(keyed.feast.columns[name]).toEqual([MISSING]);
    const write = (name: string, literal: string): Promise<unknown> =>
      feast.ask('write', {
        view: 'keyed',
        columns: {
          driver_id: ['1'],
          ...{ event_ts: [`'${hours(-5).replace('Z', '')}'`], created: [`'${hours(-5).replace('Z', '')}'`] },
          ...Object.fromEntries(Object.keys(KEYED).map((other) => [other, [other === name ? literal : 'None']])),
        },
      });
    await expect(write('by_long', "{1: 'x'}")).rejects.toThrow(/^ArrowTypeError: /);
    const early = await askAll('early', EARLY);
    expect(early.moraine.columns).toEqual(columnsOf(EARLY));
    expect(early.feast.columns['early']).toEqual([['list', '[-1]', 'PRESENT']]);

    // Several views of several keys, an entity column that no view has, an entity twice; full names.
    const trips = [
      { driver_id: 1, zone: 'a', other: 'x' },
      { driver_id: 2, zone: 'b', other: 'y' },
      { driver_id: 1, zone: 'a', other: 'z' },
    ];
    const several = await ask({
      features: ['trips:count', 'zones:count'],
      entities: trips,
      fullFeatureNames: true,
      withVersions: true,
    });
    const ten = ['int', '10', 'PRESENT'];
    const [seven, eight] = [
      ['int', '7', 'PRESENT'],
      ['int', '8', 'PRESENT'],
    ];
    expect(several.moraine).toEqual({
      names: ['driver_id', 'zone', 'trips__count', 'zones__count'],
      views: ['trips', 'zones'],
      columns: {
        driver_id: [
          ['int', '1', 'PRESENT'],
          ['int', '2', 'PRESENT'],
          ['int', '1', 'PRESENT'],
        ],
        zone: [
          ['str', "'a'", 'PRESENT'],
          ['str', "'b'", 'PRESENT'],
          ['str', "'a'", 'PRESENT'],
        ],
        trips__count: [ten, MISSING, ten],
        zones__count: [seven, eight, seven],
      },
    });
    expect(several.feast).toEqual(several.moraine);

    // A feature service; a row older than the ttl, which Feast's server does not look at.
    const [young, old] = [
      { driver_id: 1, zone: 'a' },
      { driver_id: 3, zone: 'a' },
    ];
    const service = await ask({ service: 'model', entities: [young, old] });
    const counts = (status: string, type: string, value: string) => [ten, [type, value, status]];
    expect(service.moraine.columns['count']).toEqual(counts('OUTSIDE_MAX_AGE', 'NoneType', 'None'));
    expect(service.feast.columns['count']).toEqual(counts('PRESENT', 'int', '30'));

    // On the wire: the same columns, with event times.
    const body = {
      entities: { driver_id: [1, 4], zone: ['a', 'a'] },
      features: ['trips:count'],
      full_feature_names: false,
      include_feature_view_version_metadata: true,
    };
    const wire = async (url: string): Promise<unknown> => (await post(url, body)).json();
    // Feast's server cuts fractions of event times off.
    const answer = (time: string) => ({
      metadata: { feature_names: ['driver_id', 'zone', 'count'], feature_view_metadata: [{ name: 'trips' }] },
      results: [
        { values: [1, 4], statuses: ['PRESENT', 'PRESENT'], event_timestamps: [EPOCH, EPOCH] },
        { values: ['a', 'a'], statuses: ['PRESENT', 'PRESENT'], event_timestamps: [EPOCH, EPOCH] },
        {
          values: [10, null],
          statuses: ['PRESENT', 'NOT_FOUND'],
          event_timestamps: [time, EPOCH],
        },
      ],
    });
    expect(await wire(urls.moraine)).toEqual(answer(hours(-2).replace('.000', '.125')));
    expect(await wire(urls.feast)).toEqual(answer(hours(-2).replace('.000', '')));

    // What its client raises has our message.
    await expect(feast.ask('remote', { url: urls.moraine, features: ['trip:count'], entities: trips })).rejects.toThrow(
      /^RuntimeError: Failed to get online features: 404 .*FEATURE_VIEW_NOT_FOUND/,
    );
    await expect(
      feast.ask('remote', { url: urls.moraine, features: ['trips:count'], entities: [{ driver_id: 1 }] }),
    ).rejects.toThrow(/^RuntimeError: Failed to get online features: 400 .*join key 'zone'/);
  });
});
