/** CSV input (RFC 4180, with a header line). Dialects are not guessed from data, which may silently drop rows. */
import { createReadStream } from 'node:fs';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { largest, MoraineError } from '../../errors/index.js';
import { type IcebergType } from '../../iceberg/index.js';
import type { Connection } from '../connection.js';
import { csvReader, openTextFile, type TextFile } from '../scan/file-readers.js';
import { quoteLiteral } from '../sql/sql-text.js';
import { isPrimitive } from '../sql/sql-type.js';
import {
  type ColumnTyping,
  type InputColumn,
  type InputRelation,
  isTimeColumn,
  nestedTarget,
  textColumn,
  textTarget,
} from './input-column.js';
import { nestedColumn } from './input-nested.js';
import { roundedSql, wideDecimals } from './json-decimal.js';
import { inferredSql, inferTextTypes } from './text-inference.js';

const MAX_HEADER_BYTES = 1_048_576;
const DELIMITERS = [',', ';', '\t', '|'];

/**
 * Columns of a CSV file: an empty unquoted field is null, a quoted one the empty text. Types are the wanted ones, or else
 * those of the values.
 */
export async function inferCsv(connection: Connection, path: string, typing: ColumnTyping): Promise<InputRelation> {
  const { targets } = typing;
  const file = await openTextFile(path);
  const { names, delimiter, lineEnd } = await readHeader(file);
  const aliases = names.map((_, index) => `t${index}`);
  const texts = aliases.map((alias) => `${quoteLiteral(alias)}: 'VARCHAR'`).join(', ');
  const relation = csvReader(file, [
    `header = true, delim = ${quoteLiteral(delimiter)}, new_line = ${quoteLiteral(lineEnd)}, quote = '"', escape = '"'`,
    `nullstr = '', allow_quoted_nulls = false, null_padding = false, columns = {${texts}}`,
  ]);
  const known = names.map((name) => textTarget(targets, name) ?? nestedTarget(targets, name));
  const unknown = aliases.filter((_, index) => known[index] === undefined);
  const times = aliases.filter((_, index) => isTimeColumn(typing, names[index] ?? '', names));
  const inferred = await inferTextTypes(connection, relation, unknown, new Set(times));
  const columns = names.map((name, index): InputColumn => {
    const text = `t${index}`;
    const target = known[index];
    if (target !== undefined)
      return isPrimitive(target) ? textColumn(name, target, text) : jsonCell(name, target, text);
    const type = inferred[unknown.indexOf(text)] ?? { kind: 'string' };
    return { name, type, sql: inferredSql(type, text) };
  });
  return { relation, columns };
}

/** A field that holds JSON text. */
function jsonCell(name: string, type: IcebergType, text: string): InputColumn {
  const notJson = `CASE WHEN NOT json_valid(${text}) THEN left(${text}, 60) || ' is not JSON' END`;
  const rounded = wideDecimals(name, type).length > 0 ? [roundedSql(text)] : [];
  return nestedColumn(name, type, `TRY_CAST(${text} AS JSON)`, [notJson, ...rounded]);
}

interface Header {
  readonly names: readonly string[];
  readonly delimiter: string;
  /** As DuckDB's option spells it. */
  readonly lineEnd: string;
}

/** @throws INPUT_UNREADABLE */
async function readHeader(file: TextFile): Promise<Header> {
  const { path } = file;
  const start = await readStart(file);
  const delimiter = /\.tsv(\.gz)?$/i.test(path) ? '\t' : likelyDelimiter(start);
  const { parse } = await import('csv-parse/sync');
  try {
    const [header] = parse(start, { ...RFC_4180, delimiter, to: 1, raw: true }) as unknown as {
      record: string[];
      raw: string;
    }[];
    if (header !== undefined) return { names: header.record, delimiter, lineEnd: lineEndOf(start, header.raw) };
  } catch (cause) {
    throw noHeader(path, cause);
  }
  throw noHeader(path);
}

/** As CSV is read to the header and to count lines, without judging its rows: DuckDB does that. */
const RFC_4180 = { relax_column_count: true, relax_quotes: true } as const;

function noHeader(path: string, cause?: unknown): MoraineError {
  const message = `${path} has no header line of column names.`;
  return new MoraineError('INPUT_UNREADABLE', message, { details: { path }, cause });
}

/**
 * The line end after the text of the header, as DuckDB's option spells it. DuckDB needs to know it: it would take one inside a
 * quoted name for it, and lose rows.
 */
function lineEndOf(start: string, header: string): string {
  if (!header.endsWith('\r')) return '\\n';
  return start[header.length] === '\n' ? '\\r\\n' : '\\r';
}

/** The line, counted from 1, that the data record of an index from 0 begins in. */
export async function lineOfRecord(path: string, record: number): Promise<number> {
  const file = await openTextFile(path);
  const { names, delimiter } = await readHeader(file);
  const { parse } = await import('csv-parse');
  // Empty lines are rows only where there is one column.
  const options = {
    ...RFC_4180,
    bom: true,
    delimiter,
    skip_empty_lines: names.length > 1,
    from: record + 2,
    to: record + 2,
  };
  const parser = pipeline(textOf(file), parse({ ...options, info: true }), failsInTheReader);
  for await (const { info, record: fields } of parser as AsyncIterable<{ info: { lines: number }; record: string[] }>) {
    return info.lines - (fields.join('').match(/\r\n|\r|\n/g)?.length ?? 0);
  }
  throw new MoraineError('INTERNAL', `${path} has no record ${record}.`, { details: { path } });
}

/** The unpacked bytes of a file. */
function textOf({ path, compression }: TextFile): Readable {
  const file = createReadStream(path);
  return compression === 'gzip' ? pipeline(file, createGunzip(), failsInTheReader) : file;
}

/** Whoever reads the last stream of a pipeline gets its error from there. */
const failsInTheReader = (): void => undefined;

/** The first characters of a file, unpacked, without a byte order mark. */
async function readStart(file: TextFile): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of textOf(file)) {
    parts.push(part as Buffer);
    bytes += (part as Buffer).length;
    if (bytes >= MAX_HEADER_BYTES) break;
  }
  return Buffer.concat(parts)
    .toString('utf8')
    .replace(/^\uFEFF/, '');
}

function likelyDelimiter(text: string): string {
  const line = text.slice(0, text.search(/[\r\n]|$/)).replaceAll(/"[^"]*"/g, '');
  const counts = DELIMITERS.map((delimiter) => line.split(delimiter).length);
  return DELIMITERS[counts.indexOf(largest(counts))] as string;
}
