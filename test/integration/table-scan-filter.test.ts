/**
 * Filters never drop a live row: `table scan --where` on a table whose schema and partitioning have changed and whose
 * statistics are partly missing or cut, compared with the rows of a full scan that a plain predicate keeps.
 */
import { isLosslessNumber, parse } from 'lossless-json';
import { expect, it } from 'vitest';
import { parseWhere } from '../../cli/options/where-option.js';
import { prepareScan } from '../../cli/scan-table.js';
import { writeRows } from '../../engine/index.js';
import {
  currentSchema,
  type DataFile,
  evolvePartitionSpec,
  evolveSchema,
  type SchemaChange,
} from '../../iceberg/index.js';
import { commitAppend, planFiles, selectSnapshot, type Table } from '../../tables/index.js';
import { moraineOk } from '../support/cli.js';
import { openTableWorld, schemaOf, type TableWorld, writeRows as writeDataFiles } from '../support/table-world.js';

interface Row {
  readonly id: bigint | null;
  readonly name: string | null;
  readonly x: number | null;
  readonly f: number | null;
  readonly at: string | null;
  readonly price: string | null;
}

const BIG = 2n ** 53n + 1n;
const LONG_NAMES = [
  'San Francisco International 1',
  'San Francisco International 2',
  `${'😀'.repeat(16)}z`,
  '\u{10ffff}'.repeat(20),
];

/** Rows `from`..`to`: nulls, NaN, both zeros, infinities, times before 1970, names longer than the bounds keep. */
function select(from: number, to: number): string {
  const names = LONG_NAMES.map((name) => `'${name}'`).join(', ');
  return `SELECT CASE WHEN n % 11 = 5 THEN NULL ELSE n - 20 END,
    CASE n % 7 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN 'k' || n ELSE [${names}][n % 7 - 2] END,
    CASE WHEN n >= 40 AND n < 60 THEN 'nan'::DOUBLE WHEN n % 9 = 0 THEN 'nan'::DOUBLE WHEN n % 9 = 1 THEN NULL
      WHEN n % 9 = 2 THEN -0.0 WHEN n % 9 = 3 THEN 0.0 WHEN n % 9 = 4 THEN 'inf'::DOUBLE WHEN n % 9 = 5 THEN '-inf'::DOUBLE ELSE n / 8 END,
    CASE WHEN n % 8 = 0 THEN NULL WHEN n % 8 = 1 THEN 'nan'::FLOAT ELSE (n / 10)::FLOAT END,
    CASE WHEN n % 10 = 3 THEN NULL ELSE TIMESTAMP '1969-11-20 00:00:00' + n * INTERVAL 37 HOUR END,
    CASE WHEN n % 6 = 1 THEN NULL ELSE (n - 30)::DECIMAL(9, 2) / 3 END
  FROM range(${from}, ${to}) t(n)`;
}

async function commitStripped(world: TableWorld, rows: string, strip: (file: DataFile, index: number) => DataFile) {
  const table = await world.load('t');
  const files = await writeDataFiles(world.engine, table, rows);
  await commitAppend(table, { files: files.map(strip) });
}

async function evolve(world: TableWorld, changes: readonly SchemaChange[]): Promise<void> {
  const { identifier, metadata } = await world.load('t');
  const schema = evolveSchema(currentSchema(metadata), changes, metadata);
  const updates = [
    { action: 'add-schema', schema },
    { action: 'set-current-schema', schemaId: -1 },
  ] as const;
  await world.catalog.commitTable(identifier, { requirements: [], updates });
}

async function repartition(world: TableWorld, change: Parameters<typeof evolvePartitionSpec>[1]): Promise<void> {
  const { identifier, metadata } = await world.load('t');
  const spec = evolvePartitionSpec(metadata, change);
  const updates = [
    { action: 'add-spec', spec },
    { action: 'set-default-spec', specId: -1 },
  ] as const;
  await world.catalog.commitTable(identifier, { requirements: [], updates });
}

/** The file's entry without some of its statistics. */
function without(file: DataFile, ...names: readonly (keyof DataFile)[]): DataFile {
  return Object.fromEntries(
    Object.entries(file).filter(([name]) => !names.includes(name as keyof DataFile)),
  ) as unknown as DataFile;
}
const withoutBounds = (file: DataFile): DataFile => without(file, 'lowerBounds', 'upperBounds');
const withoutCounts = (file: DataFile): DataFile => without(file, 'valueCounts', 'nullValueCounts', 'nanValueCounts');

