/** Every type of format version 2, with its edges, through Trino: equal to what was written, and to what DuckDB reads. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { ensureNamespace } from '../../catalogs/index.js';
import { getHistoricalFeatures, parseDefinitions } from '../../features/index.js';
import type { IcebergType, NestedField } from '../../iceberg/index.js';
import { materializeDirect } from '../../materialization/index.js';
import { materializationDeps, type Project } from '../../project/index.js';
import { stageRows } from '../../staging/index.js';
import { commitAppend, loadTable } from '../../tables/index.js';
import { failureOf } from '../support/error-code.js';
import { putFile } from '../support/put-file.js';
import { python } from '../support/python.js';
import { dataFile } from '../support/table-fixture.js';
import { onlineRows, openTrinoProject, rowsOf } from '../support/trino-worlds.js';
import { fromDuckDb, isStruct, type PlainValue, quoteName, type Value, valueSql } from '../worlds/values.js';

const lake = inject('trinoLake');
const run = `types_${Date.now().toString(36)}`;
const folder = mkdtempSync(join(tmpdir(), 'moraine-test-'));
let duckdb: Project;
let onTrino: Project;
beforeAll(async () => {
  duckdb = await openTrinoProject(lake, 'duckdb', `${run}_duckdb`, { cwd: folder });
  onTrino = await openTrinoProject(lake, 'trino', `${run}_trino`, { cwd: folder });
});
afterAll(async () => {
  await Promise.all([duckdb, onTrino].map((project) => project.close()));
  rmSync(folder, { recursive: true, force: true });
});

const field = (id: number, name: string, type: IcebergType): NestedField => ({ id, name, required: false, type });
const decimal = (precision: number, scale: number): IcebergType => ({ kind: 'decimal', precision, scale });
const listOf = (elementId: number, element: IcebergType): IcebergType => {
  return { kind: 'list', elementId, elementRequired: false, element };
};
const bytes = (...values: readonly number[]) => Uint8Array.from(values);
const FLOATS = [Number.NaN, -0, 0, Infinity, -Infinity, 1.5];
/** Of the years 1 and 9999, and far beyond. */
const MOMENTS_US = [0n, -1n, 1n, -62_135_596_800_000_000n, 253_402_300_799_999_999n];
const FAR_US = [9n * 10n ** 18n, -9n * 10n ** 18n];
/** The last that Trino has with a zone: it counts milliseconds in 52 bits. */
const LAST_ZONED_US = [2n ** 51n * 1000n - 1n, -(2n ** 51n) * 1000n];

const INNER = [field(101, 'a', { kind: 'int' }), field(102, 'B b', { kind: 'timestamptz' })];
const inner = (a: Value, b: Value): Value => ({
  members: new Map([
    [101, a],
    [102, b],
  ]),
});

