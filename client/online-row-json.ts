/** Rows of an application as JSON that loses nothing: what JSON has no form for is text. */

import { MoraineError } from '../errors/index.js';

/** A value of a row: numbers, texts, times, bytes, and lists, objects and maps of them. */
export type OnlineRowValue =
  | string
  | number
  | bigint
  | boolean
  | Date
  | Uint8Array
  | null
  | undefined
  | readonly OnlineRowValue[]
  | ReadonlyMap<OnlineRowValue, OnlineRowValue>
  | { readonly [name: string]: OnlineRowValue };

/** A row: column name to value. */
export type OnlineRow = Readonly<Record<string, OnlineRowValue>> | ReadonlyMap<string, OnlineRowValue>;

/** The row as one line of JSON: bytes are hexadecimal, maps arrays of `[key, value]`, times ISO-8601. */
export function jsonOfRow(row: OnlineRow): string {
  const entries = row instanceof Map ? [...(row as ReadonlyMap<string, OnlineRowValue>)] : Object.entries(row);
  return object(entries);
}

function object(entries: readonly (readonly [string, OnlineRowValue])[]): string {
  return `{${entries.map(([name, value]) => `${JSON.stringify(name)}:${json(value)}`).join(',')}}`;
}

function json(value: OnlineRowValue): string {
  switch (typeof value) {
    case 'undefined':
      return 'null';
    case 'number':
      if (!Number.isFinite(value)) return `"${value}"`;
      return Object.is(value, -0) ? '-0.0' : String(value);
    case 'bigint':
    case 'boolean':
      return String(value);
    case 'string':
      return JSON.stringify(value);
    default:
      return value === null ? 'null' : compound(value);
  }
}

function compound(value: Exclude<OnlineRowValue, string | number | bigint | boolean | null | undefined>): string {
  if (value instanceof Date) {
    if (!Number.isNaN(value.getTime())) return `"${value.toISOString()}"`;
    throw new MoraineError('TYPE_MISMATCH', 'The rows have a Date that is no point in time.');
  }
  if (value instanceof Uint8Array) return `"${Buffer.from(value).toString('hex')}"`;
  if (Array.isArray(value)) return `[${(value as readonly OnlineRowValue[]).map(json).join(',')}]`;
  if (value instanceof Map) {
    const entries = [...(value as ReadonlyMap<OnlineRowValue, OnlineRowValue>)];
    return `[${entries.map(([key, item]) => `[${json(key)},${json(item)}]`).join(',')}]`;
  }
  return object(Object.entries(value as Readonly<Record<string, OnlineRowValue>>));
}
