/** Rows leaving Moraine, in the formats that people and programs read. */

import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import type { DuckDBBlobVector } from '@duckdb/node-api';
import { type IcebergType, mapChildFields, type NestedField, type Schema, UNPARTITIONED } from '../../iceberg/index.js';
import { localPath } from '../../locations/index.js';
import { arrowBatches } from '../arrow/arrow.js';
import type { Connection } from '../connection.js';
import { columnAlias, quoteLiteral } from '../sql/sql-text.js';
import { sqlType } from '../sql/sql-type.js';
import { writeParquet } from '../write/write-parquet.js';
import { csvFieldSql, csvHeader } from './csv-text.js';
import { jsonOrNullSql } from './json-text.js';

export type RowFormat = 'jsonl' | 'json' | 'csv' | 'parquet' | 'arrow';

/** Where bytes go. The next write waits for the promise: that is the back-pressure. */
export interface ByteSink {
  write(bytes: Uint8Array): Promise<void>;
}

/** Output is held back for so many rows, so that damage found among them leaves no half answer. */
const HELD_BACK_ROWS = 65_536;

/**
 * Runs a statement and writes its rows to the sink. Columns are taken by position and named as in the schema.
 * Nothing is written before 64 Ki rows are ready, or the end is reached.
 * @returns the number of rows
 */
export async function writeRows(
  connection: Connection,
  sql: string,
  schema: Schema,
  format: RowFormat,
  sink: ByteSink,
): Promise<bigint> {
  switch (format) {
    case 'jsonl':
    case 'json':
    case 'csv':
      return await writeText(connection, sql, schema, format, sink);
    case 'parquet':
      return await writeParquetFile(connection, sql, schema, sink);
    case 'arrow':
      return await writeArrow(connection, sql, schema, sink);
  }
}

/** A sink over a Node stream, such as stdout: waits for `drain`, fails when the stream does. */
export function streamSink(stream: Writable): ByteSink {
  return {
    write: (bytes) =>
      new Promise((resolve, reject) => {
        stream.write(bytes, (error) => {
          if (error === null || error === undefined) resolve();
          else reject(error);
        });
      }),
  };
}

/** Holds bytes back until enough rows are ready. */
class HeldBackSink {
  readonly #sink: ByteSink;
  #held: Uint8Array[] | null = [];
  rows = 0n;

  constructor(sink: ByteSink) {
    this.#sink = sink;
  }