/** Columns by their names: the type of each, and values that are its edges, or easily mistaken for each other. */
const COLUMNS: Columns = {
  boolean: [{ kind: 'boolean' }, [false, true]],
  int: [{ kind: 'int' }, [0, -(2 ** 31), 2 ** 31 - 1]],
  long: [{ kind: 'long' }, [0n, 2n ** 53n + 1n, -(2n ** 63n), 2n ** 63n - 1n]],
  float: [{ kind: 'float' }, [...FLOATS, 2 ** -149, Math.fround(3.4028234663852886e38)]],
  double: [{ kind: 'double' }, [...FLOATS, 5e-324, Number.MAX_VALUE]],
  decimal_4: [decimal(4, 2), [0n, 9999n, -9999n, 1n]],
  decimal_18: [decimal(18, 0), [10n ** 18n - 1n, -(10n ** 18n) + 1n]],
  decimal_19: [decimal(19, 19), [10n ** 19n - 1n, -1n]],
  decimal_38: [decimal(38, 10), [10n ** 38n - 1n, -(10n ** 38n) + 1n, 1n]],
  date: [{ kind: 'date' }, [0, -1, -719_162, 2_932_896, 2_000_000_000, -2_000_000_000]],
  time: [{ kind: 'time' }, [0n, 1n, 86_399_999_999n]],
  timestamp: [{ kind: 'timestamp' }, [...MOMENTS_US, ...FAR_US]],
  timestamptz: [{ kind: 'timestamptz' }, [...MOMENTS_US, ...LAST_ZONED_US]],
  string: [
    { kind: 'string' },
    ['', ' ', 'a', 'A', 'a ', `'"\\`, '\u00e9', 'e\u0301', '\uffee', '\u{1f600}', 'x'.repeat(5000)],
  ],
  uuid: [
    { kind: 'uuid' },
    [
      '00000000-0000-0000-0000-000000000000',
      '80000000-0000-0000-0000-000000000001',
      'ffffffff-ffff-ffff-ffff-ffffffffffff',
    ],
  ],
  binary: [{ kind: 'binary' }, [bytes(), bytes(0), bytes(0, 255, 128)]],
  struct: [
    { kind: 'struct', fields: INNER },
    [inner(1, 1n), inner(null, null), inner(2 ** 31 - 1, -62_135_596_800_000_000n)],
  ],
  doubles: [listOf(103, { kind: 'double' }), [[], [null], [Number.NaN, -0, 0, null, -Infinity]]],
  structs: [
    listOf(104, {
      kind: 'struct',
      fields: [field(105, 'u', { kind: 'uuid' }), field(106, 'l', listOf(107, { kind: 'string' }))],
    }),
    [
      [
        {
          members: new Map<number, Value>([
            [105, '80000000-0000-0000-0000-000000000001'],
            [106, ['', null]],
          ]),
        },
        null,
      ],
    ],
  ],
  map: [
    { kind: 'map', keyId: 108, key: { kind: 'string' }, valueId: 109, valueRequired: false, value: decimal(38, 10) },
    [
      [],
      [
        ['', 10n ** 38n - 1n],
        ['b', null],
      ],
    ],
  ],
  map_of_dates: [
    {
      kind: 'map',
      keyId: 110,
      key: { kind: 'date' },
      valueId: 111,
      valueRequired: false,
      value: listOf(112, { kind: 'float' }),
    },
    [
      [
        [-719_162, [Number.NaN, -0]],
        [0, null],
      ],
    ],
  ],
};
/** The last row has no values at all. */
const ROWS = 13;
const valueIn = (values: readonly Value[], row: number): Value =>
  row === ROWS - 1 ? null : (values[row % values.length] ?? null);

type Columns = Readonly<Record<string, readonly [type: IcebergType, values: readonly Value[]]>>;

/** A table of so many rows, with an entity for each. */
async function makeTable(name: string, columns: Columns, rows: number): Promise<string> {
  const identifier = { namespace: ['packed'], name: `${run}_${name}` };
  const fields = [
    field(1, 'k', { kind: 'long' }),
    field(2, 'at', { kind: 'timestamptz' }),
    ...Object.entries(columns).map(([column, [type]], index) => field(index + 3, column, type)),
  ];
  const catalog = await duckdb.catalog();
  await ensureNamespace(catalog, identifier.namespace);
  await catalog.createTable(identifier, { schema: { schemaId: 0, identifierFieldIds: [], fields }, formatVersion: 2 });
  const table = await loadTable(catalog, duckdb.io, identifier);
  const selects = Array.from({ length: rows }, (_, row) => {
    const values = Object.entries(columns).map(
      ([column, [type, of]]) => `${valueSql(type, valueIn(of, row))} AS ${quoteName(column)}`,
    );
    return `SELECT ${row}::BIGINT AS k, make_timestamptz(${row}) AS "at", ${values.join(', ')}`;
  });
  await (await duckdb.engine()).withConnection(async (connection) => {
    const files = await stageRows(connection, table, { select: selects.join(' UNION ALL '), namePrefix: 'types' });
    await commitAppend(table, { files });
  });
  return `packed.${identifier.name}`;
}

/** A value as an answer has it. */
function plain(value: Value): PlainValue {
  if (value === null) return null;
  if (isStruct(value)) return [...value.members.values()].map(plain);
  return Array.isArray(value) ? value.map(plain) : (value as PlainValue);
}

