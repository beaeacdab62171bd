/** Tables that Apache Spark wrote, read by another engine and compared with what Spark read. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'lossless-json';
import { expect } from 'vitest';
import { projectRoot } from './paths.js';
import { canonical, SPARK_TABLES } from './spark-tables.js';

const run = promisify(execFile);

/** A reader's answer about a table. */
export interface Read {
  readonly rows?: readonly Record<string, unknown>[];
  readonly error?: string;
}

/** How a reader differs from Spark: what its error says, or the rows that it alone has and lacks. */
export type Difference = RegExp | { readonly more: number; readonly less: number };

/** Tables that we refuse too have no rows to compare. */
export const READABLE_SPARK_TABLES = Object.entries(SPARK_TABLES).filter(([, { refused }]) => refused === null);

/** @param reader of `read_spark_tables.py`; @param locations of metadata files */
export async function readTables(
  interpreter: string,
  reader: string,
  locations: readonly string[],
): Promise<readonly Read[]> {
  const program = join(projectRoot, 'test/interop/programs/read_spark_tables.py');
  const { stdout } = await run(interpreter, ['-W', 'ignore', program, reader, ...locations], { maxBuffer: 1 << 28 });
  return parse(stdout.trim().split('\n').at(-1) ?? '[]') as Read[];
}

/** The rows as text, in order; of the large table what Spark was asked for: count, sum, smallest and largest id. */
function comparable(name: string, rows: readonly Record<string, unknown>[]): readonly string[] {
  if (name !== 'vectors_many_rows' || rows.length < 2) return rows.map(canonical).sort();
  const ids = rows.map(({ id }) => BigInt(String(id)));
  const total = ids.reduce((sum, id) => sum + id, 0n);
  const [low, high] = [Math.min(...ids.map(Number)), Math.max(...ids.map(Number))];
  return [`{n:${ids.length},total:${total},low:${low},high:${high}}`];
}

/** The difference of a reader's answer from Spark's: null if there is none. */
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

/** Each table must be read as Spark reads it, or differ as listed. @param reads of {@link READABLE_SPARK_TABLES}, in order */
export function judge(reads: readonly Read[], known: Readonly<Record<string, Difference>>): void {
  for (const [index, read] of reads.entries()) {
    const name = READABLE_SPARK_TABLES[index]?.[0] ?? '';
    const found = difference(name, read);
    const listed = known[name] ?? null;
    if (listed instanceof RegExp) expect.soft(found, name).toMatch(listed);
    else expect.soft(found, name).toEqual(listed);
  }
  expect(Object.keys(known).filter((name) => !READABLE_SPARK_TABLES.some(([table]) => table === name))).toEqual([]);
  expect(reads).toHaveLength(READABLE_SPARK_TABLES.length);
}
