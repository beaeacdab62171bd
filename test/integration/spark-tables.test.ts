/**
 * The tables that Apache Spark wrote, as PyIceberg and DuckDB's extension read them. Where one of them fails or answers other
 * rows than Spark does, it is listed here with the reason: a release that changes that is seen, and so is a table of ours that
 * only one of three readers agrees with.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'lossless-json';
import { expect, inject, test } from 'vitest';
import { projectRoot } from '../support/paths.js';
import { describeInterop } from '../support/python.js';
import { pythonEnvironment } from '../support/python-environment.js';
import { canonical, SPARK_TABLES, sparkMetadata } from '../support/spark-tables.js';

const run = promisify(execFile);

interface Read {
  readonly rows?: readonly Record<string, unknown>[];
  readonly error?: string;
}

/** How a reader differs from Spark: what its error says, or the rows that it alone has and lacks. */
type Difference = RegExp | { readonly more: number; readonly less: number };

/** What `readSafely` says of a process that is no more. */
const CRASH = /ended by SIGSEGV/;

const AVRO = ['avro_gzip', 'avro_snappy', 'avro_zstd', 'avro_uncompressed'];

const sameFor = (difference: Difference, names: readonly string[]): Record<string, Difference> =>
  Object.fromEntries(names.map((name) => [name, difference]));

/** PyIceberg 0.12.0. */
const PYICEBERG: Readonly<Record<string, Difference>> = {
  // It has no reader of Avro data files, and none of position deletes in Avro.
  ...sameFor(/file format not supported: FileFormat.AVRO/, ['position_deletes_avro', ...AVRO]),
  avro_evolved: /Unsupported file format: FileFormat.AVRO/,
  // It refuses every table that has equality deletes.
  ...sameFor(/does not yet support equality deletes/, [
    'equality_deletes',
    'equality_deletes_evolved',
    'equality_deletes_partitioned',
  ]),
};

/** DuckDB 1.5.5 with its iceberg extension. */
const DUCKDB: Readonly<Record<string, Difference>> = {
  // Its extension reads Parquet only, and deletes in Parquet and Puffin.
  position_deletes_avro: /File format 'AVRO' not supported for deletes/,
  ...sameFor(/File format 'AVRO' not supported/, [...AVRO, 'avro_evolved']),
  // Hadoop's framing of LZ4 is not in its Parquet reader; ours turns such files into ones that it reads.
  parquet_lz4: /Unsupported compression codec "LZ4"/,
  // A null in the key of an equality delete.
  equality_deletes_partitioned: /INTERNAL Error: Comparison on NULL values/,
  // Keys that were renamed, promoted or dropped after the delete end the whole process.
  equality_deletes_evolved: CRASH,
};

/** Tables that we refuse too have no rows to compare. */
const TABLES = Object.entries(SPARK_TABLES).filter(([, { refused }]) => refused === null);

async function readAll(interpreter: string, reader: string, names: readonly string[]): Promise<readonly Read[]> {
  const program = join(projectRoot, 'test/interop/programs/read_spark_tables.py');
  const args = ['-W', 'ignore', program, reader, ...names.map(sparkMetadata)];
  const { stdout } = await run(interpreter, args, { maxBuffer: 1 << 28 });
  return parse(stdout.trim().split('\n').at(-1) ?? '[]') as Read[];
}

/** As `readAll`, in processes of their own for the tables over which the reader ends its process. */
async function readSafely(interpreter: string, reader: string, names: readonly string[]): Promise<readonly Read[]> {
  const alone = names.filter((name) => DUCKDB[name] === CRASH);
  const together = names.filter((name) => !alone.includes(name));
  const ended = (error: { signal?: string }): Read[] => [{ error: `ended by ${error.signal ?? 'itself'}` }];
  const reads = new Map<string, Read>();
  for (const group of [together, ...alone.map((name) => [name])]) {
    const answers = await readAll(interpreter, reader, group).catch(ended);
    for (const [index, answer] of answers.entries()) reads.set(group[index] ?? '', answer);
  }
  return names.map((name) => reads.get(name) ?? { error: 'not read: another table ended the process' });
}

/** The rows as text, in order; of the large table what Spark was asked for: count, sum, smallest and largest id. */
function comparable(name: string, rows: readonly Record<string, unknown>[]): readonly string[] {
  if (name !== 'vectors_many_rows' || rows.length < 2) return rows.map(canonical).sort();
  const ids = rows.map(({ id }) => BigInt(String(id)));
  const total = ids.reduce((sum, id) => sum + id, 0n);
  const [low, high] = [Math.min(...ids.map(Number)), Math.max(...ids.map(Number))];
  return [`{n:${ids.length},total:${total},low:${low},high:${high}}`];
}

/** What a reader's answer is beside Spark's: null if the same. */
function difference(name: string, read: Read): string | { more: number; less: number } | null {
  if (read.rows === undefined) return read.error ?? 'no answer';
  const theirs = comparable(name, read.rows);
  const sparks = comparable(name, SPARK_TABLES[name]?.rows ?? []);
  const unmatched = (some: readonly string[], others: readonly string[]): number => {
    const left = [...others];
    return some.filter((row) => !left.includes(row) || left.splice(left.indexOf(row), 1).length === 0).length;
  };
  const found = { more: unmatched(theirs, sparks), less: unmatched(sparks, theirs) };
  return found.more + found.less === 0 ? null : found;
}

/** Each table must be read as Spark reads it, or differ as listed. */
function judge(reads: readonly Read[], known: Readonly<Record<string, Difference>>): void {
  for (const [index, read] of reads.entries()) {
    const name = TABLES[index]?.[0] ?? '';
    const found = difference(name, read);
    const listed = known[name] ?? null;
    if (listed instanceof RegExp) expect.soft(found, name).toMatch(listed);
    else expect.soft(found, name).toEqual(listed);
  }
  expect(Object.keys(known).filter((name) => !TABLES.some(([table]) => table === name))).toEqual([]);
  expect(reads).toHaveLength(TABLES.length);
}

describeInterop('tables of Apache Spark, as other engines read them', () => {
  const names = TABLES.map(([name]) => name);

  test('PyIceberg', { timeout: 120_000 }, async () => {
    judge(await readAll(inject('python') ?? '', 'pyiceberg', names), PYICEBERG);
  });

  test('DuckDB', { timeout: 300_000 }, async () => {
    const environment = pythonEnvironment(join(projectRoot, 'test/interop/requirements-duckdb.txt'));
    judge(await readSafely(environment, 'duckdb', names), DUCKDB);
  });
});
