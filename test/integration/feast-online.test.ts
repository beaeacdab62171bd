/**
 * The questions of Feast's universal tests of online stores (`test_universal_online.py`, `test_universal_online_types.py`,
 * `test_push_features_to_online_store.py`, `test_remote_online_store.py`, `test_python_feature_server.py`, `test_universal_e2e.py`), asked
 * anew of `moraine serve` and of Feast's own `feast serve` (SQLite online store) by Feast's unmodified client. Each title begins with
 * the name of Feast's test. Expected values are worked out by hand; where the two differ, both answers are written down.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createMoraine } from '../../client/index.js';
import { startFeastServer } from '../support/feast-server.js';
import { FeastSession } from '../support/feast-session.js';
import { describeInterop } from '../support/python.js';
import { launchService } from '../support/service-process.js';
import { type Entity, SideBySide, writeServiceConfig } from '../support/side-by-side.js';

const HOUR_MS = 3_600_000;
const NOW_MS = Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
/** Hours from the beginning of this hour: Feast materializes by the clock. */
const hours = (count: number): string => new Date(NOW_MS + count * HOUR_MS).toISOString();
/** A literal of Python, of a time without a zone as Feast's client sends it. */
const literal = (count: number): string => `'${hours(count).replace('Z', '')}'`;

interface Question {
  readonly features?: readonly string[];
  readonly service?: string;
  readonly entities: readonly Entity[];
  readonly fullFeatureNames?: boolean;
}

/** `[value, status]` as Python shows it, of each entity for each name. */
type Columns = Readonly<Record<string, readonly (readonly [value: string, status: string])[]>>;
interface Answer {
  readonly columns: Columns;
}
const found = (...values: string[]) => values.map((value) => [value, 'PRESENT'] as const);
const MISSING = ['None', 'NOT_FOUND'] as const;

const TIMES = { event_ts: 'timestamptz', created: 'timestamptz' };
const at = (count: number): string => `'${hours(count)}', '${hours(count)}'`;

/** Lists by name: the type, what SQL writes, what Python reads. */
const LISTS: Readonly<Record<string, readonly [type: string, sql: string, python: string]>> = {
  ints: ['list<int>', '[1, -2]', '[1, -2]'],
  longs: ['list<long>', '[9007199254740993]', '[9007199254740993]'],
  singles: ['list<float>', '[0.5, 0.1]', '[0.5, 0.10000000149011612]'],
  doubles: ['list<double>', '[2, 0.1]', '[2.0, 0.1]'],
  texts: ['list<string>', "['a', '']", "['a', '']"],
  flags: ['list<boolean>', '[true, false]', '[True, False]'],
  moments: ['list<timestamptz>', "['2001-02-03 04:05:06Z']", '[981173106]'],
};

async function tables(side: SideBySide): Promise<void> {
  await side.table(
    'demo.drivers',
    { driver_id: 'long', ...TIMES, conv_rate: 'double', trips: 'long' },
    `(1, ${at(-5)}, 0.25, 3), (1, ${at(-3)}, 0.5, 4), (2, ${at(-4)}, 0.75, 5)`,
  );
  await side.table(
    'demo.customers',
    { customer: 'string', ...TIMES, balance: 'double' },
    `('a', ${at(-4)}, 10.5), ('b', ${at(-3)}, 20.5)`,
  );
  await side.table(
    'demo.orders',
    { driver_id: 'long', customer: 'string', ...TIMES, done: 'boolean' },
    `(1, 'a', ${at(-4)}, true), (2, 'b', ${at(-3)}, false)`,
  );
  await side.table(
    'demo.places',
    { place_id: 'int', ...TIMES, temperature: 'double' },
    `(7, ${at(-3)}, 1.5), (8, ${at(-3)}, 2.5)`,
  );
  await side.table(
    'demo.checked',
    { driver_id: 'long', ...TIMES, text: 'string' },
    `(11, ${at(-6)}, 'old'), (12, ${at(-2)}, 'source'), (13, ${at(-2)}, 'source')`,
  );
  await side.table(
    'demo.e2e',
    { driver_id: 'long', ...TIMES, value: 'double' },
    `(1, ${at(-4)}, 0.25), (1, ${at(-3)}, 0.5), (2, ${at(-1)}, NULL), (3, ${at(-4)}, 4), (3, ${at(-1)}, 5)`,
  );
  const lists = Object.values(LISTS);
  const filled = lists.map(([, sql]) => sql).join(', ');
  await side.table(
    'demo.lists',
    { driver_id: 'long', ...TIMES, ...Object.fromEntries(Object.entries(LISTS).map(([name, [type]]) => [name, type])) },
    `(1, ${at(-5)}, ${filled}), (2, ${at(-5)}, ${lists.map(() => '[]').join(', ')}), (2, ${at(-1)}, ${filled})`,
  );
}

