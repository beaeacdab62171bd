import { copyFile, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkFiles, nameDamagedFile, readFileLayouts, type Scan, scanSql, writeRows } from '../../../engine/index.js';
import { bytesOf, changed, listOf } from '../../../engine/parquet/thrift-fields.js';
import { readThrift, type ThriftStruct, writeThrift } from '../../../engine/parquet/thrift-tree.js';
import { bindExpression, parseExpression, type Schema } from '../../../iceberg/index.js';
import { type LocalPath, localPath } from '../../../locations/index.js';
import { field, type Harness, MemorySink, openHarness, schemaOf } from './harness.js';

let harness: Harness;
beforeAll(async () => {
  harness = await openHarness();
});
afterAll(() => harness.close());

const run = (sql: string): Promise<void> => harness.engine.withConnection((connection) => connection.run(sql));
const path = (name: string): LocalPath => localPath(join(harness.folder, name));

/** Writes a file with plain DuckDB, which is independent of our writer. */
async function given(
  name: string,
  select: string,
  fieldIds: string | null,
): Promise<{ path: LocalPath; recordCount: bigint }> {
  const ids = fieldIds === null ? '' : `, FIELD_IDS ${fieldIds}`;
  await run(`COPY (${select}) TO '${path(name).replaceAll("'", "''")}' (FORMAT parquet${ids})`);
  return { path: path(name), recordCount: 0n };
}

async function read(scan: Scan, withLayouts = true): Promise<string[]> {
  return await harness.engine.withConnection(async (connection) => {
    const layouts = await readFileLayouts(
      connection,
      scan.files.map((file) => file.path),
    );
    const sink = new MemorySink();
    const schema = {
      ...scan.schema,
      fields:
        scan.columns === undefined
          ? scan.schema.fields
          : scan.schema.fields.filter((f) => scan.columns?.includes(f.id)),
    };
    await writeRows(connection, `FROM ${scanSql(withLayouts ? { ...scan, layouts } : scan)}`, schema, 'jsonl', sink);
    return sink.text.split('\n').slice(0, -1);
  });
}

const filtered = (schema: Schema, text: string) => ({ schema, filter: bindExpression(parseExpression(text), schema) });

