/**
 * The questions of Feast's universal tests of materialization (`test_universal_materialization.py`, `e2e_test_validation.py`), and what else of
 * it both sides do alike: materialize, then read online; of Moraine and, beside it, of the real Feast (DuckDB store, SQLite online
 * store). Expected values are worked out by hand; where the two differ is in `feast-deviations`.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FeastSession } from '../support/feast-session.js';
import { describeInterop } from '../support/python.js';
import { type Answers, type Entity, SideBySide } from '../support/side-by-side.js';

const HOUR_MS = 3_600_000;
const NOW_MS = Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
/** Hours from the beginning of this hour: Feast materializes and reads by the clock. */
const hours = (count: number): string => new Date(NOW_MS + count * HOUR_MS).toISOString();

const both = (answer: unknown): unknown => ({ feast: answer, moraine: answer });
const DONE = both('done');
const present = (...values: unknown[]): unknown => values.map((value) => [['PRESENT', value]]);

/** Both answers without their statuses: Feast tells a null that it found and one that is not there apart, but not by `NULL_VALUE`. */
function values({ feast, moraine }: Answers): unknown {
  const only = (rows: unknown): unknown =>
    Array.isArray(rows) ? (rows as [string, unknown][][]).map((row) => row.map(([, value]) => value)) : rows;
  return { feast: only(feast), moraine: only(moraine) };
}

interface View {
  readonly name?: string;
  readonly table?: string;
  readonly keys?: readonly string[];
  readonly ttl?: string;
  readonly fieldMapping?: Readonly<Record<string, string>>;
}

/** Views with their event time in `event_ts` and the time of writing in `created`. */
function definitions(...views: readonly View[]) {
  const keys = new Set(views.flatMap((view) => view.keys ?? ['driver_id']));
  return {
    entities: [...keys].map((key) => ({ name: key, joinKeys: [key] })),
    featureViews: views.map((view) => ({
      name: view.name ?? 'v',
      entities: view.keys ?? ['driver_id'],
      source: {
        table: view.table ?? 'demo.t',
        timestampField: 'event_ts',
        createdTimestampField: 'created',
        fieldMapping: view.fieldMapping ?? {},
      },
      online: true,
      ...(view.ttl === undefined ? {} : { ttl: view.ttl }),
    })),
  };
}

const TIMES = { event_ts: 'timestamptz', created: 'timestamptz' };
const row = (key: unknown, time: number, value: unknown, created = time): string =>
  `(${String(key)}, '${hours(time)}', '${hours(created)}', ${String(value)})`;

