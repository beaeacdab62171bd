/** Scans of files with deletes. The rows that must be left are written down by hand in each test. */
import { tracingChannel } from 'node:diagnostics_channel';
import { readFileSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { describe, expect, it, test } from 'vitest';
import {
  type Connection,
  checkFiles,
  prepareDeletes,
  type Scan,
  STATEMENT_CHANNEL,
  scanSql,
  withReadableCopies,
} from '../../../engine/index.js';
import {
  bindExpression,
  type DataFile,
  parseExpression,
  type Schema,
  type TableUpdate,
} from '../../../iceberg/index.js';
import { comparableLocation, localPath } from '../../../locations/index.js';
import { commitAppend, planFiles, selectSnapshot } from '../../../tables/index.js';
import { DeleteWriter } from '../../support/delete-writer.js';
import { failureOf } from '../../support/error-code.js';
import { openTableWorld, schemaOf, writeRows } from '../../support/table-world.js';

const NAME = { namespace: ['demo'], name: 't' };

interface Read {
  readonly where?: string;
  readonly scan?: Partial<Scan>;
  /** Of the rows, ordered. */
  readonly select?: string;
}

async function lab(schema: Schema = schemaOf({ id: 'long', v: 'string' }), partitioning?: string) {
  const world = await openTableWorld();
  await world.create('t', schema, partitioning);
  const writer = new DeleteWriter(world, NAME);
  const load = () => world.load('t');
  const withScan = async <T>(read: Read, use: (connection: Connection, relation: string) => Promise<T>): Promise<T> => {
    const table = await load();
    const selected = selectSnapshot(table.metadata);
    const filter =
      read.where === undefined ? {} : { filter: bindExpression(parseExpression(read.where), selected.schema) };
    const plan = await planFiles(table, { ...selected, ...filter, appliesDeletes: true });
    return world.engine.withConnection(async (connection) => {
      const files = plan.files.map((planned) => ({
        ...planned,
        path: localPath(planned.file.filePath),
        recordCount: planned.file.recordCount,
        fileSizeInBytes: planned.file.fileSizeInBytes,
      }));
      const layouts = await checkFiles(connection, files);
      const deletes = await prepareDeletes(connection, {
        files,
        layouts,
        schemas: table.metadata.schemas,
        resolve: async (location) => localPath(await table.io.canonical(location)),
        normalize: comparableLocation,
      });
      const withDeletes = deletes === undefined ? {} : { deletes };
      const scan = { schema: selected.schema, files, layouts, ...filter, ...withDeletes, ...read.scan };
      return use(connection, scanSql(await withReadableCopies(connection, scan)));
    });
  };
  const rows = (read: Read = {}) =>
    withScan(read, (connection, relation) =>
      connection.rows(`SELECT ${read.select ?? 'id'} FROM ${relation} ORDER BY ALL`),
    );
  return {
    world,
    writer,
    load,
    withScan,
    rows: async (read: Read = {}) => (await rows(read)).map((row) => (row.length === 1 ? row[0] : row)),
    append: (select: string) => world.append('t', select),
    /** Data files, the newest first. */
    files: async (): Promise<readonly DataFile[]> => {
      const table = await load();
      const plan = await planFiles(table, { ...selectSnapshot(table.metadata), appliesDeletes: true });
      return plan.files.map(({ file }) => file);
    },
    update: (...updates: TableUpdate[]) => world.catalog.commitTable(NAME, { requirements: [], updates }),
    addSchema: (next: Schema) =>
      world.catalog.commitTable(NAME, {
        requirements: [],
        updates: [
          { action: 'add-schema', schema: next },
          { action: 'set-current-schema', schemaId: next.schemaId },
        ],
      }),
  };
}

const numbers = (from: number, to: number): string =>
  `SELECT range::BIGINT AS id, 'v' || range AS v FROM range(${from}, ${to})`;
const at = (path: string, ...positions: number[]) => positions.map((position) => ({ path, position }));

describe('position deletes', () => {
  it('take the named rows of the named files, whatever the spelling of their paths', async () => {
    const { append, files, writer, rows } = await lab();
    await append(numbers(0, 4));
    await append(numbers(10, 14));
    await append(numbers(20, 24));
    const [third = '', second = '', first = ''] = (await files()).map(({ filePath }) => filePath);
    const known = [...at(first, 0), ...at(`file:${second}`, 1, 2), ...at(`file://${third}`, 3), ...at('/elsewhere', 0)];
    await writer.commit([await writer.positions(known)]);
    expect(await rows()).toEqual([1n, 2n, 3n, 10n, 13n, 20n, 21n, 22n]);
  });

  it('named twice, in several files, or past the end of the file', async () => {
    const { append, files, writer, rows } = await lab();
    await append(numbers(0, 5));
    const [{ filePath } = { filePath: '' }] = await files();
    await writer.commit([await writer.positions(at(filePath, 1, 1, 9, 4_000_000_000))]);
    await writer.commit([await writer.positions(at(filePath, 1, 3))]);
    expect(await rows()).toEqual([0n, 2n, 4n]);
  });

  it('of many ages, each naming files older and newer than itself, take rows of those that are as old or older', async () => {
    const { world, writer, load, rows } = await lab();
    const rowsOfFile = 12;
    const written: DataFile[] = [];
    for (let file = 0; file < 4; file++) {
      const first = file * rowsOfFile;
      written.push(...(await writeRows(world.engine, await load(), numbers(first, first + rowsOfFile))));
    }
    const live = new Set<number>();
    for (const [age, file] of written.entries()) {
      await commitAppend(await load(), { files: [file] });
      for (let row = 0; row < rowsOfFile; row++) live.add(age * rowsOfFile + row);
      // One position in every file: of those that come later it takes nothing.
      const ofAll = (position: number) => written.flatMap(({ filePath }) => at(filePath, position));
      const ofOne = await writer.positions(at(`file:${file.filePath}`, age, 8), { referencedDataFile: file.filePath });
      await writer.commit([await writer.positions(ofAll(2 * age)), ofOne, await writer.positions(ofAll(11 - age))]);
      for (let older = 0; older <= age; older++) {
        for (const position of [2 * age, 11 - age]) live.delete(older * rowsOfFile + position);
      }
      for (const position of [age, 8]) live.delete(age * rowsOfFile + position);
    }
    expect(await rows()).toEqual([...live].sort((a, b) => a - b).map(BigInt));
  });

  it('are read with as many statements from many files as from one', async () => {
    const { append, files, writer, rows } = await lab();
    await append(numbers(0, 100));
    const [{ filePath } = { filePath: '' }] = await files();
    const statementsOf = async (read: () => Promise<unknown>): Promise<number> => {
      let count = 0;
      const start = () => {
        count += 1;
      };
      tracingChannel(STATEMENT_CHANNEL).subscribe({ start } as never);
      await read();
      tracingChannel(STATEMENT_CHANNEL).unsubscribe({ start } as never);
      return count;
    };
    await writer.commit([await writer.positions(at(filePath, 0))]);
    const withOne = await statementsOf(rows);
    const spellings = Array.from({ length: 40 }, (_, slashes) => `file:${'/'.repeat(slashes)}${filePath}`);
    const deletes = Array.from({ length: 30 }, (_, position) =>
      writer.positions(spellings.flatMap((path) => at(path, position))),
    );
    await writer.commit(await Promise.all(deletes));
    expect(await statementsOf(rows)).toBe(withOne);
    expect(await rows({ select: 'count(*), min(id)' })).toEqual([[70n, 30n]]);
  });

  it('are no deletes of files that come later', async () => {
    const { append, files, writer, rows } = await lab();
    await append(numbers(0, 2));
    const [first] = await files();
    await writer.commit([await writer.positions(at(first?.filePath ?? '', 0))]);
    await append(numbers(0, 2));
    expect(await rows()).toEqual([0n, 1n, 1n]);
  });

  it('of another partition take nothing, even when they name the file', async () => {
    const { append, files, writer, rows } = await lab(schemaOf({ id: 'long', v: 'string' }), 'v');
    await append("SELECT * FROM (VALUES (1::BIGINT, 'a'), (2, 'a'), (3, 'b')) AS t(id, v)");
    const paths = (await files()).map(({ filePath }) => filePath);
    const all = paths.flatMap((path) => at(path, 0));
    // Two paths: it is about its whole partition.
    await writer.commit([await writer.positions(all, { partition: ['a'] })]);
    expect(await rows()).toEqual([2n, 3n]);
  });

  it('filters and projections are pushed down to the files, and positions stay those of the file', async () => {
    const { append, files, writer, rows, withScan } = await lab();
    await append(numbers(0, 300_000));
    const [{ filePath } = { filePath: '' }] = await files();
    await writer.commit([await writer.positions(at(filePath, 0, 250_000, 299_999))]);
    const last = await rows({ where: 'id >= 249999 AND id <= 250002', select: 'id, v' });
    expect(last).toEqual([
      [249_999n, 'v249999'],
      [250_001n, 'v250001'],
      [250_002n, 'v250002'],
    ]);
    const plan = await withScan({ where: 'id = 5', scan: { columns: [2] } }, (connection, relation) =>
      connection.rows(`EXPLAIN SELECT v FROM ${relation}`),
    );
    expect(String(plan[0]?.[1])).toMatch(/READ_PARQUET[\s\S]*Filters: id=5/);
    expect(await rows({ scan: { columns: [] }, select: 'count(*)' })).toEqual([299_997n]);
  });

  it('row numbers, paths and sequence numbers are given as without deletes', async () => {
    const { append, files, writer, rows } = await lab();
    await append(numbers(0, 3));
    await append(numbers(5, 6));
    const [second, first] = (await files()).map(({ filePath }) => filePath);
    await writer.commit([await writer.positions(at(first ?? '', 1))]);
    const extras = { fileName: 'f', rowNumber: 'n', sequenceNumber: 's' };
    expect(await rows({ scan: { extras }, select: 'id, f, n, s' })).toEqual([
      [0n, first, 0n, 1n],
      [2n, first, 2n, 1n],
      [5n, second, 0n, 2n],
    ]);
  });
});

describe('deletion vectors', () => {
  it('take rows of files with many rows, several vectors in one Puffin file', async () => {
    const { append, files, writer, rows } = await lab();
    await append(numbers(0, 200_000));
    await append(numbers(500_000, 500_003));
    const [small = '', large = ''] = (await files()).map(({ filePath }) => filePath);
    await writer.upgradeToV3();
    const evens = Array.from({ length: 100_000 }, (_, index) => 2 * index);
    await writer.commit(
      await writer.vectors([
        { path: large, positions: evens },
        { path: `file://${small}`, positions: [0, 2] },
      ]),
    );
    expect(await rows({ select: 'count(*), min(id), sum(id)' })).toEqual([[100_001n, 1n, 10_000_000_000n + 500_001n]]);
    expect(await rows({ where: 'id < 8' })).toEqual([1n, 3n, 5n, 7n]);
  });

  it('supersede position-delete files of their data file', async () => {
    const { append, files, writer, rows } = await lab();
    await append(numbers(0, 4));
    const [{ filePath } = { filePath: '' }] = await files();
    await writer.commit([await writer.positions(at(filePath, 0, 1))]);
    await writer.upgradeToV3();
    await writer.commit(await writer.vectors([{ path: filePath, positions: [3] }]));
    expect(await rows()).toEqual([0n, 1n, 2n]);
  });
});

describe('equality deletes', () => {
  it('take equal rows of older files only; null equals null', async () => {
    const { append, writer, rows } = await lab();
    await append("SELECT * FROM (VALUES (1::BIGINT, 'a'), (2, 'b'), (NULL, 'c'), (4, 'd')) AS t(id, v)");
    await writer.commit([await writer.equality({ id: 1 }, 'SELECT * FROM (VALUES (2::BIGINT), (NULL), (7)) AS t(id)')]);
    await append("SELECT * FROM (VALUES (2::BIGINT, 'again'), (NULL, 'again')) AS t(id, v)");
    expect(await rows({ select: 'id, v' })).toEqual([
      [1n, 'a'],
      [2n, 'again'],
      [4n, 'd'],
      [null, 'again'],
    ]);
  });

  it('of several columns take rows that are equal in all of them; lists of columns are independent', async () => {
    const { append, writer, rows } = await lab();
    await append("SELECT * FROM (VALUES (1::BIGINT, 'a'), (1, 'b'), (2, 'a'), (3, NULL), (4, 'z')) AS t(id, v)");
    await writer.commit([
      await writer.equality({ id: 1, v: 2 }, "SELECT * FROM (VALUES (1::BIGINT, 'a'), (3, NULL)) AS t(id, v)"),
      await writer.equality({ v: 2 }, "SELECT 'z' AS v"),
    ]);
    expect(await rows({ select: 'id, v' })).toEqual([
      [1n, 'b'],
      [2n, 'a'],
    ]);
  });

  it('of one key, deleted and inserted again and again', async () => {
    const { append, writer, rows } = await lab();
    for (const version of ['one', 'two', 'three']) {
      await writer.load();
      await append(`SELECT 1::BIGINT AS id, '${version}' AS v`);
      if (version !== 'three') await writer.commit([await writer.equality({ id: 1 }, 'SELECT 1::BIGINT AS id')]);
    }
    expect(await rows({ select: 'v' })).toEqual(['three']);
  });

  it('keep to their partition, or reach everywhere if unpartitioned', async () => {
    const { append, writer, rows, update, load } = await lab(schemaOf({ id: 'long', v: 'string' }), 'v');
    await append("SELECT * FROM (VALUES (1::BIGINT, 'a'), (2, 'a'), (1, 'b'), (3, 'b')) AS t(id, v)");
    await writer.commit([await writer.equality({ id: 1 }, 'SELECT 1::BIGINT AS id', { partition: ['a'] })]);
    expect(await rows({ select: 'id, v' })).toEqual([
      [1n, 'b'],
      [2n, 'a'],
      [3n, 'b'],
    ]);
    expect((await load()).metadata.defaultSpecId).toBe(0);
    await update({ action: 'add-spec', spec: { specId: 1, fields: [] } });
    await writer.commit([await writer.equality({ id: 1 }, 'SELECT 3::BIGINT AS id', { specId: 1 })]);
    expect(await rows({ select: 'id, v' })).toEqual([
      [1n, 'b'],
      [2n, 'a'],
    ]);
  });

  it('apply together with position deletes, and to files of several ages', async () => {
    const { append, files, writer, rows } = await lab();
    await append(numbers(0, 4));
    await append(numbers(0, 4));
    const [second] = await files();
    await writer.commit([
      await writer.equality({ id: 1 }, 'SELECT 1::BIGINT AS id'),
      await writer.positions(at(second?.filePath ?? '', 0)),
    ]);
    await append(numbers(0, 2));
    await writer.commit([await writer.equality({ id: 1 }, 'SELECT 2::BIGINT AS id')]);
    await append(numbers(2, 3));
    expect(await rows()).toEqual([0n, 0n, 1n, 2n, 3n, 3n]);
  });

  it('go by columns that the scan does not want, that were renamed, promoted or dropped', async () => {
    const first = schemaOf({ id: 'int', gone: 'int', v: 'string' });
    const { append, writer, rows, addSchema } = await lab(first);
    await append(
      "SELECT * FROM (VALUES (1::INT, 10::INT, 'a'), (2, 20, 'b'), (3, 30, 'c'), (4, 40, 'd')) AS t(id, gone, v)",
    );
    await writer.commit([
      await writer.equality({ id: 1 }, 'SELECT 1::INT AS id'),
      await writer.equality({ gone: 2 }, 'SELECT 20::INT AS gone'),
    ]);
    const renamed = schemaOf({ key: 'long', gone: 'int', v: 'string' });
    const [key, , v] = renamed.fields;
    if (key === undefined || v === undefined) throw new Error('three fields');
    await addSchema({ ...renamed, schemaId: 1, fields: [key, v] });
    await writer.commit([await writer.equality({ key: 1 }, 'SELECT 3::BIGINT AS key')]);
    expect(await rows({ select: 'key, v' })).toEqual([[4n, 'd']]);
    expect(await rows({ scan: { columns: [3] }, select: 'v' })).toEqual(['d']);
  });

  it('go by a column that the data file does not have: it is null there, or its initial default', async () => {
    const { append, writer, rows, addSchema, load } = await lab();
    await append(numbers(0, 2));
    const { fields } = (await load()).metadata.schemas[0] as Schema;
    const added = { id: 3, name: 'w', required: false, type: { kind: 'long' } } as const;
    await writer.upgradeToV3();
    await addSchema({ schemaId: 1, identifierFieldIds: [], fields: [...fields, { ...added, initialDefault: 7 }] });
    await writer.commit([await writer.equality({ id: 1, w: 3 }, 'SELECT 0::BIGINT AS id, NULL::BIGINT AS w')]);
    expect(await rows({ select: 'id, w' })).toEqual([
      [0n, 7n],
      [1n, 7n],
    ]);
    await writer.commit([await writer.equality({ w: 3 }, 'SELECT 7::BIGINT AS w')]);
    expect(await rows()).toEqual([]);
  });

  it('compare floats as Java does: NaN equals NaN, -0 is not 0', async () => {
    const { append, writer, rows } = await lab(schemaOf({ id: 'long', d: 'double', f: 'float' }));
    await append(
      "SELECT * FROM (VALUES (1::BIGINT, 'NaN'::DOUBLE, 1::FLOAT), (2, '-0.0'::DOUBLE, 1), (3, 0, 1), (4, 1, 'NaN'), (5, 1, '-0.0'::FLOAT), (6, 1, 1)) AS t(id, d, f)",
    );
    await writer.commit([
      await writer.equality({ d: 2 }, "SELECT * FROM (VALUES ('NaN'::DOUBLE), (0)) AS t(d)"),
      await writer.equality({ f: 3 }, "SELECT * FROM (VALUES (-'NaN'::FLOAT), (0)) AS t(f)"),
    ]);
    expect(await rows()).toEqual([2n, 5n, 6n]);
  });

  test.each([
    ['uuid', "'00000000-0000-0000-0000-00000000000a'::UUID", "'00000000-0000-0000-0000-00000000000b'::UUID"],
    ['decimal(9, 2)', '1.10::DECIMAL(9, 2)', '1.11::DECIMAL(9, 2)'],
    ['timestamptz', "TIMESTAMPTZ '2024-01-01 00:00:00.000001+00'", "TIMESTAMPTZ '2024-01-01 00:00:00.000002+00'"],
    ['date', "DATE '1969-12-31'", "DATE '1970-01-01'"],
    ['binary', "'\\x00\\xFF'::BLOB", "'\\x00'::BLOB"],
    ['boolean', 'true', 'false'],
    ['string', "'\u00e9'", "'e\u0301'"],
  ])('go by %s', async (type, deleted, kept) => {
    const { append, writer, rows } = await lab(schemaOf({ id: 'long', k: type }));
    await append(`SELECT * FROM (VALUES (1::BIGINT, ${deleted}), (2, ${kept})) AS t(id, k)`);
    await writer.commit([await writer.equality({ k: 2 }, `SELECT ${deleted} AS k`)]);
    expect(await rows()).toEqual([2n]);
  });

  it('go by a field inside a struct; a null struct has null fields', async () => {
    const struct = { type: 'struct', fields: [{ id: 10, name: 'x', required: false, type: 'long' }] };
    const { append, writer, rows, load } = await lab(schemaOf({ id: 'long', s: struct }));
    await append(
      "SELECT * FROM (VALUES (1::BIGINT, {'x': 5::BIGINT}), (2, {'x': 6}), (3, NULL), (4, {'x': NULL})) AS t(id, s)",
    );
    const inner = (await load()).metadata.schemas[0]?.fields[1]?.type;
    const id = inner?.kind === 'struct' ? (inner.fields[0]?.id ?? 0) : 0;
    const file = await writer.equality(
      {},
      "SELECT {'x': v} AS s FROM (VALUES (5::BIGINT), (NULL)) AS t(v)",
      {
        equalityIds: [id],
      },
      `{s: {__duckdb_field_id: 2, x: ${id}}}`,
    );
    await writer.commit([file]);
    expect(await rows()).toEqual([2n]);
  });
});

describe('delete files that cannot be read', () => {
  const damage: readonly (readonly [string, (path: string) => void, string])[] = [
    ['missing', unlinkSync, 'FILE_NOT_FOUND'],
    ['cut', (path) => truncateSync(path, 20), 'DELETE_FILE_CORRUPT'],
    [
      'with a broken footer',
      (path) => {
        const bytes = readFileSync(path);
        const trailerBytes = path.endsWith('.puffin') ? 12 : 8;
        const end = bytes.length - trailerBytes;
        bytes.fill(0xff, end - bytes.readInt32LE(end), end);
        writeFileSync(path, bytes);
      },
      'DELETE_FILE_CORRUPT',
    ],
  ];
  for (const [name, act, code] of damage) {
    it(`position deletes, equality deletes and vectors ${name}: the error names the file`, async () => {
      const { append, files, writer, rows } = await lab();
      await append(numbers(0, 3));
      const [{ filePath } = { filePath: '' }] = await files();
      const made = [
        await writer.positions(at(filePath, 0)),
        await writer.equality({ id: 1 }, 'SELECT 1::BIGINT AS id'),
      ];
      await writer.upgradeToV3();
      const [vector] = await writer.vectors([{ path: filePath, positions: [0] }]);
      for (const one of [...made, ...(vector === undefined ? [] : [vector])]) {
        await writer.commit([one]);
        const original = readFileSync(one.filePath);
        act(one.filePath);
        const failure = await failureOf(rows());
        expect([failure.code, failure.message.includes(one.filePath)]).toEqual([code, true]);
        writeFileSync(one.filePath, original);
      }
      expect(await rows()).toEqual([2n]);
    });
  }

  it('a vector that the footer says is of another file, or of another length, is refused', async () => {
    const { append, files, writer, rows } = await lab();
    await append(numbers(0, 3));
    const [{ filePath } = { filePath: '' }] = await files();
    await writer.upgradeToV3();
    const [first, second] = await writer.vectors([
      { path: filePath, positions: [0] },
      { path: '/other', positions: [1] },
    ]);
    if (first === undefined || second === undefined) throw new Error('two vectors');
    await writer.commit([{ ...second, referencedDataFile: filePath }]);
    const failure = await failureOf(rows());
    expect([failure.code, failure.message.includes('/other')]).toEqual(['DELETE_FILE_CORRUPT', true]);
  });

  it('a position-delete file with fewer rows than its manifest says is refused', async () => {
    const { append, files, writer, rows } = await lab();
    await append(numbers(0, 3));
    const [{ filePath } = { filePath: '' }] = await files();
    await writer.commit([await writer.positions(at(filePath, 0), { recordCount: 2n })]);
    expect((await failureOf(rows())).code).toBe('DELETE_FILE_CORRUPT');
  });
});

test('the temporary tables are gone once the deletes are released', async () => {
  const { append, files, writer, load, world } = await lab();
  await append(numbers(0, 3));
  const [{ filePath } = { filePath: '' }] = await files();
  await writer.commit([
    await writer.positions(at(filePath, 0)),
    await writer.equality({ id: 1 }, 'SELECT 1::BIGINT AS id'),
  ]);
  const table = await load();
  const plan = await planFiles(table, { ...selectSnapshot(table.metadata), appliesDeletes: true });
  await world.engine.withConnection(async (connection) => {
    const count = async () => (await connection.rows('SELECT count(*) FROM duckdb_tables()'))[0]?.[0];
    const deletes = await prepareDeletes(connection, {
      files: plan.files.map((planned) => ({ ...planned, path: localPath(planned.file.filePath) })),
      schemas: table.metadata.schemas,
      resolve: async (location) => localPath(await table.io.canonical(location)),
      normalize: comparableLocation,
    });
    expect(await count()).toBe(2n);
    await deletes?.release();
    expect(await count()).toBe(0n);
  });
});
