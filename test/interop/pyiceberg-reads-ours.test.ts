/** PyIceberg opens the same SQLite catalog and reads tables that Moraine wrote. */
import { readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { expect, it } from 'vitest';
import { commitOverwrite } from '../../tables/index.js';
import { describeInterop, python } from '../support/python.js';
import { openTableWorld, schemaOf, writeRows } from '../support/table-world.js';

interface Reading {
  readonly rows: readonly Record<string, unknown>[];
  readonly types: Record<string, string>;
  readonly problems: readonly string[];
  readonly files: number;
  readonly summaries: readonly Record<string, string>[];
  readonly sequence_numbers: readonly number[];
}

const byId = (a: Record<string, unknown>, b: Record<string, unknown>): number => Number(a['id']) - Number(b['id']);

describeInterop('PyIceberg reads what Moraine wrote', () => {
  it('every primitive and nested type, with statistics that hold for every file', async () => {
    const world = await openTableWorld();
    const columns = {
      id: 'long',
      b: 'boolean',
      i: 'int',
      f: 'float',
      d: 'double',
      dec: 'decimal(20, 3)',
      day: 'date',
      t: 'time',
      ts: 'timestamp',
      tz: 'timestamptz',
      s: 'string',
      u: 'uuid',
      bin: 'binary',
      st: { type: 'struct', fields: [{ id: 101, name: 'x', required: false, type: 'int' }] },
      li: { type: 'list', 'element-id': 102, element: 'long', 'element-required': false },
      ma: { type: 'map', 'key-id': 103, key: 'string', 'value-id': 104, value: 'double', 'value-required': false },
    };
    await world.create('types', schemaOf(columns));
    const nulls = Array.from({ length: Object.keys(columns).length - 1 }, () => 'NULL').join(', ');
    await world.append(
      'types',
      `SELECT 1, true, -7, 0.5::FLOAT, 0.1::DOUBLE, '-12345678901234567.891'::DECIMAL(20,3), DATE '1969-12-31',
         TIME '23:59:59.999999', TIMESTAMP '1969-12-31 23:59:59.999999', TIMESTAMPTZ '2001-02-03 04:05:06.000007+00',
         'a "quoted"' || chr(10) || 'line', 'f79c3e09-677c-4bbd-a479-3f349cb785e7'::UUID, '\\x00\\xFF'::BLOB,
         {'x': 1}, [1, NULL, -9007199254740993], MAP {'k': 1.5, 'n': NULL}
       UNION ALL SELECT 2, ${nulls}`,
    );
    const read = await python<Reading>('read_ours.py', world.catalogUri, world.warehouse, 'demo.types');
    expect(read.problems).toEqual([]);
    const [first, second] = [...read.rows].sort(byId);
    expect(first).toMatchObject({
      b: true,
      i: -7,
      f: 0.5,
      d: 0.1,
      dec: '-12345678901234567.891',
      day: '1969-12-31',
      t: '23:59:59.999999',
      ts: '1969-12-31 23:59:59.999999',
      tz: '2001-02-03 04:05:06.000007+00:00',
      s: 'a "quoted"\nline',
      u: 'f79c3e09-677c-4bbd-a479-3f349cb785e7',
      bin: '00ff',
      st: { x: 1 },
      ma: [
        ['k', 1.5],
        ['n', null],
      ],
    });
    expect(Object.entries(second ?? {}).filter(([name, value]) => name !== 'id' && value !== null)).toEqual([]);
    expect(read.types['dec']).toBe('decimal(20, 3)');
  });

  it('a table whose old metadata files are compressed and deleted, which PyIceberg and Moraine write in turns', async () => {
    const world = await openTableWorld();
    const { metadata } = await world.create('turns', schemaOf({ id: 'long' }));
    const folder = `${metadata.location}/metadata`;
    const [kept, logged] = [
      () => readdirSync(folder).filter((name) => name.endsWith('.metadata.json')),
      async () => (await world.load('turns')).metadata.metadataLog.map(({ metadataFile }) => basename(metadataFile)),
    ];
    for (let id = 0; id < 8; id++) await world.append('turns', `SELECT ${id}`);
    expect(kept().filter((name) => name.endsWith('.gz.metadata.json'))).toHaveLength(6);
    expect(await logged()).toEqual(kept().sort().slice(0, 5));
    const pyiceberg = (id: number) =>
      python('change_ours.py', world.catalogUri, world.warehouse, 'demo.turns', 'append', JSON.stringify([{ id }]));
    await pyiceberg(8);
    await world.append('turns', 'SELECT 9');
    await pyiceberg(10);
    expect(await logged()).toEqual(kept().sort().slice(0, 5));
    const read = await python<Reading>('read_ours.py', world.catalogUri, world.warehouse, 'demo.turns');
    expect(read.problems).toEqual([]);
    expect(read.rows.map(({ id }) => id).sort((a, b) => Number(a) - Number(b))).toEqual([
      0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
    ]);
  });

  it('zeros of both signs, each often in one column', async () => {
    const world = await openTableWorld();
    await world.create('zeros', schemaOf({ id: 'long', d: 'double', f: 'float' }));
    const zero = "CASE WHEN n % 2 = 0 THEN '-0.0' ELSE '0.0' END";
    await world.append('zeros', `SELECT n, ${zero}::DOUBLE, ${zero}::FLOAT FROM range(4000) t(n)`);
    const read = await python<Reading>('read_ours.py', world.catalogUri, world.warehouse, 'demo.zeros');
    expect(read.problems).toEqual([]);
    expect(read.rows).toHaveLength(4000);
    const isWrong = ({ id, d, f }: Record<string, unknown>): boolean => {
      const expected = Number(id) % 2 === 0 ? -0 : 0;
      return !Object.is(d, expected) || !Object.is(f, expected);
    };
    expect(read.rows.filter(isWrong)).toEqual([]);
  });

  it('partitions by every transform, before 1970 too, and finds every row by filters', async () => {
    const world = await openTableWorld();
    const schema = schemaOf({ id: 'long', name: 'string', ts: 'timestamp', day: 'date', amount: 'decimal(9, 2)' });
    await world.create('parts', schema, 'month(ts), bucket[8](id), truncate[2](name), year(day), bucket[4](amount)');
    const rows = (from: number, to: number): string =>
      `SELECT CASE WHEN n % 50 = 7 THEN NULL ELSE n - 500 END, CASE WHEN n % 31 = 3 THEN NULL ELSE chr((97 + n % 4)::INTEGER) || 'é' || n END,
         TIMESTAMP '1969-06-01' + n * INTERVAL 17 HOUR, DATE '1968-01-01' + (n * 3)::INTEGER, (n - 300)::DECIMAL(9,2) / 4
       FROM range(${from}, ${to}) t(n)`;
    await world.append('parts', rows(0, 120));
    await world.append('parts', rows(120, 200));
    const read = await python<Reading>('read_ours.py', world.catalogUri, world.warehouse, 'demo.parts');
    expect(read.problems).toEqual([]);
    expect(read.rows).toHaveLength(200);
    expect(read.sequence_numbers).toEqual([1, 2]);
    expect(read.summaries.map((one) => [one['operation'], one['added-records'], one['total-records']])).toEqual([
      ['append', '120', '120'],
      ['append', '80', '200'],
    ]);
    expect(read.summaries.at(-1)?.['total-data-files']).toBe(String(read.files));
    const expected = Array.from({ length: 200 }, (_, n) => ({
      id: n % 50 === 7 ? null : n - 500,
      name: n % 31 === 3 ? null : `${'abcd'[n % 4]}é${n}`,
      ts: Date.UTC(1969, 5, 1) + n * 17 * 3_600_000,
    }));
    const cut = Date.UTC(1969, 9, 1);
    const counts = await python<number[]>(
      'filter_ours.py',
      world.catalogUri,
      world.warehouse,
      'demo.parts',
      JSON.stringify([
        'id = -460',
        'id is null',
        "name >= 'bé'",
        "ts < '1969-10-01T00:00:00'",
        "name = 'aé100'",
        'id < -400 and id > -420',
      ]),
    );
    expect(counts).toEqual([
      expected.filter((row) => row.id === -460).length,
      expected.filter((row) => row.id === null).length,
      expected.filter((row) => row.name !== null && row.name >= 'bé').length,
      expected.filter((row) => row.ts < cut).length,
      expected.filter((row) => row.name === 'aé100').length,
      expected.filter((row) => row.id !== null && row.id < -400 && row.id > -420).length,
    ]);
  });

  it('an overwrite of partitions, and the summary that tells of it', async () => {
    const world = await openTableWorld();
    await world.create('buckets', schemaOf({ id: 'long', v: 'string' }), 'bucket[4](id)');
    await world.append('buckets', `SELECT n, 'old' FROM range(100) t(n)`);
    const table = await world.load('buckets');
    const files = await writeRows(world.engine, table, `SELECT n, 'new' FROM range(100) t(n)`);
    const replaced = files[0];
    if (replaced === undefined) throw new Error('no file');
    const { snapshotId } = await commitOverwrite(table, {
      files: [replaced],
      removePartitions: { specId: replaced.specId, tuples: [replaced.partition] },
      validateNoNewFilesFrom: table.metadata.currentSnapshotId,
    });
    expect(snapshotId).not.toBe(table.metadata.currentSnapshotId);
    const read = await python<Reading>('read_ours.py', world.catalogUri, world.warehouse, 'demo.buckets');
    expect(read.problems).toEqual([]);
    expect(read.rows.map((row) => Number(row['id'])).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 100 }, (_, n) => n),
    );
    expect(read.rows.filter((row) => row['v'] === 'new')).toHaveLength(Number(replaced.recordCount));
    expect(read.summaries.at(-1)).toMatchObject({
      operation: 'overwrite',
      'added-data-files': '1',
      'deleted-data-files': '1',
      'added-records': String(replaced.recordCount),
      'deleted-records': String(replaced.recordCount),
      'total-records': '100',
    });
  });
});
