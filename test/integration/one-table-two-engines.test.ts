/** Moraine and PyIceberg change one table in turns, through one SQLite catalog; each reads all that the other did. */
import { expect, it } from 'vitest';
import { scanSql } from '../../engine/index.js';
import {
  applyTransform,
  bindExpression,
  currentSchema,
  evolveSchema,
  parseExpression,
  parseSchema,
  type SchemaChange,
} from '../../iceberg/index.js';
import { localPath } from '../../locations/index.js';
import { commitOverwrite, planFiles, selectSnapshot } from '../../tables/index.js';
import { describeInterop, python } from '../support/python.js';
import { openTableWorld, schemaOf, type TableWorld, writeRows } from '../support/table-world.js';

interface Reading {
  readonly rows: readonly Record<string, unknown>[];
  readonly types: Record<string, string>;
  readonly problems: readonly string[];
  readonly partitions: readonly Record<string, unknown>[];
  readonly summaries: readonly Record<string, string>[];
  readonly sequence_numbers: readonly number[];
}

const theirs = (world: TableWorld, table: string | readonly string[]): Promise<Reading> =>
  python<Reading>(
    'read_ours.py',
    world.catalogUri,
    world.warehouse,
    typeof table === 'string' ? table : JSON.stringify(table),
  );

const change = (world: TableWorld, table: string, ...action: string[]): Promise<{ snapshot_id: string }> =>
  python('change_ours.py', world.catalogUri, world.warehouse, table, ...action);

/** The rows that Moraine reads: every row of the current snapshot, as JavaScript values. */
async function ours(world: TableWorld, name: string, where?: string): Promise<unknown[][]> {
  const table = await world.load(name);
  const schema = currentSchema(table.metadata);
  const filter = where === undefined ? {} : { filter: bindExpression(parseExpression(where), schema) };
  const { files } = await planFiles(table, { ...selectSnapshot(table.metadata), ...filter });
  const scan = scanSql({
    schema,
    files: files.map(({ file }) => ({ path: localPath(file.filePath), recordCount: file.recordCount })),
    ...filter,
  });
  return world.engine.withConnection(
    async (connection) => (await connection.rows(`SELECT * FROM ${scan} ORDER BY 1`)) as unknown[][],
  );
}

const byFirst = (a: readonly unknown[], b: readonly unknown[]): number => Number((a[0] as bigint) - (b[0] as bigint));
const big = (value: unknown): bigint | null => (value === null ? null : BigInt(value as number));
const bucketOf = (id: unknown): unknown =>
  applyTransform({ kind: 'bucket', numBuckets: 4 }, { kind: 'long' }, id as bigint);

/** Gives a table another schema, as an engine does that alters it. */
async function evolve(world: TableWorld, name: string, changes: readonly SchemaChange[]): Promise<void> {
  const { identifier, metadata } = await world.load(name);
  const schema = evolveSchema(currentSchema(metadata), changes, metadata);
  await world.catalog.commitTable(identifier, {
    requirements: [],
    updates: [
      { action: 'add-schema', schema },
      { action: 'set-current-schema', schemaId: -1 },
    ],
  });
}