function definitionsOn(table: string) {
  const source = { table, timestampField: 'at' };
  const value = {
    entities: [{ name: 'thing', joinKeys: ['k'] }],
    featureViews: [{ name: 'types', entities: ['thing'], source, online: true }],
  };
  return () => Promise.resolve(parseDefinitions([{ value }]));
}

/** All features of so many entities, in order. */
async function retrieve(project: Project, table: string, entities: number) {
  const deps = { ...(await materializationDeps(project)), definitions: definitionsOn(table) };
  const sql = `SELECT k, make_timestamptz(1000) AS event_timestamp FROM range(${entities}) t(k)`;
  const request = { entities: { query: { sql } }, features: [{ view: 'types' }] };
  return await getHistoricalFeatures(deps, request, async ({ connection, select, schema, joins }) => {
    const rows = await connection.rows(`SELECT * FROM (${select}) ORDER BY 1`);
    const { digest } = await rowsOf(connection, select, schema);
    return { rows: rows.map((row) => row.map(fromDuckDb)), digest, engine: joins.get('types')?.engine };
  });
}

test('a materialization and a retrieval have every value as it was written, whoever reads', async () => {
  const table = await makeTable('all', COLUMNS, ROWS);
  const answers = [];
  const tables = [];
  for (const project of [duckdb, onTrino]) {
    answers.push(await retrieve(project, table, ROWS));
    const deps = { ...(await materializationDeps(project)), definitions: definitionsOn(table) };
    const { plan } = await materializeDirect(deps, { view: 'types' });
    tables.push({ ...(await onlineRows(project, 'types')), engine: plan.reduction?.engine });
  }
  const expected = Array.from({ length: ROWS }, (_, row) =>
    Object.values(COLUMNS).map(([, values]) => plain(valueIn(values, row))),
  );
  const [ours, theirs] = answers;
  expect([ours?.engine, theirs?.engine]).toEqual(['duckdb', 'trino']);
  expect(theirs?.rows.map((row) => row.slice(2))).toEqual(expected);
  expect(theirs?.rows).toEqual(ours?.rows);
  expect(theirs?.digest).toBe(ours?.digest);

  const [own, staged] = tables;
  expect([own?.engine, staged?.engine]).toEqual([undefined, 'trino']);
  expect(staged?.rows).toHaveLength(ROWS);
  expect(staged?.rows).toEqual(own?.rows);
  expect(staged?.digest).toBe(own?.digest);
});

test('bytes of a fixed length, which Moraine reads and does not write, are retrieved through Trino', async () => {
  const identifier = { namespace: ['packed'], name: `${run}_fixed` };
  const fields = [
    field(1, 'k', { kind: 'long' }),
    field(2, 'at', { kind: 'timestamptz' }),
    field(3, 'fixed', { kind: 'fixed', length: 4 }),
  ];
  const catalog = await duckdb.catalog();
  await ensureNamespace(catalog, identifier.namespace);
  await catalog.createTable(identifier, { schema: { schemaId: 0, identifierFieldIds: [], fields }, formatVersion: 2 });
  const table = await loadTable(catalog, duckdb.io, identifier);
  const filePath = `${table.metadata.location}/data/fixed.parquet`;
  const fileSizeInBytes = await putFile(duckdb.io, filePath, (path) => python('fixed_column.py', path));
  await commitAppend(table, { files: [dataFile([], { filePath, fileSizeInBytes, recordCount: 3n })] });

  const name = `packed.${identifier.name}`;
  const [ours, theirs] = [await retrieve(duckdb, name, 3), await retrieve(onTrino, name, 3)];
  expect([ours.engine, theirs.engine]).toEqual(['duckdb', 'trino']);
  expect(theirs.rows.map((row) => row[2])).toEqual([bytes(0, 0, 0, 0), bytes(255, 254, 0, 1), null]);
  expect(theirs.digest).toBe(ours.digest);
});

