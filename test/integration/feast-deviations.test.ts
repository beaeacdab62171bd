/**
 * Where Moraine and the real Feast answer differently: the list of `docs/migrating-from-feast.md` under "What answers differently", one
 * test for each number, with one input for both and the exact answer of each. All other questions get equal answers (`feast-universal`,
 * `feast-materialization`, `feast-worlds`).
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FeastSession } from '../support/feast-session.js';
import { projectRoot } from '../support/paths.js';
import { describeInterop } from '../support/python.js';
import { SideBySide } from '../support/side-by-side.js';

/** A moment of March 2026: `at('01T10:00')`. */
const at = (text: string): string => `2026-03-${text}:00.000000Z`;
const HOUR_MS = 3_600_000;
const NOW_MS = Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
/** Hours from the beginning of this hour: Feast materializes and reads by the clock. */
const hours = (count: number): string => new Date(NOW_MS + count * HOUR_MS).toISOString();

interface World {
  readonly store?: 'duckdb' | 'dask';
  readonly ttl?: string;
  /** Type of the join key. */
  readonly key?: string;
  /** Type of the event time. */
  readonly time?: string;
  /** The view does not say when rows were created. */
  readonly created?: false;
  readonly feature?: readonly [name: string, type: string];
  readonly entities?: readonly string[];
}

const TABLE = 'demo.trips';

