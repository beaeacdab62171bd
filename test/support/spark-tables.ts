/** Tables that Apache Spark wrote, unpacked into the one folder that their absolute paths name. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isLosslessNumber, parse } from 'lossless-json';
import { projectRoot } from './paths.js';

const FIXTURE = join(projectRoot, 'test/fixtures/spark');

/** One read of a table: arguments of `moraine table scan` and the rows that Spark read. */
export interface SparkRead {
  readonly args: readonly string[];
  readonly rows: readonly Record<string, unknown>[];
}

/** A table as `expected.json` describes it. */
export interface SparkTable {
  readonly note: string;
  /** The newest metadata file, below the warehouse. */
  readonly metadata: string;
  /** A feature that the table has and that must be refused by this name. */
  readonly refused: string | null;
  readonly rows: readonly Record<string, unknown>[];
  readonly reads: readonly SparkRead[];
  readonly lineage?: readonly Record<string, unknown>[];
}

/** An archive of tables, and the one folder that their metadata, manifests and position deletes name: their bytes stay as Spark wrote them. */
interface Archive {
  readonly file: string;
  readonly folder: string;
}

const TABLES: Archive = { file: 'tables.tar.gz', folder: '/tmp/moraine-spark-tables' };
const IDENTITY: Archive = {
  file: 'identity_partitions.tar.gz',
  folder: '/tmp/moraine-spark-identity-partitions',
};
const KEYS: Archive = { file: 'partition_keys.tar.gz', folder: '/tmp/moraine-spark-partition-keys' };

const readListing = <T>(file: string): Record<string, T> =>
  parse(readFileSync(join(FIXTURE, file), 'utf8')) as Record<string, T>;

/** The tables by name. Floats are `{float: text}` and decimals `{decimal: text}`; everything else is as `table scan` prints it. */
export const SPARK_TABLES = readListing<SparkTable>('expected.json');

/** The same of tables with identity partitions, in folders whose names a reader could take for values. */
export const SPARK_IDENTITY_TABLES = readListing<SparkTable>('identity_partitions.json');

/** Tables whose identity partitions are join keys, with the rows that their writers were given: every value as text, bytes as hexadecimal digits. */
export const SPARK_KEY_TABLES = readListing<{
  readonly metadata: string;
  readonly rows: readonly Readonly<Record<string, string | null>>[];
}>('partition_keys.json');

/** Unpacks the tables, unless these very ones are there. @returns the folder of the tables */
export function unpackSparkTables(): string {
  return unpack(TABLES);
}

/** The same for {@link SPARK_KEY_TABLES}. */
export function unpackSparkKeys(): string {
  return unpack(KEYS);
}

function unpack({ file, folder }: Archive): string {
  const archive = join(FIXTURE, file);
  const digest = createHash('sha256').update(readFileSync(archive)).digest('hex').slice(0, 16);
  const marker = join(folder, `unpacked-${digest}`);
  if (existsSync(marker)) return folder;
  const staging = `${folder}.${process.pid}`;
  mkdirSync(staging, { recursive: true });
  execFileSync('tar', ['-xzf', archive, '-C', staging, '--strip-components=1']);
  mkdirSync(join(staging, `unpacked-${digest}`));
  rmSync(folder, { recursive: true, force: true });
  try {
    renameSync(staging, folder);
  } catch (error) {
    // Another test process was faster.
    rmSync(staging, { recursive: true, force: true });
    if (!existsSync(marker)) throw error;
  }
  return folder;
}

/** The path of a table's newest metadata file. */
export function sparkMetadata(table: string): string {
  return join(unpack(TABLES), named(SPARK_TABLES, table).metadata);
}

/** The same of a table of {@link SPARK_IDENTITY_TABLES}. */
export function sparkIdentityMetadata(table: string): string {
  return join(unpack(IDENTITY), named(SPARK_IDENTITY_TABLES, table).metadata);
}

/** The same of a table of {@link SPARK_KEY_TABLES}. */
export function sparkKeyMetadata(table: string): string {
  return join(unpackSparkKeys(), named(SPARK_KEY_TABLES, table).metadata);
}

function named<T>(tables: Readonly<Record<string, T>>, name: string): T {
  const known = tables[name];
  if (known === undefined) throw new Error(`no Spark table ${name}`);
  return known;
}

/** A value as text in which every number is written one way. */
export function canonical(value: unknown): string {
  if (isLosslessNumber(value)) return number(value.value);
  if (typeof value === 'number') return number(String(value));
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if ('float' in value) return number(String(value.float));
  if ('decimal' in value) return number(String(value.decimal));
  return `{${Object.entries(value)
    .map(([name, one]) => `${name}:${canonical(one)}`)
    .join()}}`;
}

function number(text: string): string {
  if (/^-?\d+$/.test(text)) return text;
  return Object.is(Number(text), -0) ? '-0' : String(Number(text));
}