describe('a scan by field id', () => {
  it('reads a renamed column, fills a missing one, widens a promoted one', async () => {
    const file = await given(
      'a.parquet',
      `SELECT 7::INTEGER AS old, 1.5::FLOAT AS f, 12.34::DECIMAL(4,2) AS d`,
      '{old: 1, f: 2, d: 3}',
    );
    const schema = schemaOf(
      field(1, 'new', { kind: 'long' }),
      field(2, 'f', { kind: 'double' }),
      field(3, 'd', { kind: 'decimal', precision: 20, scale: 2 }),
      field(9, 'old', { kind: 'string' }),
    );
    for (const withLayouts of [true, false]) {
      expect(await read({ schema, files: [file] }, withLayouts)).toEqual(['{"new":7,"f":1.5,"d":12.34,"old":null}']);
    }
  });

  it('gives the initial default where a file lacks the column', async () => {
    const file = await given('b.parquet', 'SELECT 1 AS a', '{a: 1}');
    const added = { ...field(2, 'b', { kind: 'long' }), initialDefault: 42 };
    const text = { ...field(3, 'c', { kind: 'string' }), initialDefault: "it's" };
    const bytes = { ...field(4, 'd', { kind: 'binary' }), initialDefault: '00ff27' };
    for (const withLayouts of [true, false]) {
      expect(
        await read(
          { schema: schemaOf(field(1, 'a', { kind: 'int' }), added, text, bytes), files: [file] },
          withLayouts,
        ),
      ).toEqual([`{"a":1,"b":42,"c":"it's","d":"00ff27"}`]);
    }
  });

  it('gives a struct that a file lacks the defaults of its fields, and lists and maps their own', async () => {
    const file = await given(
      'defaults.parquet',
      "SELECT 1 AS a, {'x': 1} AS s",
      '{a: 1, s: {__duckdb_field_id: 2, x: 3}}',
    );
    const int = { kind: 'int' } as const;
    const inside = [{ ...field(4, 'p', int), initialDefault: 7 }, field(5, 'q', int)];
    // Specification, "Default values": the default of a struct is an empty object, and its fields have their own.
    const whole = { ...field(6, 'whole', { kind: 'struct', fields: inside }), initialDefault: {} };
    const list = { kind: 'list', elementId: 8, elementRequired: false, element: int } as const;
    const map = {
      kind: 'map',
      keyId: 10,
      key: { kind: 'string' },
      valueId: 11,
      valueRequired: false,
      value: int,
    } as const;
    const schema = schemaOf(
      field(1, 'a', int),
      field(2, 's', {
        kind: 'struct',
        fields: [
          field(3, 'x', int),
          {
            ...field(12, 't', { kind: 'struct', fields: [{ ...field(13, 'y', int), initialDefault: 5 }] }),
            initialDefault: {},
          },
          field(14, 'none', { kind: 'struct', fields: [{ ...field(15, 'z', int), initialDefault: 6 }] }),
        ],
      }),
      whole,
      { ...field(7, 'l', list), initialDefault: [1, null] },
      { ...field(9, 'm', map), initialDefault: { keys: ['k'], values: [2] } },
    );
    expect(await read({ schema, files: [file] }, true)).toEqual([
      '{"a":1,"s":{"x":1,"t":{"y":5},"none":null},"whole":{"p":7,"q":null},"l":[1,null],"m":[["k",2]]}',
    ]);
  });

  it.each(['array', 'l_tuple'])(
    'reads the element of a list as a struct of one field where old writers call it %s',
    async (name) => {
      // Parquet format, "Nested Types", backward compatibility of lists: a repeated group of this name is the element itself.
      const file = await given(
        `old-${name}.parquet`,
        'SELECT * FROM (VALUES ([1, NULL], 1), ([], 2), (NULL, 3)) AS t(l, k)',
        '{l: {__duckdb_field_id: 1, element: 3}, k: 4}',
      );
      const content = await readFile(file.path);
      const start = content.length - 8 - content.readUInt32LE(content.length - 8);
      const footer = readThrift(content.subarray(start)).struct;
      const elements = listOf(footer, 2);
      const items = (elements.items as readonly ThriftStruct[]).map((element) => {
        const isGroup = Buffer.from(bytesOf(element, 4) ?? []).toString() === 'list';
        return isGroup ? changed(element, [[4, { kind: 'bytes', type: 8, bytes: Buffer.from(name) }]]) : element;
      });
      const tail = writeThrift(changed(footer, [[2, { ...elements, items }]]));
      const length = Buffer.alloc(4);
      length.writeUInt32LE(tail.length);
      await writeFile(file.path, Buffer.concat([content.subarray(0, start), tail, length, Buffer.from('PAR1')]));
      const element = {
        kind: 'struct',
        fields: [field(5, 'added', { kind: 'int' }), field(3, 'n', { kind: 'long' })],
      } as const;
      const list = { kind: 'list', elementId: 2, elementRequired: false, element } as const;
      expect(
        await read({ schema: schemaOf(field(1, 'l', list), field(4, 'k', { kind: 'int' })), files: [file] }),
      ).toEqual(['{"l":[{"added":null,"n":1},{"added":null,"n":null}],"k":1}', '{"l":[],"k":2}', '{"l":null,"k":3}']);
    },
  );

  it('tells columns and members apart whose names differ by letter case alone, in files without field ids', async () => {
    const fixture = async (name: string) => {
      await copyFile(new URL(`../../fixtures/pyarrow/${name}`, import.meta.url), path(name));
      return [{ path: path(name), recordCount: 0n }];
    };
    const rows = async (files: Scan['files'], schema: Schema, names: readonly (readonly [number, string])[]) =>
      await harness.engine.withConnection(async (connection) => {
        const sized = files.map(async (file) => ({ ...file, fileSizeInBytes: BigInt((await stat(file.path)).size) }));
        const layouts = await checkFiles(connection, await Promise.all(sized));
        const nameMapping = new Map(names.map(([id, name]) => [id, [name]]));
        return await connection.rows(`FROM ${scanSql({ schema, files, layouts, nameMapping, naming: 'id' })}`);
      });
    const long = { kind: 'long' } as const;
    const both = schemaOf(field(1, 'a', long), field(2, 'upper', long));
    const columns = await fixture('names-by-case.parquet');
    expect(
      await rows(columns, both, [
        [1, 'a'],
        [2, 'A'],
      ]),
    ).toEqual([
      [1n, 10n],
      [2n, 20n],
    ]);
    expect(await rows(columns, schemaOf(field(2, 'upper', long)), [[2, 'A']])).toEqual([[10n], [20n]]);
    const one = schemaOf(field(1, 's', { kind: 'struct', fields: [field(3, 'A', long)] }), field(2, 'n', long));
    const members = await fixture('members-by-case.parquet');
    expect(
      JSON.stringify(
        await rows(members, one, [
          [1, 's'],
          [3, 'A'],
          [2, 'n'],
        ]),
        (_, value: unknown) => (typeof value === 'bigint' ? Number(value) : value),
      ),
    ).toBe('[[{"entries":{"A":10}},null]]');
  });

  it('reads renamed, reordered, added and dropped fields inside structs, lists and maps', async () => {
    const file = await given(
      'nested.parquet',
      `SELECT * FROM (VALUES ({'x': 1, 'gone': 'g', 'y': 2}, [{'p': 10}, NULL], MAP {'k': {'q': 5}}), (NULL, NULL, NULL)) AS t(s, l, m)`,
      `{s: {__duckdb_field_id: 1, x: 2, gone: 3, y: 4}, l: {__duckdb_field_id: 5, element: {__duckdb_field_id: 6, p: 7}},
        m: {__duckdb_field_id: 8, key: 9, value: {__duckdb_field_id: 10, q: 11}}}`,
    );
    const int = { kind: 'int' } as const;
    const schema = schemaOf(
      field(1, 's2', {
        kind: 'struct',
        fields: [field(4, 'x', int), field(2, 'renamed', { kind: 'long' }), field(12, 'added', int)],
      }),
      field(5, 'l2', {
        kind: 'list',
        elementId: 6,
        elementRequired: false,
        element: { kind: 'struct', fields: [field(7, 'pp', { kind: 'long' })] },
      }),
      field(8, 'm2', {
        kind: 'map',
        keyId: 9,
        key: { kind: 'string' },
        valueId: 10,
        valueRequired: false,
        value: { kind: 'struct', fields: [field(13, 'q', int), field(11, 'qq', int)] },
      }),
    );
    expect(await read({ schema, files: [file] })).toEqual([
      '{"s2":{"x":2,"renamed":1,"added":null},"l2":[{"pp":10},null],"m2":[["k",{"q":null,"qq":5}]]}',
      '{"s2":null,"l2":null,"m2":null}',
    ]);
  });

  it('keeps a struct that is there apart from one that is null, when none of its fields is left', async () => {
    const file = await given(
      'hollow.parquet',
      `SELECT * FROM (VALUES ({'x': 1}), (NULL)) AS t(s)`,
      '{s: {__duckdb_field_id: 1, x: 2}}',
    );
    const schema = schemaOf(field(1, 's', { kind: 'struct', fields: [field(3, 'z', { kind: 'int' })] }));
    expect(await read({ schema, files: [file] })).toEqual(['{"s":{"z":null}}', '{"s":null}']);
  });

  it('tells columns apart that differ only by case', async () => {
    const file = await given('case.parquet', 'SELECT 1 AS a, 2 AS b', '{a: 1, b: 2}');
    const schema = schemaOf(field(1, 'Id', { kind: 'int' }), field(2, 'ID', { kind: 'int' }));
    expect(await read({ schema, files: [file] })).toEqual(['{"Id":1,"ID":2}']);
    expect(await read({ ...filtered(schema, 'ID = 2'), files: [file], columns: [1] })).toEqual(['{"Id":1}']);
  });

  it('refuses files without field ids unless a name mapping tells the columns', async () => {
    const file = await given('imported.parquet', `SELECT 1 AS a, {'in': 2} AS s`, null);
    const schema = schemaOf(
      field(1, 'id', { kind: 'long' }),
      field(2, 's', { kind: 'struct', fields: [field(3, 'inner', { kind: 'int' })] }),
    );
    await expect(read({ schema, files: [file] })).rejects.toMatchObject({ code: 'UNSUPPORTED_FEATURE' });
    const nameMapping = new Map([
      [1, ['x', 'a']],
      [2, ['s']],
      [3, ['in']],
    ]);
    expect(await read({ schema, files: [file], nameMapping })).toEqual(['{"id":1,"s":{"inner":2}}']);
  });

  it('takes glob characters and quotes in paths literally', async () => {
    const schema = schemaOf(field(1, 'a', { kind: 'int' }));
    await given('x1.parquet', 'SELECT 1 AS a', '{a: 1}');
    const hostile = await given(`x[1]*?'{}.parquet`, 'SELECT 2 AS a', '{a: 1}');
    expect(await read({ schema, files: [hostile] })).toEqual(['{"a":2}']);
  });

  it('reads files of several layouts together, with their positions and sequence numbers', async () => {
    const one = await given('s1.parquet', 'SELECT range::INTEGER AS a FROM range(2)', '{a: 1}');
    const two = await given('s2.parquet', 'SELECT (10 + range)::BIGINT AS z FROM range(2)', '{z: 1}');
    const three = await given('s3.parquet', 'SELECT 20::INTEGER AS a', '{a: 1}');
    const schema = schemaOf(field(1, 'a', { kind: 'long' }));
    const files = [
      { ...one, sequenceNumber: 3n },
      { ...two, sequenceNumber: 9007199254740993n },
      { ...three, sequenceNumber: 5n },
    ];
    for (const withLayouts of [true, false]) {
      const rows = await harness.engine.withConnection(async (connection) => {
        const layouts = await readFileLayouts(
          connection,
          files.map((file) => file.path),
        );
        const extras = { fileName: 'f', rowNumber: 'n', sequenceNumber: 's' };
        return await connection.rows(
          `SELECT a, parse_filename(f), n, s FROM ${scanSql({ schema, files, extras, ...(withLayouts ? { layouts } : {}) })} ORDER BY a`,
        );
      });
      expect(rows).toEqual([
        [0n, 's1.parquet', 0n, 3n],
        [1n, 's1.parquet', 1n, 3n],
        [10n, 's2.parquet', 0n, 9007199254740993n],
        [11n, 's2.parquet', 1n, 9007199254740993n],
        [20n, 's3.parquet', 0n, 5n],
      ]);
    }
  });

  it('is an empty relation of the right types without files', async () => {
    const schema = schemaOf(
      field(1, 'a', { kind: 'decimal', precision: 9, scale: 2 }),
      field(2, 'b', { kind: 'timestamptz' }),
    );
    const rows = await harness.engine.withConnection((c) =>
      c.rows(`SELECT column_name, column_type FROM (DESCRIBE FROM ${scanSql({ schema, files: [] })})`),
    );
    expect(rows).toEqual([
      ['a', 'DECIMAL(9,2)'],
      ['b', 'TIMESTAMP WITH TIME ZONE'],
    ]);
    expect(await read({ ...filtered(schema, 'a > 1'), files: [] }, false)).toEqual([]);
  });
});

