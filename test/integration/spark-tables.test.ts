/**
 * The tables that Apache Spark wrote, as PyIceberg and DuckDB's extension read them. Where one of them fails or answers other
 * rows than Spark does, it is listed here with the reason: a release that changes that is seen, and so is a table of ours that
 * only one of three readers agrees with.
 */
import { join } from 'node:path';
import { inject, test } from 'vitest';
import { projectRoot } from '../support/paths.js';
import { describeInterop } from '../support/python.js';
import { pythonEnvironment } from '../support/python-environment.js';
import { type Difference, judge, READABLE_SPARK_TABLES, type Read, readTables } from '../support/spark-readers.js';
import { sparkMetadata } from '../support/spark-tables.js';

/** The answer of `readSafely` about a process that has ended. */
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

/** As `readTables`, in processes of their own for the tables over which the reader ends its process. */
async function readSafely(interpreter: string, reader: string, names: readonly string[]): Promise<readonly Read[]> {
  const alone = names.filter((name) => DUCKDB[name] === CRASH);
  const together = names.filter((name) => !alone.includes(name));
  const ended = (error: { signal?: string }): Read[] => [{ error: `ended by ${error.signal ?? 'itself'}` }];
  const reads = new Map<string, Read>();
  for (const group of [together, ...alone.map((name) => [name])]) {
    const answers = await readTables(interpreter, reader, group.map(sparkMetadata)).catch(ended);
    for (const [index, answer] of answers.entries()) reads.set(group[index] ?? '', answer);
  }
  return names.map((name) => reads.get(name) ?? { error: 'not read: another table ended the process' });
}

describeInterop('tables of Apache Spark, as other engines read them', () => {
  const names = READABLE_SPARK_TABLES.map(([name]) => name);

  test('PyIceberg', { timeout: 120_000 }, async () => {
    judge(await readTables(inject('python') ?? '', 'pyiceberg', names.map(sparkMetadata)), PYICEBERG);
  });

  test('DuckDB', { timeout: 300_000 }, async () => {
    const environment = pythonEnvironment(join(projectRoot, 'test/interop/requirements-duckdb.txt'));
    judge(await readSafely(environment, 'duckdb', names), DUCKDB);
  });
});
