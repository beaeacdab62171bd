/** CSV input (RFC 4180, with a header line). Dialects are not guessed from data, which may silently drop rows. */
import { createReadStream } from 'node:fs';
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
  const notJson = `CASE WHEN NOT json_valid(${text}) THEN left(${text}, 60) || ' is no JSON' END`;
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
  const record = parseRecord(start, delimiter);
  if (record !== undefined && start.length > 0) return { ...record, delimiter };
  throw new MoraineError('INPUT_UNREADABLE', `${path} has no header line of column names.`, { details: { path } });
}

/** The line, counted from 1, that the data record of an index from 0 begins in. */
export async function lineOfRecord(path: string, record: number): Promise<number> {
  const file = await openTextFile(path);
  const { names, lineEnd } = await readHeader(file);
  const end = lineEnd === '\\r' ? '\r' : '\n';
  let line = 1;
  let records = -1;
  let quoted = false;
  let empty = true;
  for await (const text of textOf(file)) {
    for (const character of text) {
      if (character === '"') quoted = !quoted;
      if (character === end) line += 1;
      else if (character === '\r') continue;
      if (character !== end || quoted) {
        // Empty lines are rows only where there is one column.
        if (empty) records += 1;
        empty = false;
        if (records - 1 === record) return line;
      } else if (empty && names.length === 1) {
        records += 1;
        if (records - 1 === record) return line - 1;
      } else empty = true;
    }
  }
  return line;
}

async function* textOf({ path, compression }: TextFile): AsyncGenerator<string> {
  const file = createReadStream(path);
  const stream = compression === 'gzip' ? file.pipe(createGunzip()) : file;
  stream.setEncoding('latin1');
  for await (const part of stream) yield part as string;
}

/** The first bytes of a file, unpacked, without a byte order mark. */
async function readStart({ path, compression }: TextFile): Promise<string> {
  const file = createReadStream(path);
  const stream = compression === 'gzip' ? file.pipe(createGunzip()) : file;
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of stream) {
    parts.push(part as Buffer);
    bytes += (part as Buffer).length;
    if (bytes >= MAX_HEADER_BYTES) break;
  }
  file.destroy();
  return Buffer.concat(parts)
    .toString('utf8')
    .replace(/^\uFEFF/, '');
}

function likelyDelimiter(text: string): string {
  const line = text.slice(0, text.search(/[\r\n]|$/)).replaceAll(/"[^"]*"/g, '');
  const counts = DELIMITERS.map((delimiter) => line.split(delimiter).length);
  return DELIMITERS[counts.indexOf(largest(counts))] as string;
}

/**
 * The fields of the first record, and how it ends; undefined when it does not end. DuckDB has to be told the line end: one inside
 * a quoted name would be taken for it, and rows be lost.
 */
function parseRecord(text: string, delimiter: string): { names: string[]; lineEnd: string } | undefined {
  const fields: string[] = [];
  let position = 0;
  for (;;) {
    const [field, end] = text[position] === '"' ? quotedField(text, position) : plainField(text, position, delimiter);
    if (field === undefined) return undefined;
    fields.push(field);
    if (text[end] !== delimiter) return { names: fields, lineEnd: lineEndAt(text, end) };
    position = end + 1;
  }
}

/** As DuckDB's option spells it. */
function lineEndAt(text: string, position: number): string {
  if (text[position] !== '\r') return '\\n';
  return text[position + 1] === '\n' ? '\\r\\n' : '\\r';
}

function plainField(text: string, start: number, delimiter: string): [string, number] {
  let end = start;
  while (end < text.length && text[end] !== delimiter && text[end] !== '\n' && text[end] !== '\r') end += 1;
  return [text.slice(start, end), end];
}

function quotedField(text: string, start: number): [string | undefined, number] {
  let end = start + 1;
  while (end < text.length) {
    if (text[end] !== '"') end += 1;
    else if (text[end + 1] === '"') end += 2;
    else return [text.slice(start + 1, end).replaceAll('""', '"'), end + 1];
  }
  return [undefined, end];
}