/** Five generations of files: int ids by month, no bounds, long ids by bucket, no counts, unpartitioned. */
async function makeTable(world: TableWorld): Promise<void> {
  const columns = { id: 'int', name: 'string', old: 'double', f: 'float', at: 'timestamp', price: 'decimal(9, 2)' };
  await world.create('t', schemaOf(columns), 'month(at), truncate[4](name)');
  await world.append('t', select(0, 60));
  await commitStripped(world, select(60, 90), (file, index) => (index % 2 === 0 ? withoutBounds(file) : file));
  await evolve(world, [
    { change: 'rename', column: 'old', newName: 'x' },
    { change: 'promote', column: 'id', type: { kind: 'long' } },
    { change: 'promote', column: 'f', type: { kind: 'double' } },
    { change: 'promote', column: 'price', type: { kind: 'decimal', precision: 20, scale: 2 } },
  ]);
  const ids = { sourceId: 1, name: 'id_bucket', transform: { kind: 'bucket', numBuckets: 3 } } as const;
  const tens = { sourceId: 1, name: 'id_trunc', transform: { kind: 'truncate', width: 10 } } as const;
  const zeros = { sourceId: 3, name: 'x', transform: { kind: 'identity' } } as const;
  await repartition(world, { remove: ['at_month', 'name_trunc'], add: [ids, tens, zeros] });
  await world.append('t', select(90, 120));
  await repartition(world, { remove: ['id_bucket', 'id_trunc', 'x'] });
  await commitStripped(world, select(120, 150), withoutCounts);
  await world.append('t', `SELECT ${BIG}, 'big', 0.1, 0.1, NULL, 123456789012345678.25`);
}

/** A number of the answer; integers and decimals beyond a double stay exact as text. */
function cell(value: unknown): unknown {
  if (isLosslessNumber(value)) return value.value;
  return value;
}

function toRow(line: string): Row {
  const read = parse(line) as Record<string, unknown>;
  const text = (name: string): string | null => cell(read[name]) as string | null;
  const float = (name: string): number | null => (text(name) === null ? null : Number(text(name)));
  const id = text('id');
  return {
    id: id === null ? null : BigInt(id),
    name: text('name'),
    x: float('x'),
    f: float('f'),
    at: text('at'),
    price: text('price'),
  };
}

/** Below zero, zero or above, as SQL orders; undefined if either is null. */
function order(a: number | null, b: number): number | undefined {
  if (a === null) return undefined;
  if (Number.isNaN(a)) return Number.isNaN(b) ? 0 : 1;
  return Number.isNaN(b) ? -1 : Math.sign(a - b);
}
const is = (result: number | undefined, ...wanted: number[]): boolean =>
  result !== undefined && wanted.includes(result);
const cents = (price: string | null): bigint | null => (price === null ? null : BigInt(price.replace('.', '')));
const points = (text: string): number[] => [...text].map((character) => character.codePointAt(0) as number);
function textOrder(a: string | null, b: string): number | undefined {
  if (a === null) return undefined;
  const [left, right] = [points(a), points(b)];
  const at = left.findIndex((point, index) => point !== right[index]);
  if (at < 0) return Math.sign(left.length - right.length);
  return Math.sign((left[at] as number) - (right[at] ?? -1));
}