describeInterop('Feast answers differently', () => {
  let feast: FeastSession;
  beforeAll(() => {
    feast = FeastSession.open();
  });
  afterAll(() => feast.close());

  /** A view `v` of rows (key, event time, created, feature), in the given commits. */
  async function world(options: World, ...commits: string[]): Promise<SideBySide> {
    const { store, ttl, key = 'long', time = 'timestamptz', feature: [name, type] = ['trips', 'long'] } = options;
    const side = await SideBySide.open(feast, store);
    await side.table(TABLE, { k: key, event_ts: time, created: 'timestamptz', [name]: type }, ...commits);
    const view = {
      name: 'v',
      entities: options.entities ?? ['thing'],
      source: {
        table: TABLE,
        timestampField: 'event_ts',
        ...(options.created === false ? {} : { createdTimestampField: 'created' }),
      },
      features: [name],
      online: true,
      ...(ttl === undefined ? {} : { ttl }),
    };
    await side.define({ entities: [{ name: 'thing', joinKeys: ['k'] }], featureViews: [view] });
    return side;
  }

  const row = (key: unknown, time: string, value: unknown, created = time): string =>
    `(${String(key)}, '${time}', '${created}', ${String(value)})`;
  const trips = (side: SideBySide, entities: Parameters<SideBySide['historical']>[0]['entities'], more = {}) =>
    side.historical({ features: ['v:trips'], entities: entities ?? [], ...more });
  const served = (side: SideBySide, ...keys: (number | null)[]) =>
    side.online(
      ['v:trips'],
      keys.map((k) => ({ k })),
    );
  const done = { feast: 'done', moraine: 'done' };

  test('every number of the list has its test', () => {
    const numbers = (file: string, pattern: RegExp) =>
      [...readFileSync(join(projectRoot, file), 'utf8').matchAll(pattern)].map(([, number]) => Number(number));
    const listed = numbers('docs/migrating-from-feast.md', /^\| (\d+) \|/gm);
    expect(listed).toEqual(Array.from({ length: 30 }, (_, index) => index + 1));
    expect(numbers('test/integration/feast-deviations.test.ts', /^ {2}test\('(\d+)\. /gm)).toEqual(listed);
  });

  test('1. rows come in the order of the entity rows', async () => {
    const rows = Array.from({ length: 2000 }, (_, index) =>
      row(index % 7, `2026-03-01T00:00:00Z'::TIMESTAMPTZ + INTERVAL '${index} SECOND`, index, at('01T00:00')),
    );
    const side = await world({}, rows.join(', '));
    // The last rows of keys 0 to 6; there are none of 7 and 8.
    const last = [1995, 1996, 1997, 1998, 1999, 1993, 1994, null, null];
    const entities = Array.from({ length: 400 }, (_, index) => ({
      index,
      k: (index * 5) % 9,
      event_timestamp: at(`0${2 + (index % 5)}T12:00`),
    }));
    const question = { features: ['v:trips'], entities };
    const expected = entities.map((entity) => ({ ...entity, trips: last[entity.k] }));
    const byFeast = await side.feastRows(question);
    expect(byFeast).not.toEqual(expected);
    expect(byFeast.toSorted((a, b) => Number(a.index) - Number(b.index))).toEqual(expected);
    expect(await side.moraineRows(question)).toEqual(expected);

    // The Dask store has the order of the feature rows' times.
    const dask = await world({ store: 'dask' }, `${row(1, at('01T09:00'), 1)}, ${row(2, at('01T08:00'), 2)}`);
    const two = [1, 2].map((k) => ({ k, event_timestamp: at('01T12:00') }));
    const found = two.map((entity) => ({ ...entity, trips: entity.k }));
    expect(await dask.feastRows({ features: ['v:trips'], entities: two })).toEqual(found.toReversed());
    expect(await dask.moraineRows({ features: ['v:trips'], entities: two })).toEqual(found);
  });

  test('2. one row for each entity row: the Dask store leaves out rows without a value and repeated ones', async () => {
    const side = await world({ store: 'dask', ttl: '1d' }, row(1, at('01T10:00'), 1), row(2, at('01T10:00'), 2));
    const entities = [
      { k: 1, event_timestamp: at('01T12:00') },
      { k: 1, event_timestamp: at('01T12:00') },
      { k: 1, event_timestamp: at('01T09:00') },
      { k: 2, event_timestamp: at('05T09:00') },
      { k: 3, event_timestamp: at('01T12:00') },
    ];
    const [first, second, early, late, unknown] = entities;
    expect(await trips(side, entities)).toEqual({
      feast: [
        { ...second, trips: 1 },
        { ...unknown, trips: null },
      ],
      moraine: [
        { ...first, trips: 1 },
        { ...second, trips: 1 },
        { ...early, trips: null },
        { ...late, trips: null },
        { ...unknown, trips: null },
      ],
    });
  });

  test('3. a null join key matches nothing: in the Dask store it matches null', async () => {
    const side = await world({ store: 'dask' }, `${row('NULL', at('01T10:00'), 5)}, ${row(1, at('01T10:00'), 1)}`);
    const entities = [null, 1].map((k) => ({ k, event_timestamp: at('01T12:00') }));
    expect(await trips(side, entities)).toEqual({
      feast: [
        { ...entities[0], trips: 5 },
        { ...entities[1], trips: 1 },
      ],
      moraine: [
        { ...entities[0], trips: null },
        { ...entities[1], trips: 1 },
      ],
    });
  });

  test('4. rows of one event and created time: the later commit wins, then the larger value; in Feast the place in the file', async () => {
    const entities = [{ k: 1, event_timestamp: at('01T12:00') }];
    const ask = async (...commits: string[]) => trips(await world({}, ...commits), entities);
    const answers = (byFeast: number, byMoraine: number) => ({
      feast: [{ ...entities[0], trips: byFeast }],
      moraine: [{ ...entities[0], trips: byMoraine }],
    });
    const small = row(1, at('01T10:00'), 1);
    const large = row(1, at('01T10:00'), 2);
    expect(await ask(`${small}, ${large}`)).toEqual(answers(1, 2));
    expect(await ask(`${large}, ${small}`)).toEqual(answers(2, 2));
    expect(await ask(large, small)).toEqual(answers(2, 1));
  });

  test('5. what was known at the time, of rows that do not say when they were created: refused', async () => {
    const side = await world({ created: false }, row(1, at('01T10:00'), 1, at('09T10:00')));
    const entities = [{ k: 1, event_timestamp: at('01T12:00') }];
    expect(await trips(side, entities, { knownAsOf: true })).toEqual({
      feast: [{ ...entities[0], trips: 1 }],
      moraine: 'INVALID_ARGUMENT',
    });
  });

  test('6. nanoseconds are compared as they are: Feast rounds feature times, and refuses entity times', async () => {
    const times = `${row(1, '2026-03-01T10:00:00.000000400', 2, at('01T10:00'))}, ${row(1, '2026-03-01T09:00:00', 1, at('01T10:00'))}`;
    const side = await world({ time: 'timestamp_ns' }, times);
    const entities = [{ k: 1, event_timestamp: at('01T10:00') }];
    expect(await trips(side, entities)).toEqual({
      feast: [{ ...entities[0], trips: 2 }],
      moraine: [{ ...entities[0], trips: 1 }],
    });
    const finer = [{ k: 1, event_timestamp: '2026-03-01T10:00:00.000000400Z' }];
    expect(await trips(side, finer)).toEqual({ feast: 'ArrowInvalid', moraine: [{ ...finer[0], trips: 2 }] });
  });

  test('7. a feature whose name ends in _y', async () => {
    const side = await world({ feature: ['position_y', 'long'] }, row(1, at('01T10:00'), 7));
    const entities = [{ k: 1, event_timestamp: at('01T12:00') }];
    expect(await side.historical({ features: ['v:position_y'], entities })).toEqual({
      feast: 'IbisTypeError',
      moraine: [{ ...entities[0], position_y: 7 }],
    });
  });

  test('8. floating-point join keys are refused', async () => {
    const side = await world({ key: 'double' }, row(1.5, at('01T10:00'), 1));
    const entities = [{ k: 1.5, event_timestamp: at('01T12:00') }];
    expect(await trips(side, entities)).toEqual({
      feast: [{ ...entities[0], trips: 1 }],
      moraine: 'DEFINITION_INVALID',
    });
  });

  test('9. entity rows with keys of another type are refused: Feast compares numbers of any type', async () => {
    const side = await world({}, row(1, at('01T10:00'), 1));
    const entities = [1, 1.5].map((k) => ({ k, event_timestamp: at('01T12:00') }));
    expect(await trips(side, entities)).toEqual({
      feast: [
        { ...entities[0], trips: 1 },
        { ...entities[1], trips: null },
      ],
      moraine: 'TYPE_MISMATCH',
    });
  });

  test('10. no entity rows: every row of the window; the newest of each entity as of its end in the Dask store', async () => {
    const rows = `${row(1, at('01T10:00'), 1)}, ${row(1, at('01T11:00'), 2)}, ${row(2, at('01T10:00'), 3)}`;
    const window = { start: at('01T10:00'), end: at('01T12:00') };
    const moraine = [
      { k: 1, event_timestamp: at('01T10:00'), trips: 1 },
      { k: 2, event_timestamp: at('01T10:00'), trips: 3 },
      { k: 1, event_timestamp: at('01T11:00'), trips: 2 },
    ];
    const question = { features: ['v:trips'], window };
    expect(await (await world({}, rows)).historical(question)).toEqual({ feast: 'TypeError', moraine });
    const dask = await world({ store: 'dask' }, rows);
    expect(await dask.moraineRows(question)).toEqual(moraine);
    expect((await dask.feastRows(question)).toSorted((a, b) => Number(a.k) - Number(b.k))).toEqual([
      { k: 1, event_timestamp: at('01T12:00'), trips: 2 },
      { k: 2, event_timestamp: at('01T12:00'), trips: 3 },
    ]);
  });

  test('11. entity rows from SQL: the local stores want a frame', async () => {
    const side = await world({}, row(1, at('01T10:00'), 1));
    const sql = `SELECT k, event_ts + INTERVAL 1 HOUR AS event_timestamp FROM ${TABLE}`;
    expect(await side.historical({ features: ['v:trips'], sql })).toEqual({
      feast: 'AttributeError',
      moraine: [{ k: 1, event_timestamp: at('01T11:00'), trips: 1 }],
    });
  });

  test('12. a ttl has milliseconds: parts of one are rounded up', async () => {
    const side = await world({ ttl: '2ms' }, row(1, at('01T10:00'), 1));
    await side.define(side.definitions, 1.5);
    const entities = ['500', '501'].map((us) => ({ k: 1, event_timestamp: `2026-03-01T10:00:00.001${us}Z` }));
    expect(await trips(side, entities)).toEqual({
      feast: [
        { ...entities[0], trips: 1 },
        { ...entities[1], trips: null },
      ],
      moraine: [
        { ...entities[0], trips: 1 },
        { ...entities[1], trips: 1 },
      ],
    });
  });

  test('13. a saved dataset has all columns of the entity rows', async () => {
    const side = await world({}, row(1, at('01T10:00'), 1));
    const entities = [{ k: 1, event_timestamp: at('01T12:00'), label: 'yes' }];
    const { label, ...rest } = { ...entities[0], trips: 1 };
    const { rows, stored } = await side.feastSaved({ features: ['v:trips'], entities });
    expect([rows, stored]).toEqual([[rest], [{ ...rest, label }]]);
    const moraine = await side.moraine();
    const to = { table: 'demo.saved' };
    await moraine.saveDataset({ features: ['v:trips'], entities, saveAs: { name: 'saved', to } });
    const read = await moraine.pullAll({ source: to, joinKeys: ['k'], timestampField: 'event_timestamp' });
    expect(await read.toRows()).toEqual([{ ...rest, label }]);
    await read.close();
  });

  test('14. a window is open at its end: Feast takes the row at the very end too', async () => {
    const side = await world({}, `${row(1, hours(-5), 1)}, ${row(1, hours(-3), 2)}`);
    expect(await side.materialize('v', hours(-3), hours(-6))).toEqual(done);
    expect(await served(side, 1)).toEqual({ feast: [[['PRESENT', 2]]], moraine: [[['PRESENT', 1]]] });
    const empty = await world({}, row(1, hours(-5), 1));
    expect(await empty.materialize('v', hours(-5), hours(-5))).toEqual(done);
    expect(await served(empty, 1)).toEqual({ feast: [[['PRESENT', 1]]], moraine: 'TABLE_NOT_FOUND' });
  });

  test('15. an older row does not replace a newer one', async () => {
    const side = await world({}, `${row(1, hours(-5), 1)}, ${row(1, hours(-3), 2)}`);
    expect(await side.materialize('v', hours(-2), hours(-4))).toEqual(done);
    expect(await side.materialize('v', hours(-4), hours(-6))).toEqual(done);
    expect(await served(side, 1)).toEqual({ feast: [[['PRESENT', 1]]], moraine: [[['PRESENT', 2]]] });
  });

  test('16. incremental runs find rows that arrive late', async () => {
    const side = await world({}, row(1, hours(-10), 1));
    expect(await side.materialize('v', hours(-2))).toEqual(done);
    await side.append(TABLE, `${row(1, hours(-5), 2)}, ${row(2, hours(-1), 7)}`);
    expect(await side.materialize('v', hours(0))).toEqual(done);
    expect(await served(side, 1, 2)).toEqual({
      feast: [[['PRESENT', 1]], [['PRESENT', 7]]],
      moraine: [[['PRESENT', 2]], [['PRESENT', 7]]],
    });
  });

  test('17. an end in the far future stops nothing', async () => {
    const side = await world({}, row(1, hours(-10), 1));
    expect(await side.materialize('v', hours(24 * 365))).toEqual(done);
    await side.append(TABLE, row(1, hours(-1), 2));
    expect(await side.materialize('v', hours(1))).toEqual(done);
    expect(await served(side, 1)).toEqual({ feast: [[['PRESENT', 1]]], moraine: [[['PRESENT', 2]]] });
  });

  test('18. a run with a start does not move the progress of incremental ones', async () => {
    const side = await world({}, `${row(1, hours(-10), 1)}, ${row(2, hours(-3), 7)}`);
    expect(await side.materialize('v', hours(-2), hours(-4))).toEqual(done);
    expect(await side.materialize('v', hours(0))).toEqual(done);
    expect(await served(side, 1, 2)).toEqual({
      feast: [[['NOT_FOUND', null]], [['PRESENT', 7]]],
      moraine: [[['PRESENT', 1]], [['PRESENT', 7]]],
    });
  });

  test('19. the first incremental run reads from the beginning: Feast from the ttl, else 52 weeks, ago', async () => {
    const rows = `${row(1, hours(-24 * 400), 1)}, ${row(2, hours(-24 * 300), 2)}`;
    const side = await world({}, rows);
    expect(await side.materialize('v', hours(0))).toEqual(done);
    expect(await served(side, 1, 2)).toEqual({
      feast: [[['NOT_FOUND', null]], [['PRESENT', 2]]],
      moraine: [[['PRESENT', 1]], [['PRESENT', 2]]],
    });
    const short = await world({ ttl: '5h' }, `${row(1, hours(-10), 1)}, ${row(2, hours(-1), 2)}`);
    expect(await short.materialize('v', hours(0))).toEqual(done);
    expect(await served(short, 1, 2)).toEqual({
      feast: [[['NOT_FOUND', null]], [['PRESENT', 2]]],
      moraine: [[['OUTSIDE_MAX_AGE', null]], [['PRESENT', 2]]],
    });
  });

  test('20. rows that were deleted from the source are no longer served', async () => {
    const side = await world({}, row(1, hours(-10), 1), row(2, hours(-9), 2), row(2, hours(-8), 3));
    expect(await side.materialize('v', hours(-2))).toEqual(done);
    await side.remove(TABLE, 2);
    await side.remove(TABLE, 0);
    expect(await side.materialize('v', hours(0))).toEqual(done);
    expect(await served(side, 1, 2)).toEqual({
      feast: [[['PRESENT', 1]], [['PRESENT', 3]]],
      moraine: [[['NOT_FOUND', null]], [['PRESENT', 2]]],
    });
  });

  test('21. rows without a created time are materialized', async () => {
    const side = await world({}, `(1, '${hours(-5)}', NULL, 1)`);
    expect(await side.materialize('v', hours(0), hours(-6))).toEqual({ feast: 'ProgrammingError', moraine: 'done' });
    expect(await served(side, 1)).toEqual({ feast: [[['NOT_FOUND', null]]], moraine: [[['PRESENT', 1]]] });
  });

  test('22. rows with a null join key are left out', async () => {
    const side = await world({}, `${row('NULL', hours(-5), 1)}, ${row(2, hours(-5), 3)}`);
    expect(await side.materialize('v', hours(0), hours(-6))).toEqual({ feast: 'ValueError', moraine: 'done' });
    expect(await served(side, 2)).toEqual({ feast: [[['NOT_FOUND', null]]], moraine: [[['PRESENT', 3]]] });
  });

  test('23. views without entities are materialized', async () => {
    const side = await world({ entities: [] }, `${row(1, hours(-5), 1)}, ${row(1, hours(-4), 2)}`);
    expect(await side.materialize('v', hours(0), hours(-6))).toEqual({ feast: 'ValueError', moraine: 'done' });
    expect((await side.online(['v:trips'], [{}])).moraine).toEqual([[['PRESENT', 2]]]);
  });

  test('24. a row of the future is served from its time on', async () => {
    const side = await world({}, `${row(1, hours(-5), 1)}, ${row(1, hours(24), 2)}`);
    expect(await side.materialize('v', hours(48), hours(-6))).toEqual(done);
    expect(await served(side, 1)).toEqual({ feast: [[['PRESENT', 2]]], moraine: [[['PRESENT', 1]]] });
  });

  test('25. a value older than the ttl is not served', async () => {
    const side = await world({ ttl: '1h' }, row(1, hours(-5), 1));
    expect(await side.materialize('v', hours(0), hours(-6))).toEqual(done);
    expect(await served(side, 1)).toEqual({ feast: [[['PRESENT', 1]]], moraine: [[['OUTSIDE_MAX_AGE', null]]] });
  });

  test('26. a null value is NULL_VALUE', async () => {
    const side = await world({}, row(1, hours(-5), 'NULL'));
    expect(await side.materialize('v', hours(0), hours(-6))).toEqual(done);
    expect(await served(side, 1)).toEqual({ feast: [[['PRESENT', null]]], moraine: [[['NULL_VALUE', null]]] });
  });

  test('27. a null join key that is asked for is not found', async () => {
    const side = await world({}, row(1, hours(-5), 1));
    expect(await side.materialize('v', hours(0), hours(-6))).toEqual(done);
    expect(await served(side, 1, null)).toEqual({
      feast: 'TypeError',
      moraine: [[['PRESENT', 1]], [['NOT_FOUND', null]]],
    });
  });

  test('28. served values are exact: Feast cuts times to seconds and reads integers beside nulls as doubles', async () => {
    const large = await world({}, `${row(1, hours(-5), '9007199254740993')}, ${row(2, hours(-5), 'NULL')}`);
    expect(await large.materialize('v', hours(0), hours(-6))).toEqual(done);
    expect(await served(large, 1)).toEqual({
      feast: [[['PRESENT', 9007199254740992]]],
      moraine: [[['PRESENT', 9007199254740993n]]],
    });
    const times = await world(
      { feature: ['trips', 'timestamptz'] },
      row(1, hours(-5), "'2001-02-03T04:05:06.789012Z'"),
    );
    expect(await times.materialize('v', hours(0), hours(-6))).toEqual(done);
    expect(await served(times, 1)).toEqual({
      feast: [[['PRESENT', '2001-02-03T04:05:06.000000Z']]],
      moraine: [[['PRESENT', '2001-02-03T04:05:06.789012Z']]],
    });
  });

  test('29. types are those of the table: Feast calls times INT64, decimals DOUBLE, uuids STRING', async () => {
    const side = await SideBySide.open(feast);
    const types = { moment: 'timestamptz', price: 'decimal(9, 2)', id: 'uuid', many: 'long' };
    const values = `'2001-02-03T04:05:06Z', 12.25, '00112233-4455-6677-8899-aabbccddeeff', 7`;
    await side.table(TABLE, { k: 'long', event_ts: 'timestamptz', ...types }, `(1, '${at('01T10:00')}', ${values})`);
    expect(await side.feastIceberg(TABLE, 'k', 'event_ts')).toEqual({
      moment: 'Int64',
      price: 'Float64',
      id: 'String',
      many: 'Int64',
    });
    const view = { name: 'v', entities: ['thing'], source: { table: TABLE, timestampField: 'event_ts' } };
    side.lab.define({ entities: [{ name: 'thing', joinKeys: ['k'] }], featureViews: [view] });
    const rows = [{ k: 1, event_timestamp: at('01T12:00') }];
    const features = Object.keys(types).map((name) => `v:${name}`);
    expect((await side.lab.historical({ features, entities: { rows } })).columns.slice(2)).toEqual([
      'moment timestamptz',
      'price decimal(9, 2)',
      'id uuid',
      'many long',
    ]);
    const found = { moment: '2001-02-03T04:05:06.000000Z', price: 12.25, many: 7 };
    const id = '00112233-4455-6677-8899-aabbccddeeff';
    // Feast 0.67 declares a uuid, and then cannot read the table that has one.
    expect(await side.historical({ features, entities: rows })).toEqual({
      feast: 'KeyError',
      moraine: [{ ...rows[0], ...found, id }],
    });
  });

  test('30. names of views that differ in case alone are two names: Feast refuses them', async () => {
    const side = await SideBySide.open(feast);
    await side.table(TABLE, { k: 'long', event_ts: 'timestamptz', trips: 'long' }, `(1, '${at('01T10:00')}', 7)`);
    const source = { table: TABLE, timestampField: 'event_ts' };
    const featureViews = ['rides', 'Rides'].map((name) => ({ name, entities: ['thing'], source, features: ['trips'] }));
    const entities = [{ name: 'thing', joinKeys: ['k'] }];
    await expect(side.define({ entities, featureViews })).rejects.toThrow(/^ConflictingFeatureViewNames/);
    const rows = [{ k: 1, event_timestamp: at('01T12:00') }];
    for (const { name } of featureViews)
      expect(await side.moraineRows({ features: [`${name}:trips`], entities: rows })).toEqual([
        { ...rows[0], trips: 7 },
      ]);
  });
});