test('a point in time with a zone that no version of Trino has is refused with what to do', async () => {
  const [type] = COLUMNS['timestamptz'] ?? expect.unreachable();
  for (const us of FAR_US) {
    const table = await makeTable(`far_${us < 0n ? 'back' : 'ahead'}`, { far: [type, [us]] }, 1);
    const { code, message } = await failureOf(retrieve(onTrino, table, 1));
    expect(code).toBe('UNSUPPORTED_FEATURE');
    expect(message).toMatch(/Millis overflow.* beyond which no version of Trino has any\. Let DuckDB do this/);
    expect((await retrieve(duckdb, table, 1)).rows[0]?.[2]).toBe(us);
  }
});

test('entity rows of any year get the rows of their time, with a zone and without, in a ttl and as known then', async () => {
  // Of the years -1000, 2020, 11000 and 60000, which Trino has with a zone, too.
  const rowsUs = [
    -93_724_128_000_000_000n,
    1_577_836_800_000_000n,
    284_959_296_000_000_000n,
    1_831_249_900_800_000_000n,
  ];
  const definitions: object[] = [];
  for (const kind of ['timestamp', 'timestamptz'] as const) {
    const identifier = { namespace: ['packed'], name: `${run}_years_${kind}` };
    const fields = [
      field(1, 'k', { kind: 'long' }),
      field(2, 'at', { kind }),
      field(3, 'made', { kind }),
      field(4, 'v', { kind: 'long' }),
    ];
    const catalog = await duckdb.catalog();
    await ensureNamespace(catalog, identifier.namespace);
    await catalog.createTable(identifier, {
      schema: { schemaId: 0, identifierFieldIds: [], fields },
      formatVersion: 2,
    });
    const table = await loadTable(catalog, duckdb.io, identifier);
    const selects = rowsUs.map((us, v) => `SELECT 1::BIGINT, make_${kind}(${us}), make_${kind}(${us}), ${v}::BIGINT`);
    await (await duckdb.engine()).withConnection(async (connection) => {
      const files = await stageRows(connection, table, { select: selects.join(' UNION ALL '), namePrefix: 'years' });
      await commitAppend(table, { files });
    });
    const source = { table: `packed.${identifier.name}`, timestampField: 'at' };
    const view = { entities: ['thing'], source, features: ['v'] };
    const known = { ...source, createdTimestampField: 'made' };
    definitions.push({ ...view, name: kind }, { ...view, name: `${kind}_young`, ttl: '1d' });
    definitions.push({ ...view, name: `${kind}_known`, source: known });
  }
  const value = { entities: [{ name: 'thing', joinKeys: ['k'] }], featureViews: definitions };
  const parsed = parseDefinitions([{ value }]);
  const answersOf = async (project: Project, knownAsOf: boolean, views: readonly string[]) => {
    const deps = { ...(await materializationDeps(project)), definitions: () => Promise.resolve(parsed) };
    const moments = rowsUs.flatMap((us) => [us - 1n, us, us + 86_400_000_001n]);
    const frame = moments.map((us) => `SELECT 1::BIGINT AS k, make_timestamptz(${us}) AS event_timestamp`);
    const request = {
      entities: { query: { sql: frame.join(' UNION ALL ') } },
      features: views.map((view) => ({ view })),
      fullFeatureNames: true,
      knownAsOf,
    };
    return await getHistoricalFeatures(deps, request, async ({ connection, select, joins }) => ({
      rows: (await connection.rows(`SELECT * FROM (${select}) ORDER BY 2`)).map((row) => row.slice(2)),
      engines: views.map((view) => joins.get(view)?.engine),
    }));
  };
  const newest = [null, 0n, 0n, 0n, 1n, 1n, 1n, 2n, 2n, 2n, 3n, 3n];
  const young = [null, 0n, null, null, 1n, null, null, 2n, null, null, 3n, null];
  for (const kind of ['timestamp', 'timestamptz']) {
    for (const project of [duckdb, onTrino]) {
      const engine = project === duckdb ? 'duckdb' : 'trino';
      expect(await answersOf(project, false, [kind, `${kind}_young`])).toEqual({
        rows: newest.map((each, row) => [each, young[row]]),
        engines: [engine, engine],
      });
      const known = await answersOf(project, true, [`${kind}_known`]);
      expect(known).toEqual({ rows: newest.map((each) => [each]), engines: [engine] });
    }
  }
});
