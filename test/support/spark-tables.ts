/** Tables that Apache Spark wrote, unpacked into the one folder that their absolute paths name. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isLosslessNumber, parse } from 'lossless-json';
import { projectRoot } from './paths.js';

const FIXTURE = join(projectRoot, 'test/fixtures/spark');
/** Spark writes absolute paths into metadata, manifests and position deletes; these bytes stay as they were written. */
const WAREHOUSE = '/tmp/moraine-spark-tables';

/** One read of a table: arguments of `moraine table scan` and the rows that Spark read. */
export interface SparkRead {
  readonly args: readonly string[];
  readonly rows: readonly Record<string, unknown>[];
}

/** What `expected.json` says of a table. */
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

/** The tables by name. Floats are `{float: text}` and decimals `{decimal: text}`; everything else is as `table scan` prints it. */
export const SPARK_TABLES = parse(readFileSync(join(FIXTURE, 'expected.json'), 'utf8')) as Record<string, SparkTable>;

/** Unpacks the tables, unless these very ones are there. @returns the folder of the tables */
export function unpackSparkTables(): string {
  const archive = join(FIXTURE, 'tables.tar.gz');
  const digest = createHash('sha256').update(readFileSync(archive)).digest('hex').slice(0, 16);
  const marker = join(WAREHOUSE, `unpacked-${digest}`);
  if (existsSync(marker)) return WAREHOUSE;
  const staging = `${WAREHOUSE}.${process.pid}`;
  mkdirSync(staging, { recursive: true });
  execFileSync('tar', ['-xzf', archive, '-C', staging, '--strip-components=1']);
  mkdirSync(join(staging, `unpacked-${digest}`));
  rmSync(WAREHOUSE, { recursive: true, force: true });
  try {
    renameSync(staging, WAREHOUSE);
  } catch (error) {
    // Another test process was faster.
    rmSync(staging, { recursive: true, force: true });
    if (!existsSync(marker)) throw error;
  }
  return WAREHOUSE;
}

/** The path of a table's newest metadata file. */
export function sparkMetadata(table: string): string {
  const known = SPARK_TABLES[table];
  if (known === undefined) throw new Error(`no Spark table ${table}`);
  return join(unpackSparkTables(), known.metadata);
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

const number = (text: string): string => (/^-?\d+$/.test(text) ? text : String(Number(text)));