function definitions() {
  const view = (name: string, entities: readonly string[], features: readonly string[] | null, more: object = {}) => ({
    name,
    entities,
    source: { table: `demo.${name}`, timestampField: 'event_ts', createdTimestampField: 'created' },
    online: true,
    ...(features === null ? {} : { features }),
    ...more,
  });
  const source = { table: 'demo.drivers', timestampField: 'event_ts', createdTimestampField: 'created' };
  return {
    entities: ['driver_id', 'customer', 'place_id'].map((name) => ({ name, joinKeys: [name] })),
    featureViews: [
      view('drivers', ['driver_id'], ['conv_rate', 'trips']),
      view('drivers_v1', ['driver_id'], ['trips'], { source }),
      view('drivers_v2', ['driver_id'], ['trips', 'conv_rate'], { source }),
      view('expiring', ['driver_id'], ['trips'], { source, ttl: '2h' }),
      view('customers', ['customer'], ['balance']),
      view('orders', ['driver_id', 'customer'], ['done']),
      view('places', ['place_id'], ['temperature'], { pushSource: 'weather' }),
      view('checked', ['driver_id'], ['text']),
      view('stated', ['driver_id'], ['value'], { source: { ...source, table: 'demo.e2e' } }),
      view('e2e', ['driver_id'], null),
      view('lists', ['driver_id'], Object.keys(LISTS)),
    ],
    featureServices: [
      {
        name: 'model',
        features: [
          { view: 'drivers', features: ['conv_rate'] },
          { view: 'orders', features: ['done'] },
        ],
      },
      {
        name: 'route',
        features: ['origin', 'destination'].map((alias) => ({
          view: 'places',
          alias,
          features: ['temperature'],
          joinKeyMap: { place_id: `${alias}_id` },
        })),
      },
    ],
  };
}