  async write(bytes: Uint8Array, rows: number): Promise<void> {
    this.rows += BigInt(rows);
    if (this.#held === null) return await this.#sink.write(bytes);
    this.#held.push(bytes);
    if (this.rows >= HELD_BACK_ROWS) await this.release();
  }

  async release(): Promise<void> {
    const held = this.#held ?? [];
    this.#held = null;
    for (const bytes of held) await this.#sink.write(bytes);
  }
}

/** How rows become text. */
interface TextLayout {
  readonly head: string;
  /** SQL of one row's text. */
  readonly rowSql: string;
  readonly between: string;
  readonly tail: (rows: bigint) => string;
}

function textLayout(schema: Schema, format: 'jsonl' | 'json' | 'csv'): TextLayout {
  const fields = schema.fields;
  if (format === 'csv') {
    const texts = fields.map((field) => csvFieldSql(field, columnAlias(field.id)));
    // A lone null would be an empty line, which readers skip.
    const only = texts.length === 1 ? `coalesce(nullif(${texts[0]}, ''), '""')` : undefined;
    return {
      head: `${csvHeader(fields)}\n`,
      rowSql: only ?? (concatenation(texts, " || ',' || ") || "''"),
      between: '\n',
      tail: (rows) => (rows > 0n ? '\n' : ''),
    };
  }
  const members = fields.map(
    (field, index) =>
      `${quoteLiteral(`${index === 0 ? '{' : ','}${JSON.stringify(field.name)}:`)} || ` +
      jsonOrNullSql(field.type, columnAlias(field.id)),
  );
  const rowSql = members.length === 0 ? "'{}'" : `${concatenation(members, ' || ')} || '}'`;
  return format === 'jsonl'
    ? { head: '', rowSql, between: '\n', tail: (rows) => (rows > 0n ? '\n' : '') }
    : { head: '[', rowSql, between: ',\n', tail: () => ']\n' };
}

/** Texts of a row one after another, in groups: DuckDB takes no expression that is more than a thousand operators deep. */
function concatenation(parts: readonly string[], operator: string): string {
  const groupSize = 100;
  if (parts.length <= groupSize) return parts.join(operator);
  const groups = Array.from({ length: Math.ceil(parts.length / groupSize) }, (_, group) =>
    parts.slice(group * groupSize, (group + 1) * groupSize).join(operator),
  );
  return concatenation(
    groups.map((group) => `(${group})`),
    operator,
  );
}

/** SQL of each row's line of JSON Lines, without its end, over a relation of a statement's rows. */
export function jsonLinesSql(select: string, schema: Schema): { readonly rowSql: string; readonly source: string } {
  const source = schema.fields.length === 0 ? `(${select})` : typedSource(select, schema);
  return { rowSql: textLayout(schema, 'jsonl').rowSql, source };
}

/** The statement's columns under collision-free names, in the schema's types. */
function typedSource(sql: string, schema: Schema): string {
  const aliases = schema.fields.map((field) => columnAlias(field.id)).join(', ');
  const typed = schema.fields.map((field) => {
    const alias = columnAlias(field.id);
    return `${alias}::${sqlType(field.type)} AS ${alias}`;
  });
  return `(SELECT ${typed.join(', ')} FROM (${sql}) AS source(${aliases}))`;
}

async function writeText(
  connection: Connection,
  sql: string,
  schema: Schema,
  format: 'jsonl' | 'json' | 'csv',
  sink: ByteSink,
): Promise<bigint> {
  const layout = textLayout(schema, format);
  const { source } = jsonLinesSql(sql, schema);
  const held = new HeldBackSink(sink);
  const between = Buffer.from(layout.between);
  await held.write(Buffer.from(layout.head), 0);
  const stream = await connection.stream(`SELECT encode(${layout.rowSql}) FROM ${source}`);
  for (let chunk = await stream.next(); chunk !== null; chunk = await stream.next()) {
    const texts = chunk.getColumnVector(0) as DuckDBBlobVector;
    await held.write(joinTexts(texts, chunk.rowCount, between, held.rows === 0n), chunk.rowCount);
  }
  await held.write(Buffer.from(layout.tail(held.rows)), 0);
  await held.release();
  return held.rows;
}

/** The texts of a chunk with separators between them, and one in front unless it is the first chunk. */
function joinTexts(texts: DuckDBBlobVector, count: number, between: Uint8Array, isFirst: boolean): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let row = 0; row < count; row += 1) {
    if (row > 0 || !isFirst) parts.push(between);
    parts.push(texts.getItemBytes(row) as Uint8Array);
  }
  return Buffer.concat(parts);
}

/** DuckDB has no type of a fixed length; in a file of results the bytes are just bytes. */
function unfixed(field: NestedField): NestedField {
  const type: IcebergType = field.type.kind === 'fixed' ? { kind: 'binary' } : field.type;
  return { ...field, type: mapChildFields(type, unfixed) };
}

async function writeParquetFile(connection: Connection, sql: string, schema: Schema, sink: ByteSink): Promise<bigint> {
  const folder = await mkdtemp(join(connection.tempDirectory, 'rows-'));
  try {
    const spec = UNPARTITIONED;
    const [file] = await writeParquet(connection, {
      select: sql,
      schema: { ...schema, fields: schema.fields.map(unfixed) },
      spec,
      folder: localPath(folder),
      namePrefix: 'rows',
      keepEmpty: true,
      statistics: false,
    });
    if (file === undefined) return 0n;
    for await (const bytes of createReadStream(file.filePath)) await sink.write(bytes as Uint8Array);
    return file.recordCount;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function writeArrow(connection: Connection, sql: string, schema: Schema, sink: ByteSink): Promise<bigint> {
  const { ArrowEncoder } = await import('../arrow/arrow-ipc.js');
  const held = new HeldBackSink(sink);
  const encoder = new ArrowEncoder(schema);
  await held.write(encoder.head(), 0);
  for await (const batch of arrowBatches(connection, typedSource(sql, schema), schema)) {
    await held.write(encoder.encode(batch), batch.numRows);
  }
  await held.write(encoder.tail(), 0);
  await held.release();
  return held.rows;
}