describe('a filter', () => {
  const schema = schemaOf(field(1, 'd', { kind: 'double' }), field(2, 't', { kind: 'string' }));
  const rowsWhere = async (text: string): Promise<unknown[]> => {
    const file = await given(
      'filter.parquet',
      `SELECT * FROM (VALUES (1::DOUBLE, 'a'), (2, 'B'), ('nan'::DOUBLE, 'é'), (NULL, NULL), ('-0.0'::DOUBLE, ''), ('inf'::DOUBLE, '%'))`,
      '{col0: 1, col1: 2}',
    );
    return (await read({ ...filtered(schema, text), files: [file], columns: [1] })).map(
      (row) => (JSON.parse(row) as { d: unknown }).d,
    );
  };
  it.each([
    ['d > 100', ['NaN', 'Infinity']],
    ['d >= 1', [1, 2, 'NaN', 'Infinity']],
    ['d < 2', [1, -0]],
    ['d = 0', [-0]],
    ['isnan(d)', ['NaN']],
    ['NOT isnan(d)', [1, 2, -0, 'Infinity']],
    ['d IS NULL', [null]],
    ['NOT (d IN (1, 2))', ['NaN', -0, 'Infinity']],
    ['d IN (1, NULL)', [1]],
    ['d NOT IN (1, NULL)', []],
    ["t LIKE 'a%'", [1]],
    ["NOT (t LIKE 'a%')", [2, 'NaN', -0, 'Infinity']],
    ["t <= 'B' OR d IS NULL", [2, null, -0, 'Infinity']],
  ])('%s', async (text, expected) => {
    expect(await rowsWhere(text)).toEqual(expected);
  });

  it('skips row groups by it, also where a column was promoted', async () => {
    const file = await given('groups.parquet', 'SELECT range::INTEGER AS a FROM range(1000000)', '{a: 1}');
    // Damage in the first row group shows whether it is read.
    const bytes = await readFile(file.path);
    await writeFile(file.path, bytes.fill(0xff, 4, 2000));
    const schema = schemaOf(field(1, 'a', { kind: 'long' }));
    for (const withLayouts of [true, false]) {
      await expect(read({ schema, files: [file] }, withLayouts)).rejects.toMatchObject({ code: 'DATA_FILE_CORRUPT' });
      for (const text of ['a = 999999', 'a > 999998', 'a IN (999999, 1000000)']) {
        expect(await read({ ...filtered(schema, text), files: [file] }, withLayouts)).toEqual(['{"a":999999}']);
      }
    }
  });

  it('names the damaged file where DuckDB does not', async () => {
    const good = await given('whole.parquet', 'SELECT range AS a FROM range(1000)', '{a: 1}');
    const bad = await given('torn.parquet', 'SELECT range AS a FROM range(1000)', '{a: 1}');
    await writeFile(bad.path, (await readFile(bad.path)).fill(0xff, 4, 40));
    const schema = schemaOf(field(1, 'a', { kind: 'long' }));
    const error = await read({ schema, files: [good, bad] }).catch((e: unknown) => e);
    const named = await harness.engine.withConnection((c) => nameDamagedFile(c, [good.path, bad.path], error));
    expect(named).toMatchObject({ code: 'DATA_FILE_CORRUPT', details: { path: bad.path } });
  });

  it('lets the optimizer know how many rows there are, given the layouts', async () => {
    const file = await given('many.parquet', 'SELECT range AS a FROM range(5000)', '{a: 1}');
    const schema = schemaOf(field(1, 'a', { kind: 'long' }));
    const plan = await harness.engine.withConnection(async (connection) => {
      const layouts = await readFileLayouts(connection, [file.path]);
      return await connection.rows(`EXPLAIN SELECT a FROM ${scanSql({ schema, files: [file], layouts })}`);
    });
    expect(String(plan[0]?.[1])).toContain('5,000 rows');
  });
});