describeInterop('one table, two engines', () => {
  it('appends, overwrites and deletes in turns', async () => {
    const world = await openTableWorld();
    await world.create('turns', schemaOf({ id: 'long', v: 'string' }), 'bucket[4](id)');
    await world.append('turns', `SELECT n, 'ours' FROM range(0, 20) t(n)`);
    const rows = Array.from({ length: 10 }, (_, n) => ({ id: 20 + n, v: 'theirs' }));
    await change(world, 'demo.turns', 'append', JSON.stringify(rows));
    await world.append('turns', `SELECT n, 'ours' FROM range(30, 40) t(n)`);
    await change(world, 'demo.turns', 'delete', 'id < 5');
    const table = await world.load('turns');
    const files = await writeRows(world.engine, table, `SELECT 1000 + n, 'new' FROM range(10) t(n)`);
    const [first] = files;
    if (first === undefined) throw new Error('no file');
    const lost = (await ours(world, 'turns')).filter(([id]) => bucketOf(id) === first.partition[0]);
    await commitOverwrite(table, {
      files: [first],
      removePartitions: { specId: first.specId, tuples: [first.partition] },
      validateNoNewFilesFrom: table.metadata.currentSnapshotId,
    });
    await change(world, 'demo.turns', 'overwrite', 'id >= 35', JSON.stringify([{ id: 35, v: 'last' }]));
    await world.append('turns', `SELECT 5000, 'end'`);

    const removed = new Set(lost.map(([id]) => id));
    const expected = new Map<bigint, string>();
    for (let id = 5n; id < 35n; id += 1n) {
      if (!removed.has(id)) expected.set(id, id >= 20n && id < 30n ? 'theirs' : 'ours');
    }
    expected.set(35n, 'last').set(5000n, 'end');
    expect(removed.size).toBeGreaterThan(0);
    expect(await ours(world, 'turns')).toEqual([...expected]);
    const read = await theirs(world, 'demo.turns');
    expect(read.problems).toEqual([]);
    expect(read.rows.map((row) => [BigInt(Number(row['id'])), row['v']]).sort(byFirst)).toEqual([...expected]);
    // Each commit of either engine has its own number, in order (PyIceberg's overwrite is a delete and an append).
    expect(read.sequence_numbers).toEqual(read.sequence_numbers.map((_, index) => index + 1));
    expect(read.summaries.at(-1)?.['total-records']).toBe(String(expected.size));
  });

  it('a schema that Moraine evolved', async () => {
    const world = await openTableWorld();
    await world.create(
      'evolved',
      schemaOf({ id: 'int', price: 'float', gone: 'string', day: 'date' }),
      'bucket[4](id)',
    );
    await world.append('evolved', `SELECT n, n / 4, 'x' || n, DATE '2001-01-01' + n::INTEGER FROM range(8) t(n)`);
    await evolve(world, 'evolved', [
      { change: 'rename', column: 'price', newName: 'cost' },
      { change: 'promote', column: 'cost', type: { kind: 'double' } },
      { change: 'promote', column: 'id', type: { kind: 'long' } },
      { change: 'drop', column: 'gone' },
      { change: 'add', name: 'gone', type: { kind: 'long' } },
      { change: 'move', column: 'gone', to: { place: 'first' } },
    ]);
    await world.append('evolved', `SELECT 7, ${2n ** 40n}, 0.1::DOUBLE, DATE '2001-02-03'`);
    await change(world, 'demo.evolved', 'append', JSON.stringify([{ gone: 9, id: 2 ** 41, cost: 0.2, day: null }]));
    await world.append('evolved', `SELECT 8, -1, NULL, NULL`);

    const old = Array.from({ length: 8 }, (_, n) => [null, BigInt(n), n / 4]);
    const expected = [...old, [7n, 2n ** 40n, 0.1], [9n, 2n ** 41n, 0.2], [8n, -1n, null]];
    const byId = (a: unknown[], b: unknown[]) => Number((a[1] as bigint) - (b[1] as bigint));
    const mine = (await ours(world, 'evolved')).map((row) => row.slice(0, 3)).sort(byId);
    expect(mine).toEqual([...expected].sort(byId));
    const read = await theirs(world, 'demo.evolved');
    const pyRows = read.rows.map((row) => [big(row['gone']), big(row['id']), row['cost']]).sort(byId);
    expect(pyRows).toEqual([...expected].sort(byId));
    expect(read.types).toEqual({ gone: 'long', id: 'long', cost: 'double', day: 'date' });
    // Filters on a promoted column meet the bounds of old files, which are ints and floats.
    for (const [where, count] of [
      ['id = 3', 1],
      ['id >= 7', 3],
      ['id < 0', 1],
      ['cost < 0.2', 2],
      ['cost >= 1.5', 2],
      ['gone IS NULL', 8],
      ['cost IS NULL', 1],
    ] as const) {
      expect([where, (await ours(world, 'evolved', where)).length]).toEqual([where, count]);
    }
    const filters = ['id = 3', 'id >= 7', 'id < 0', 'cost < 0.2', 'cost >= 1.5', 'gone is null'];
    expect(
      await python('filter_ours.py', world.catalogUri, world.warehouse, 'demo.evolved', JSON.stringify(filters)),
    ).toEqual([1, 3, 1, 2, 2, 8]);
  });

  it('a table of version 1, once it is upgraded: appended to, overwritten and merged', async () => {
    const world = await openTableWorld();
    await change(world, 'demo.old', 'create-v1');
    for (const from of [0, 10]) {
      const rows = Array.from({ length: 10 }, (_, n) => ({ id: from + n, v: 'v1' }));
      await change(world, 'demo.old', 'append', JSON.stringify(rows));
    }
    await expect(world.append('old', `SELECT 99, 'too early'`)).rejects.toMatchObject({
      code: 'FORMAT_VERSION_UNSUPPORTED',
      message: expect.stringContaining('moraine table upgrade') as string,
    });
    const { identifier } = await world.load('old');
    await world.catalog.commitTable(identifier, {
      requirements: [],
      updates: [
        { action: 'upgrade-format-version', formatVersion: 2 },
        { action: 'set-properties', updates: new Map([['commit.manifest.min-count-to-merge', '2']]) },
      ],
    });
    await world.append('old', `SELECT n, 'v2' FROM range(20, 30) t(n)`);
    const table = await world.load('old');
    const replaced = await writeRows(world.engine, table, `SELECT n * 2, 'new' FROM range(30) t(n)`);
    const [file] = replaced.filter(({ partition }) => partition[0] === 0);
    if (file === undefined) throw new Error('no file of bucket 0');
    const before = await ours(world, 'old');
    await commitOverwrite(table, {
      files: [file],
      removePartitions: { specId: file.specId, tuples: [file.partition] },
      validateNoNewFilesFrom: table.metadata.currentSnapshotId,
    });
    const inZero = (id: unknown): boolean =>
      applyTransform({ kind: 'bucket', numBuckets: 2 }, { kind: 'long' }, id as bigint) === 0;
    const news = Array.from({ length: 30 }, (_, n) => [BigInt(n * 2), 'new']).filter(([id]) => inZero(id));
    const expected = [...before.filter(([id]) => !inZero(id)), ...news].sort(byFirst);
    expect(before).toHaveLength(30);
    expect(await ours(world, 'old')).toEqual(expected);
    const read = await theirs(world, 'demo.old');
    expect(read.problems).toEqual([]);
    expect(read.rows.map((row) => [BigInt(Number(row['id'])), row['v']]).sort(byFirst)).toEqual(expected);
    expect(read.sequence_numbers).toEqual([0, 0, 1, 2]);
    expect(read.summaries.at(-1)?.['total-records']).toBe(String(expected.length));
  });

  it('hostile names of namespaces, tables, columns and partition values', async () => {
    const world = await openTableWorld();
    const columns = ['id', 'ID', 'a.b', 'quote"d', "it's", 'new\nline', '__proto__', 'x*?[', '1st', 'ü 😀', '%20/..'];
    const schema = parseSchema({
      'schema-id': 0,
      type: 'struct',
      fields: columns.map((name, index) => ({
        id: index + 1,
        name,
        required: false,
        type: index === 0 ? 'long' : 'string',
      })),
    });
    const name = 'ta"b le\n*?[__proto__]%2F';
    const partitioning = `"a.b", truncate[2]("quote""d"), "new\nline", "__proto__"`;
    await world.create(name, schema, partitioning);
    const values = [
      '/',
      '%',
      '=',
      '+',
      ' ',
      '\n',
      '..',
      '../../x',
      '',
      '__HIVE_DEFAULT_PARTITION__',
      'null',
      'é😀',
      "'",
      '"',
      null,
    ];
    const text = (value: string | null): string => (value === null ? 'NULL' : `'${value.replaceAll("'", "''")}'`);
    const cells = values.map((value, id) => [
      String(id),
      ...columns.slice(1).map((_, i) => text(i % 2 === 0 ? 'plain' : value)),
    ]);
    const select = cells.map((row) => `SELECT ${row.join(', ')}`).join(' UNION ALL ');
    await world.append(name, select);

    const expected = values.map((value, id) =>
      Object.fromEntries(columns.map((column, i) => [column, i === 0 ? id : i % 2 === 1 ? 'plain' : value])),
    );
    const read = await theirs(world, ['demo', name]);
    expect(read.problems).toEqual([]);
    expect([...read.rows].sort((a, b) => Number(a['id']) - Number(b['id']))).toEqual(expected);
    for (const [id, value] of values.entries()) {
      if (value === null) continue;
      const rows = await ours(world, name, `"a.b" = ${text(value)}`);
      expect([value, rows.map(([first]) => first)]).toEqual([value, [BigInt(id)]]);
    }
    const nulls = await ours(world, name, '"a.b" IS NULL');
    expect(nulls.map(([first]) => first)).toEqual([BigInt(values.length - 1)]);
  });
});
