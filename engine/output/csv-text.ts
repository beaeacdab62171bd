/** Rows as CSV text (RFC 4180): null is an empty field, an empty text is `""`, nested values are JSON. */
import type { NestedField } from '../../iceberg/index.js';
import { isPrimitive } from '../sql/sql-type.js';
import { jsonSql, plainTextSql } from './json-text.js';

const NEEDS_QUOTES = /[",\r\n]|^\s|\s$|^$/;

/** The header line, without its end. */
export function csvHeader(fields: readonly NestedField[]): string {
  return fields.map((field) => quoteCsv(field.name)).join(',');
}

const quoteCsv = (text: string): string => (NEEDS_QUOTES.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** SQL for one field of a row. */
export function csvFieldSql(field: NestedField, sql: string): string {
  const type = field.type;
  if (!isPrimitive(type)) return quotedSql(jsonSql(type, sql));
  if (type.kind === 'string') return quotedSql(sql);
  return `coalesce(${plainTextSql(type, sql)}, '')`;
}

function quotedSql(sql: string): string {
  const quoted = `'"' || replace(${sql}, '"', '""') || '"'`;
  const needed = `regexp_matches(${sql}, '[",\\r\\n]|^\\s|\\s$|^$')`;
  return `coalesce(CASE WHEN ${needed} THEN ${quoted} ELSE ${sql} END, '')`;
}