describe('checking files before the first row', () => {
  const check = (file: string, bytes: number) =>
    harness.engine.withConnection((c) => checkFiles(c, [{ path: localPath(file), fileSizeInBytes: BigInt(bytes) }]));

  it('names a file that is missing, of another length, cut, or broken in its footer', async () => {
    const good = (await given('good.parquet', 'SELECT range AS a FROM range(1000)', '{a: 1}')).path;
    const bytes = await readFile(good);
    expect([...(await check(good, bytes.length)).keys()]).toEqual([good]);
    await expect(check(path('absent.parquet'), 5)).rejects.toMatchObject({
      code: 'FILE_NOT_FOUND',
      details: { path: path('absent.parquet') },
    });
    await expect(check(good, bytes.length + 1)).rejects.toMatchObject({
      code: 'DATA_FILE_CORRUPT',
      details: { path: good },
    });

    const damaged = path('damaged.parquet');
    const broken: Buffer[] = [
      bytes.subarray(0, bytes.length - 3),
      Buffer.from('PAR1'),
      Buffer.from(bytes),
      Buffer.from(bytes),
    ];
    broken[2]?.fill(0xff, bytes.length - 60, bytes.length - 20);
    broken[3]?.writeUInt32LE(0x7fffffff, bytes.length - 8);
    for (const content of broken) {
      await copyFile(good, damaged);
      await writeFile(damaged, content);
      await expect(check(damaged, content.length)).rejects.toMatchObject({
        code: 'DATA_FILE_CORRUPT',
        details: { path: damaged },
      });
    }
  });

  it('gives every file its own layout, of however many kinds they are', async () => {
    const wide = Array.from({ length: 700 }, (_, index) => `range AS column_${index}`).join(', ');
    const ids = Array.from({ length: 700 }, (_, index) => `column_${index}: ${index + 1}`).join(', ');
    const kinds: [string, string][] = [
      ['SELECT range AS a', '{a: 1}'],
      ['SELECT range AS a', '{a: 2}'],
      ['SELECT range AS b', '{b: 1}'],
      ['SELECT range::INTEGER AS a', '{a: 1}'],
      ['SELECT range AS a, {x: range} AS s', '{a: 1, s: {__duckdb_field_id: 2, x: 3}}'],
      ['SELECT range AS a, {x: range} AS s', '{a: 1, s: {__duckdb_field_id: 2, x: 4}}'],
      [`SELECT ${wide}`, `{${ids}}`],
    ];
    // A different number of rows each time: what tells two files of one kind apart.
    const files = await Promise.all(
      [3, 5000].flatMap((rows) =>
        kinds.map(([select, fieldIds], kind) =>
          given(`kind-${kind}-${rows}.parquet`, `${select} FROM range(${rows})`, fieldIds),
        ),
      ),
    );
    const sized = await Promise.all(
      files.map(async (file) => ({ path: file.path, fileSizeInBytes: BigInt((await readFile(file.path)).length) })),
    );
    await harness.engine.withConnection(async (connection) => {
      const together = await checkFiles(connection, sized);
      expect(new Set([...together.values()].map(({ fingerprint }) => fingerprint)).size).toBe(kinds.length);
      for (const { path: one } of sized) {
        expect(together.get(one)).toEqual((await readFileLayouts(connection, [one])).get(one));
      }
    });
  });
});
