/** Records of a stream judged: most are rows by their text alone and are read when they are written; the others are looked at one by one before. */
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Connection } from '../connection.js';
import { quoteIdentifier } from '../sql/sql-text.js';
import { writeTemporaryFile } from '../temporary-file.js';
import { type BadRecord, goodRowsSql, loadJsonRecords, type RecordOptions } from './json-records.js';
import { type OtherLine, plainRecords } from './plain-records.js';
import { strictLines } from './strict-json.js';

/** Records judged. */
export interface JudgedRecords {
  /** A statement that gives the good ones, in the order of their lines: the columns, by name. It can be run until `close`. */
  readonly sql: string;
  readonly rows: bigint;
  /** In the order of their lines. */
  readonly bad: readonly BadRecord[];
  close(): Promise<void>;
}

/**
 * Judges lines of JSON by the rules of {@link loadJsonRecords}; what only the query engine takes for JSON is malformed.
 * @param text UTF-8
 * @throws as {@link loadJsonRecords}; STORAGE_UNAVAILABLE for a temporary folder that is full or cannot be written
 */
export async function judgeRecords(
  connection: Connection,
  text: Buffer,
  options: RecordOptions,
): Promise<JudgedRecords> {
  const id = randomUUID().replaceAll('-', '_');
  const table = `sink_${id}`;
  const pathOf = (kind: string): string => join(connection.tempDirectory, `sink_${id}_${kind}.jsonl`);
  const plain = plainRecords(text, options);
  const close = async (): Promise<void> => {
    if (plain?.otherLines.length !== 0) await connection.run(`DROP TABLE IF EXISTS ${table}`);
    await rm(pathOf('plain'), { force: true });
  };
  try {
    if (plain === null) {
      const { rows, bad } = await judge(connection, text, pathOf('others'), table, options);
      return { sql: named(`(${goodRowsSql(table, options.columns)})`, options), rows, bad, close };
    }
    await writeTemporaryFile(pathOf('plain'), plain.text);
    const relation = plain.relation(pathOf('plain'));
    const [others, count] = [plain.otherLines, BigInt(plain.count)];
    if (others.length === 0) return { sql: named(relation, options), rows: count, bad: [], close };
    const { rows, bad } = await judge(connection, plain.others, pathOf('others'), table, options);
    const sql = rows === 0n ? relation : inOrder(relation, table, options, others);
    return {
      sql: named(sql, options),
      rows: count + rows,
      bad: bad.map((record) => ({ ...record, line: others[record.line]?.line ?? record.line })),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function judge(connection: Connection, text: Buffer, path: string, table: string, options: RecordOptions) {
  const strict = strictLines(text);
  try {
    await writeTemporaryFile(path, strict.text);
    const { rows, bad } = await loadJsonRecords(connection, path, table, options);
    const lenient = strict.lenient.map((line): BadRecord => ({ line, problem: 'MALFORMED_JSON', column: null }));
    return { rows, bad: lenient.length === 0 ? bad : [...bad, ...lenient].sort((a, b) => a.line - b.line) };
  } finally {
    await rm(path, { force: true });
  }
}

const named = (relation: string, { columns }: RecordOptions): string =>
  `SELECT ${columns.map(({ name }, index) => `c${index} AS ${quoteIdentifier(name)}`).join(', ')} FROM ${relation}`;

/** Rows of both kinds as their lines lay. A row that was judged comes behind those that are before it. */
function inOrder(relation: string, table: string, { columns }: RecordOptions, others: readonly OtherLine[]): string {
  const names = columns.map((_, index) => `c${index}`).join(', ');
  const places = `[${others.map(({ rowsBefore }) => rowsBefore).join(', ')}]::BIGINT[]`;
  const plain = `SELECT ${names}, row_number() OVER () AS place, -1 AS n FROM ${relation}`;
  const judged = `SELECT ${names}, list_extract(${places}, n + 1) AS place, n FROM (${goodRowsSql(table, columns)})`;
  return `(SELECT ${names} FROM (${plain} UNION ALL ${judged}) ORDER BY place, n)`;
}