describeInterop("Feast's universal tests of materialization, asked anew", () => {
  let feast: FeastSession;
  beforeAll(() => {
    feast = FeastSession.open();
  });
  afterAll(() => feast.close());

  /** A view `v` of rows (driver, event time, created, value). */
  async function world(view: View, ...commits: string[]): Promise<SideBySide> {
    const side = await SideBySide.open(feast);
    await side.table('demo.t', { driver_id: 'long', ...TIMES, value: 'double' }, ...commits);
    await side.define(definitions(view));
    return side;
  }
  const online = (side: SideBySide, ...drivers: number[]) =>
    side.online(
      ['v:value'],
      drivers.map((driver_id) => ({ driver_id })),
    );

  test('universal_materialization_consistency: a window, then incrementally, each the same online as offline', async () => {
    const side = await SideBySide.open(feast);
    const inZone = (count: number, zone: number, offset: string) => hours(count + zone).replace('Z', offset);
    await side.table(
      'demo.t',
      { driver_id: 'int', ts_1: 'timestamptz', created: 'timestamptz', value: 'float' },
      `(1, '${hours(-4)}', '${hours(0)}', 0.125), (2, '${hours(0)}', '${hours(0)}', NULL), (1, '${hours(-3)}', '${hours(0)}', 0.25),
       (3, '${inZone(-4, 1, '+01:00')}', '${hours(0)}', 4), (3, '${inZone(-1, -8, '-08:00')}', '${hours(0)}', 5)`,
    );
    await side.define(definitions({ ttl: '52w', fieldMapping: { ts_1: 'event_ts' } }));
    const offline = (driver_id: number, count: number) => ({
      driver_id,
      event_timestamp: hours(count).replace('Z', '000Z'),
    });
    const retrieved = (entities: readonly Entity[]) => side.historical({ features: ['v:value'], entities });

    expect(await side.materialize('v', hours(-1.01), hours(-5))).toEqual(DONE);
    expect(values(await online(side, 1, 2, 3))).toEqual(both([[0.25], [null], [4]]));
    const early = [1, 2, 3].map((driver) => offline(driver, -1.01));
    expect(await retrieved(early)).toEqual(
      both(early.map((entity, index) => ({ ...entity, value: [0.25, null, 4][index] }))),
    );

    expect(await side.materialize('v', hours(0.01))).toEqual(DONE);
    expect(values(await online(side, 1, 2, 3))).toEqual(both([[0.25], [null], [5]]));
    const late = [1, 2, 3].map((driver) => offline(driver, 0.01));
    expect(await retrieved(late)).toEqual(
      both(late.map((entity, index) => ({ ...entity, value: [0.25, null, 5][index] }))),
    );
  });

  test('latest rows: the newest event time, then the newest created, wherever the row is written', async () => {
    const first = [row(1, -5, 1), row(1, -3, 2), row(2, -4, 3, -2), row(2, -4, 4, -3), row(3, -6, 5)];
    const side = await world({}, first.join(', '), `${row(1, -4, 6)}, ${row(3, -5, 7)}`);
    expect(await side.materialize('v', hours(0), hours(-9))).toEqual(DONE);
    expect(await online(side, 1, 2, 3, 1)).toEqual(both(present(2, 3, 7, 2)));
    expect(await online(side, 4, 3)).toEqual(both([[['NOT_FOUND', null]], [['PRESENT', 7]]]));
  });

  test('a window has what is in it, its start included', async () => {
    const side = await world({}, `${row(1, -6, 1)}, ${row(2, -5, 2)}, ${row(3, -4, 3)}, ${row(3, -2, 4)}`);
    expect(await side.materialize('v', hours(-3), hours(-5))).toEqual(DONE);
    expect(await online(side, 1, 2, 3)).toEqual(both([[['NOT_FOUND', null]], [['PRESENT', 2]], [['PRESENT', 3]]]));
    expect(await side.materialize('v', hours(-5), hours(-3))).toEqual({
      feast: 'ValueError',
      moraine: 'INVALID_ARGUMENT',
    });
  });

  test('ttl: rows that are not older are served', async () => {
    const side = await world({ ttl: '6h' }, `${row(1, -5, 1)}, ${row(2, -1, 2)}`);
    expect(await side.materialize('v', hours(0))).toEqual(DONE);
    expect(await online(side, 1, 2)).toEqual(both(present(1, 2)));
  });

  test('full, twice: the same window again changes nothing', async () => {
    const side = await world({}, `${row(1, -5, 1)}, ${row(2, -4, 2)}`);
    const runAndRead = async (): Promise<unknown> => {
      expect(await side.materialize('v', hours(0), hours(-9))).toEqual(DONE);
      return await online(side, 1, 2);
    };
    expect(await runAndRead()).toEqual(both(present(1, 2)));
    expect(await runAndRead()).toEqual(both(present(1, 2)));
  });

  test('incremental: what is new, and nothing when nothing is', async () => {
    const side = await world({}, `${row(1, -9, 1)}, ${row(2, -9, 2)}`);
    expect(await side.materialize('v', hours(-6))).toEqual(DONE);
    expect(await online(side, 1, 2)).toEqual(both(present(1, 2)));
    await side.append('demo.t', `${row(1, -5, 3)}, ${row(3, -4, 4)}`);
    expect(await side.materialize('v', hours(-3))).toEqual(DONE);
    expect(await online(side, 1, 2, 3)).toEqual(both(present(3, 2, 4)));
    expect(await side.materialize('v', hours(-2))).toEqual(DONE);
    await side.append('demo.t', row(2, -1, 5));
    expect(await side.materialize('v', hours(0))).toEqual(DONE);
    expect(await online(side, 1, 2, 3)).toEqual(both(present(3, 5, 4)));
  });

  test('incremental: rows after the end come with the next run', async () => {
    const side = await world({}, `${row(1, -9, 1)}, ${row(1, -3, 2)}, ${row(2, -3, 3)}`);
    expect(await side.materialize('v', hours(-6))).toEqual(DONE);
    expect(await online(side, 1, 2)).toEqual(both([[['PRESENT', 1]], [['NOT_FOUND', null]]]));
    expect(await side.materialize('v', hours(0))).toEqual(DONE);
    expect(await online(side, 1, 2)).toEqual(both(present(2, 3)));
  });

  test('backfilled rows: a window that is materialized again has the correction and what came late', async () => {
    const side = await world({}, `${row(1, -5, 1)}, ${row(2, -5, 2)}`);
    expect(await side.materialize('v', hours(-2), hours(-9))).toEqual(DONE);
    await side.append('demo.t', `${row(1, -5, 10, -1)}, ${row(2, -6, 20, -1)}, ${row(3, -8, 30, -1)}`);
    expect(await side.materialize('v', hours(-2), hours(-9))).toEqual(DONE);
    expect(await online(side, 1, 2, 3)).toEqual(both(present(10, 2, 30)));
  });

  test('null features: the null of the newest row, not an older value', async () => {
    const side = await SideBySide.open(feast);
    await side.table(
      'demo.t',
      { driver_id: 'long', ...TIMES, value: 'double', text: 'string' },
      `(1, '${hours(-5)}', '${hours(-5)}', 1, 'old'), (2, '${hours(-5)}', '${hours(-5)}', 2, 'kept')`,
      `(1, '${hours(-3)}', '${hours(-3)}', NULL, 'new')`,
    );
    await side.define(definitions({}));
    expect(await side.materialize('v', hours(0), hours(-9))).toEqual(DONE);
    const entities = [{ driver_id: 1 }, { driver_id: 2 }, { driver_id: 3 }];
    const expected = [
      [null, 'new'],
      [2, 'kept'],
      [null, null],
    ];
    expect(values(await side.online(['v:value', 'v:text'], entities))).toEqual(both(expected));
  });

  test('several entities: keys of two types, told apart', async () => {
    const side = await SideBySide.open(feast);
    const rows = [`(1, '23'`, `(12, '3'`, `(1, '3'`].map(
      (keys, index) => `${keys}, '${hours(-5)}', '${hours(-5)}', ${index})`,
    );
    await side.table('demo.t', { driver_id: 'long', zone: 'string', ...TIMES, value: 'int' }, rows.join(', '));
    await side.define(definitions({ keys: ['driver_id', 'zone'] }));
    expect(await side.materialize('v', hours(0), hours(-9))).toEqual(DONE);
    const entities = [
      { driver_id: 1, zone: '3' },
      { driver_id: 12, zone: '3' },
      { driver_id: 1, zone: '23' },
      { driver_id: 12, zone: '23' },
    ];
    const expected = [[['PRESENT', 2]], [['PRESENT', 1]], [['PRESENT', 0]], [['NOT_FOUND', null]]];
    expect(await side.online(['v:value'], entities)).toEqual(both(expected));
  });

  test('several views: each of its own rows', async () => {
    const side = await world({}, row(1, -5, 1));
    await side.table('demo.zones', { zone: 'string', ...TIMES, demand: 'long' }, row("'a'", -4, 7));
    await side.define(definitions({}, { name: 'zones', table: 'demo.zones', keys: ['zone'] }));
    for (const view of ['v', 'zones']) expect(await side.materialize(view, hours(0), hours(-9))).toEqual(DONE);
    const entities = [
      { driver_id: 1, zone: 'a' },
      { driver_id: 2, zone: 'a' },
    ];
    expect(await side.online(['v:value', 'zones:demand'], entities)).toEqual(
      both([
        [
          ['PRESENT', 1],
          ['PRESENT', 7],
        ],
        [
          ['NOT_FOUND', null],
          ['PRESENT', 7],
        ],
      ]),
    );
  });

  test('field mapping: the key, both times and the feature have other names in the source', async () => {
    const side = await SideBySide.open(feast);
    const columns = { id: 'long', happened: 'timestamptz', written: 'timestamptz', n: 'int' };
    await side.table('demo.t', columns, `${row(1, -5, 1)}, ${row(1, -5, 2, -4)}, ${row(2, -3, 3)}`);
    const fieldMapping = { id: 'driver_id', happened: 'event_ts', written: 'created', n: 'value' };
    await side.define(definitions({ fieldMapping }));
    expect(await side.materialize('v', hours(0), hours(-9))).toEqual(DONE);
    expect(await online(side, 1, 2)).toEqual(both(present(2, 3)));
  });

  test('all types that Feast serves', async () => {
    const side = await SideBySide.open(feast);
    const types = {
      flag: 'boolean',
      small: 'int',
      large: 'long',
      single: 'float',
      double: 'double',
      text: 'string',
      bytes: 'binary',
      moment: 'timestamptz',
      ints: 'list<int>',
      flags: 'list<boolean>',
      texts: 'list<string>',
    };
    const sql = `true, -7, 9007199254740991, 0.5, 0.1, 'Brötchen', '\\x00\\xFF'::BLOB, '2001-02-03 04:05:06+05:45', [1, 3], [true], ['x', '']`;
    await side.table(
      'demo.t',
      { driver_id: 'long', ...TIMES, ...types },
      `(1, '${hours(-5)}', '${hours(-5)}', ${sql})`,
    );
    await side.define(definitions({}));
    expect(await side.materialize('v', hours(0), hours(-9))).toEqual(DONE);
    const expected = [
      true,
      -7,
      9007199254740991,
      0.5,
      0.1,
      'Brötchen',
      '00ff',
      '2001-02-02T22:20:06.000000Z',
      [1, 3],
      [true],
      ['x', ''],
    ];
    const features = Object.keys(types).map((name) => `v:${name}`);
    expect(await side.online(features, [{ driver_id: 1 }])).toEqual(
      both([expected.map((value) => ['PRESENT', value])]),
    );
  });
});