const FILTERS: readonly (readonly [string, (row: Row) => boolean])[] = [
  ['id = 25', ({ id }) => id === 25n],
  ['id = -5', ({ id }) => id === -5n],
  ['id < -10', ({ id }) => id !== null && id < -10n],
  ['id >= 100', ({ id }) => id !== null && id >= 100n],
  [`id = ${BIG}`, ({ id }) => id === BIG],
  [`id = ${BIG + 1n}`, () => false],
  [`id > ${BIG - 1n}`, ({ id }) => id === BIG],
  ['id IN (70, 71, 130, -1)', ({ id }) => id !== null && [70n, 71n, 130n, -1n].includes(id)],
  ['id NOT IN (1, 2)', ({ id }) => id !== null && id !== 1n && id !== 2n],
  ['NOT (id > 5 AND name IS NULL)', ({ id, name }) => name !== null || (id !== null && id <= 5n)],
  ['id IS NULL', ({ id }) => id === null],
  ["name = ''", ({ name }) => name === ''],
  [`name = '${LONG_NAMES[1]}'`, ({ name }) => name === LONG_NAMES[1]],
  [`name > '${LONG_NAMES[0]}'`, ({ name }) => is(textOrder(name, LONG_NAMES[0] ?? ''), 1)],
  [`name >= '${LONG_NAMES[2]}'`, ({ name }) => is(textOrder(name, LONG_NAMES[2] ?? ''), 0, 1)],
  [`name < '${'😀'.repeat(17)}'`, ({ name }) => is(textOrder(name, '😀'.repeat(17)), -1)],
  ["name LIKE 'San Francisco International%'", ({ name }) => name?.startsWith('San Francisco International') === true],
  ["name LIKE 'k1%'", ({ name }) => name?.startsWith('k1') === true],
  ["name NOT LIKE 'San%'", ({ name }) => name !== null && !name.startsWith('San')],
  [`name LIKE '${'\u{10ffff}'.repeat(17)}%'`, ({ name }) => name?.startsWith('\u{10ffff}'.repeat(17)) === true],
  ['x = 0', ({ x }) => is(order(x, 0), 0)],
  ['x < 0', ({ x }) => is(order(x, 0), -1)],
  ['x > 8', ({ x }) => is(order(x, 8), 1)],
  ['x >= 1e308', ({ x }) => is(order(x, 1e308), 0, 1)],
  ['isnan(x)', ({ x }) => Number.isNaN(x)],
  ['NOT isnan(x)', ({ x }) => x !== null && !Number.isNaN(x)],
  ['x <> 0', ({ x }) => is(order(x, 0), -1, 1)],
  ['x IS NULL', ({ x }) => x === null],
  // A value that was stored as a float is not 0.1 now that the column is double.
  ['f = 0.1', ({ f }) => f === 0.1],
  ['f >= 4', ({ f }) => is(order(f, 4), 0, 1)],
  ['f < 1.25', ({ f }) => is(order(f, 1.25), -1)],
  ["at < '1970-01-01T00:00:00'", ({ at }) => at !== null && at < '1970-01-01T00:00:00'],
  ["at = TIMESTAMP '1969-11-21 13:00:00'", ({ at }) => at === '1969-11-21T13:00:00.000000'],
  ["at >= '1970-03-01' AND at < '1970-04-01'", ({ at }) => at !== null && at >= '1970-03-01' && at < '1970-04-01'],
  ['at IS NULL OR id = 3', ({ at, id }) => at === null || id === 3n],
  ['price = 123456789012345678.25', ({ price }) => price === '123456789012345678.25'],
  ['price < -3.335', ({ price }) => (cents(price) ?? 0n) < -333n],
  ['price >= 10 AND price <= 20', ({ price }) => (cents(price) ?? 0n) >= 1000n && (cents(price) ?? 0n) <= 2000n],
];

/** The work of `table scan` once it has parsed its arguments. */
async function scanLines(world: TableWorld, table: Table, where?: string): Promise<string[]> {
  const { snapshot, schema } = selectSnapshot(table.metadata);
  const chunks: Uint8Array[] = [];
  await world.engine.withConnection(async (connection) => {
    const request = { snapshot, schema, selected: schema, filter: parseWhere(where, schema) };
    const { statement } = await prepareScan(connection, table, request);
    const sink = {
      write: async (bytes: Uint8Array) => {
        chunks.push(Uint8Array.from(bytes));
      },
    };
    await writeRows(connection, statement, schema, 'jsonl', sink);
  });
  return Buffer.concat(chunks)
    .toString()
    .split('\n')
    .filter((line) => line !== '');
}

it('a filter gives the rows of the full scan that it is true of, whatever files it skips', async () => {
  const world = await openTableWorld();
  await makeTable(world);
  const table = await world.load('t');
  const full = await scanLines(world, table);
  const all = full.map((line) => ({ line, row: toRow(line) }));
  expect(all).toHaveLength(151);
  const numbers = Array.from({ length: 150 }, (_, n) => n).filter((n) => n % 11 !== 5);
  expect(new Set(all.map(({ row }) => row.id))).toEqual(new Set([null, BIG, ...numbers.map((n) => BigInt(n - 20))]));
  let skipped = 0;
  for (const [where, keeps] of FILTERS) {
    const expected = all.filter(({ row }) => keeps(row)).map(({ line }) => line);
    expect([where, (await scanLines(world, table, where)).sort()]).toEqual([where, expected.sort()]);
    const filter = parseWhere(where, currentSchema(table.metadata));
    const plan = await planFiles(table, {
      ...selectSnapshot(table.metadata),
      ...(filter === undefined ? {} : { filter }),
    });
    skipped += plan.stats.filesSkipped;
  }
  // Were nothing skipped, this would test nothing.
  expect(skipped).toBeGreaterThan(500);

  // The command gives the same, of a table that it knows only by the location of its metadata.
  const args = ['table', 'scan', table.metadataLocation];
  expect((await moraineOk(args)).split('\n').slice(0, -1).sort()).toEqual(full.sort());
  const big = all.filter(({ row }) => row.id === BIG).map(({ line }) => `${line}\n`);
  expect(await moraineOk([...args, '--where', `id > ${BIG - 1n}`])).toBe(big.join(''));
});