describeInterop("Feast's universal tests of online stores, asked anew", () => {
  const ends: (() => Promise<void>)[] = [];
  const atEnd = (end: () => Promise<void>): void => void ends.push(end);
  let feast: FeastSession;
  let side: SideBySide;
  let urls: { readonly feast: string; readonly moraine: string };

  beforeAll(async () => {
    feast = FeastSession.open();
    atEnd(() => feast.close());
    side = await SideBySide.open(feast, 'duckdb', atEnd);
    await tables(side);
    await side.define(definitions(), undefined, { places: 'weather' });
    const { folder } = side.lab;
    writeServiceConfig(folder);
    const project = await createMoraine({ cwd: folder });
    await project.apply(definitions());
    await project.close();
    for (const view of ['drivers', 'customers', 'orders', 'places']) await materialize(view, 0, -9);
    urls = {
      feast: await startFeastServer(join(folder, 'feast'), atEnd),
      moraine: (await launchService(folder, [], atEnd)).url,
    };
  }, 300_000);
  afterAll(async () => {
    for (const end of ends.toReversed()) await end();
  });

  async function materialize(view: string, end: number, start?: number): Promise<void> {
    const answers = await side.materialize(view, hours(end), start === undefined ? undefined : hours(start));
    expect(answers).toEqual({ feast: 'done', moraine: 'done' });
  }

  async function askOne(server: 'feast' | 'moraine', question: Question): Promise<Answer> {
    const answer = (await feast.ask('remote', { url: urls[server], ...question })) as {
      readonly columns: Readonly<Record<string, readonly (readonly [string, string, string])[]>>;
    };
    const columns = Object.entries(answer.columns).map(([name, cells]) => {
      return [name, cells.map(([, value, status]) => [value, status] as const)] as const;
    });
    return { columns: Object.fromEntries(columns) };
  }
  const ask = async (question: Question) => ({
    feast: await askOne('feast', question),
    moraine: await askOne('moraine', question),
  });
  /** Both, where they answer alike. */
  async function expectBoth(question: Question, answer: unknown): Promise<void> {
    const answers = await ask(question);
    expect(answers.moraine.columns).toEqual(answer);
    expect(answers.feast.columns).toEqual(answer);
  }

  /** Feast's client writes rows to Moraine, and Feast to its own store. @param columns literals of Python */
  async function write(target: object, columns: Readonly<Record<string, readonly string[]>>): Promise<void> {
    await feast.ask('write', { ...target, columns });
    await feast.ask('write', { url: urls.moraine, ...target, columns });
  }
  const rows = (keys: readonly number[], time: number) => ({
    driver_id: keys.map(String),
    event_ts: keys.map(() => literal(time)),
    created: keys.map(() => literal(time)),
  });

  async function post(server: 'feast' | 'moraine', path: string, body: object): Promise<Response> {
    // Feast's server closes connections that were idle for seconds, perhaps just when one is used again.
    const headers = { 'content-type': 'application/json', connection: 'close' };
    return await fetch(`${urls[server]}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  }

  const trips = [
    { driver_id: 1, customer: 'a' },
    { driver_id: 2, customer: 'b' },
    { driver_id: 1, customer: 'b' },
    { driver_id: 9, customer: 'z' },
  ];
  const keys = { driver_id: found('1', '2', '1', '9'), customer: found("'a'", "'b'", "'b'", "'z'") };

  test('online_retrieval: several views, keys of one column and of two, short names and full ones', async () => {
    const features = ['drivers:conv_rate', 'drivers:trips', 'customers:balance', 'orders:done'];
    const values = {
      drivers__conv_rate: [...found('0.5', '0.75', '0.5'), MISSING],
      drivers__trips: [...found('4', '5', '4'), MISSING],
      customers__balance: [...found('10.5', '20.5', '20.5'), MISSING],
      orders__done: [...found('True', 'False'), MISSING, MISSING],
    };
    await expectBoth({ features, entities: trips, fullFeatureNames: true }, { ...keys, ...values });
    const short = Object.entries(values).map(([name, cells]) => [name.replace(/.*__/, ''), cells]);
    await expectBoth({ features, entities: trips }, { ...keys, ...Object.fromEntries(short) });
    await expectBoth(
      { features: features.slice(0, 1), entities: [{ driver_id: 2 }] },
      {
        driver_id: found('2'),
        conv_rate: found('0.75'),
      },
    );
  });

  test('online_retrieval: a feature service, and one of a view under two names with other join keys', async () => {
    await expectBoth(
      { service: 'model', entities: trips },
      {
        ...keys,
        conv_rate: [...found('0.5', '0.75', '0.5'), MISSING],
        done: [...found('True', 'False'), MISSING, MISSING],
      },
    );
    const entities = [
      { origin_id: 7, destination_id: 8 },
      { origin_id: 8, destination_id: 9 },
    ];
    await expectBoth(
      { service: 'route', entities, fullFeatureNames: true },
      {
        origin_id: found('7', '8'),
        destination_id: found('8', '9'),
        origin__temperature: found('1.5', '2.5'),
        destination__temperature: [...found('2.5'), MISSING],
      },
    );
    // Short names collide.
    const body = { feature_service: 'route', entities: { origin_id: [7], destination_id: [8] } };
    const refused = await post('moraine', '/get-online-features', body);
    expect([refused.status, await refused.json()]).toMatchObject([409, { code: 'DUPLICATE_NAME' }]);
    expect((await post('feast', '/get-online-features', body)).status).toBe(500);
  });

  test('online_retrieval_with_shared_batch_source: two views of one table have the features that each of them names', async () => {
    await write({ view: 'drivers_v1' }, { ...rows([1, 2], -2), trips: ['14', '15'] });
    await write({ view: 'drivers_v2' }, { ...rows([1, 2], -2), trips: ['24', '25'], conv_rate: ['0.125', '0.375'] });
    const entities = [{ driver_id: 1 }, { driver_id: 2 }];
    await expectBoth(
      { features: ['drivers_v1:trips', 'drivers_v2:trips'], entities, fullFeatureNames: true },
      {
        driver_id: found('1', '2'),
        drivers_v1__trips: found('14', '15'),
        drivers_v2__trips: found('24', '25'),
      },
    );
    const body = { features: ['drivers_v1:conv_rate'], entities: { driver_id: [1, 2] } };
    const refused = await post('moraine', '/get-online-features', body);
    expect([refused.status, await refused.json()]).toMatchObject([404, { code: 'FEATURE_NOT_FOUND' }]);
    expect((await post('feast', '/get-online-features', body)).ok).toBe(false);
  });

  test('online_retrieval_with_event_timestamps: each value has the event time of its row', async () => {
    // Of a feature server's answer the client drops them: this is what the servers answer.
    const body = {
      features: ['drivers:conv_rate', 'drivers:trips', 'customers:balance'],
      entities: { driver_id: [1, 2], customer: ['a', 'b'] },
    };
    const times = async (server: 'feast' | 'moraine') => {
      const answer = (await (await post(server, '/get-online-features', body)).json()) as {
        readonly metadata: { readonly feature_names: readonly string[] };
        readonly results: readonly { readonly event_timestamps: readonly string[] }[];
      };
      const inMs = answer.results.map((result) => result.event_timestamps.map(Date.parse));
      return Object.fromEntries(answer.metadata.feature_names.map((name, index) => [name, inMs[index]]));
    };
    const [three, four] = [NOW_MS - 3 * HOUR_MS, NOW_MS - 4 * HOUR_MS];
    const none = [0, 0];
    const answer = {
      ...{ driver_id: none, customer: none },
      ...{ conv_rate: [three, four], trips: [three, four], balance: [four, three] },
    };
    expect(await times('moraine')).toEqual(answer);
    expect(await times('feast')).toEqual(answer);
  });

  test('write_to_online_store, event_check: the newest event time stays, materialized or written', async () => {
    const entities = [11, 12, 13].map((driver_id) => ({ driver_id }));
    const question = { features: ['checked:text'], entities };
    const read = async (server: 'feast' | 'moraine') =>
      (await askOne(server, question)).columns['text']?.map(([value]) => value);

    await write({ view: 'checked' }, { ...rows([11], -3), text: ["'written'"] });
    await expectBoth(question, { driver_id: found('11', '12', '13'), text: [...found("'written'"), MISSING, MISSING] });
    await write({ view: 'checked' }, { ...rows([11, 12, 13], -4), text: ["'late'", "'early'", "'early'"] });
    expect(await read('moraine')).toEqual(["'written'", "'early'", "'early'"]);
    // Feast's SQLite store keeps what is written last; the test of Feast is of its Redis store.
    expect(await read('feast')).toEqual(["'late'", "'early'", "'early'"]);
    await write({ view: 'checked' }, { ...rows([11], -1), text: ["'newest'"] });
    await expectBoth(question, {
      driver_id: found('11', '12', '13'),
      text: found("'newest'", "'early'", "'early'"),
    });
    await materialize('checked', 0, -12);
    await expect.poll(() => read('moraine'), { timeout: 30_000 }).toEqual(["'newest'", "'source'", "'source'"]);
    expect(await read('feast')).toEqual(["'old'", "'source'", "'source'"]);
  });

  test('entity_ttl_online_store: a value older than the ttl of its view is withheld; of Feast this asks Redis alone', async () => {
    const old = rows([21], -4);
    await write({ view: 'expiring' }, { ...old, trips: ['4'] });
    const young = new Date(Date.now() - HOUR_MS).toISOString().replace('Z', '');
    await write(
      { view: 'expiring' },
      {
        ...{ driver_id: ['22'], event_ts: [`'${young}'`], created: [`'${young}'`] },
        trips: ['5'],
      },
    );
    const { moraine, feast: sqlite } = await ask({
      features: ['expiring:trips'],
      entities: [{ driver_id: 21 }, { driver_id: 22 }],
    });
    expect(moraine.columns['trips']).toEqual([['None', 'OUTSIDE_MAX_AGE'], ...found('5')]);
    expect(sqlite.columns['trips']).toEqual(found('4', '5'));
  });

  test('push_features_and_read; get_online_features, push, push_source_does_not_exist of the feature server', async () => {
    const question = { features: ['places:temperature'], entities: [{ place_id: 7 }, { place_id: 9 }] };
    const answer = (...cells: unknown[]) => ({ place_id: found('7', '9'), temperature: cells });
    await expectBoth(question, answer(...found('1.5'), MISSING));
    await write(
      { pushSource: 'weather' },
      {
        ...{ place_id: ['9'], event_ts: [literal(-2)], created: [literal(-2)] },
        temperature: ['4.0'],
      },
    );
    await expectBoth(question, answer(...found('1.5', '4.0')));

    const df = { place_id: [7], temperature: [150.0], event_ts: [hours(-1)], created: [hours(-1)] };
    for (const server of ['feast', 'moraine'] as const) {
      const pushed = await post(server, '/push', { push_source_name: 'weather', df, to: 'online' });
      expect([server, pushed.status]).toEqual([server, 200]);
      const read = { features: ['places:temperature'], entities: { place_id: [7, 9] } };
      expect(await (await post(server, '/get-online-features', read)).json()).toMatchObject({
        metadata: { feature_names: ['place_id', 'temperature'] },
        results: [
          { values: [7, 9], statuses: ['PRESENT', 'PRESENT'] },
          { values: [150, 4], statuses: ['PRESENT', 'PRESENT'] },
        ],
      });
    }
    const nowhere = { push_source_name: 'elsewhere', df, to: 'online' };
    expect((await post('feast', '/push', nowhere)).status).toBe(422);
    expect((await post('moraine', '/push', nowhere)).status).toBe(404);
  });

  test('remote_online_store_read: unknown entities, one feature and several, a view that does not exist', async () => {
    await expectBoth(
      { features: ['drivers:conv_rate', 'drivers:trips'], entities: [{ driver_id: 1234 }] },
      {
        driver_id: found('1234'),
        conv_rate: [MISSING],
        trips: [MISSING],
      },
    );
    const question = { features: ['elsewhere:conv_rate', 'drivers:trips'], entities: [{ driver_id: 1 }] };
    await expect(askOne('moraine', question)).rejects.toThrow(/There is no feature view 'elsewhere'/);
    await expect(askOne('feast', question)).rejects.toThrow(/[Ff]eature view elsewhere does not exist/);
  });

  test('e2e_consistency: a window, then incrementally, the same online as offline', async () => {
    const entities = [1, 2, 3].map((driver_id) => ({ driver_id }));
    const consistent = async (time: number, values: readonly (number | null)[]): Promise<void> => {
      for (const view of ['stated', 'e2e']) {
        const name = `${view}__value`;
        const online = async (server: 'feast' | 'moraine') => {
          const { columns } = await askOne(server, { features: [`${view}:value`], entities, fullFeatureNames: true });
          return columns[name]?.map(([value]) => (value === 'None' ? null : Number(value)));
        };
        await expect.poll(() => online('moraine'), { timeout: 30_000 }).toEqual(values);
        expect(await online('feast')).toEqual(values);
        const asked = entities.map((entity) => ({ ...entity, event_timestamp: hours(time).replace('Z', '000Z') }));
        const offline = asked.map((entity, index) => ({ ...entity, [name]: values[index] }));
        expect(await side.historical({ features: [`${view}:value`], entities: asked, fullFeatureNames: true })).toEqual(
          {
            feast: offline,
            moraine: offline,
          },
        );
      }
    };
    for (const view of ['stated', 'e2e']) await materialize(view, -2, -5);
    await consistent(-2, [0.5, null, 4]);
    for (const view of ['stated', 'e2e']) await materialize(view, 0);
    await consistent(0, [0.5, null, 5]);
  });

  test('feature_get_online_features_types_match: lists of every type, with values and empty', async () => {
    await materialize('lists', -2, -9);
    const names = Object.keys(LISTS);
    const features = names.map((name) => `lists:${name}`);
    const question = { features, entities: [{ driver_id: 1 }] };
    const status = async () => (await askOne('moraine', question)).columns['ints']?.[0]?.[1];
    await expect.poll(status, { timeout: 30_000 }).toBe('PRESENT');
    await expectBoth(question, {
      driver_id: found('1'),
      ...Object.fromEntries(Object.entries(LISTS).map(([name, [, , python]]) => [name, found(python)])),
    });
    // Its client cannot read an empty list, whoever answers: this is what the servers answer.
    const body = { features, entities: { driver_id: [2] } };
    for (const server of ['feast', 'moraine'] as const) {
      const empty = { features, entities: [{ driver_id: 2 }] };
      await expect(askOne(server, empty)).rejects.toThrow("Couldn't infer value type from empty value");
      const answer = (await (await post(server, '/get-online-features', body)).json()) as {
        readonly results: readonly { readonly values: unknown; readonly statuses: unknown }[];
      };
      const cells = answer.results.map(({ values, statuses }) => [values, statuses]);
      expect(cells).toEqual([2, ...names.map(() => [])].map((value) => [[value], ['PRESENT']]));
    }
  });
});
