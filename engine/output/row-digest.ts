/**
 * A digest of rows by their values alone, for telling whether two answers are the same.
 *
 * Each row is taken as its line of JSON Lines without the line's end, as `writeRows` writes it (UTF-8; times in UTC), and hashed with
 * SHA-256. The hashes, as unsigned big-endian numbers of 256 bits, are added up modulo 2^256. The digest is the SHA-256, in lower-case
 * hex, of the text
 *
 *     moraine-rows-1 LF  names and types LF  number of rows LF  sum LF
 *
 * where names and types are a JSON list of `[name, type]` without white space, types as definitions write them, the number is decimal and
 * the sum is 64 lower-case hex digits. So rows count as often as they are there, and neither their order nor files, batches, field ids,
 * machines or time zones matter. It finds changes that happen; it is not a signature against those who make rows for a given sum.
 */
import { createHash } from 'node:crypto';
import type { IcebergType } from '../../iceberg/index.js';
import { type Schema, typeToString } from '../../iceberg/index.js';
import type { Connection } from '../connection.js';
import { jsonLinesSql } from './rows-out.js';

/** How many rows, and what they are. */
export interface RowDigest {
  readonly rows: bigint;
  /** 64 hex digits. */
  readonly digest: string;
}

/** Hex digits of a quarter of a SHA-256. */
const WORD_DIGITS = 16;
const WORD_BITS = 64n;
const MODULUS = 2n ** 256n;

/** A part of the rows that a digest is of. */
export interface RowSum {
  readonly rows: bigint;
  /** Sum of the rows' hashes modulo 2^256. */
  readonly sum: bigint;
}

/** A sum as it travels, is stored and digested: 64 hex digits. */
export const sumToHex = (sum: bigint): string => sum.toString(16).padStart(64, '0');

export const sumFromHex = (hex: string): bigint => BigInt(`0x${hex}`);

/** The digest of a statement's rows, whose columns are those of the schema, in order. */
export async function digestRows(connection: Connection, select: string, schema: Schema): Promise<RowDigest> {
  return digestOfParts(schema, [await sumRows(connection, select, schema)]);
}

/** Contribution of a statement's rows to the digest of all rows. */
export async function sumRows(connection: Connection, select: string, schema: Schema): Promise<RowSum> {
  const words = [0, 1, 2, 3].map(
    (word) => `coalesce(sum(('0x' || substr(h, ${word * WORD_DIGITS + 1}, ${WORD_DIGITS}))::UBIGINT), 0)::HUGEINT`,
  );
  const { rowSql, source } = jsonLinesSql(select, schema);
  const hashes = `SELECT sha256(${rowSql}) AS h FROM ${source}`;
  const [[rows = 0n, ...sums] = []] = await connection.rows(`SELECT count(*), ${words.join(', ')} FROM (${hashes})`);
  const sum = sums.reduce<bigint>((total, word) => (total << WORD_BITS) + (word as bigint), 0n) % MODULUS;
  return { rows: rows as bigint, sum };
}

/** The digest of rows that were summed in parts, whichever way they were split. */
export function digestOfParts(schema: Schema, parts: readonly RowSum[]): RowDigest {
  const rows = parts.reduce((total, part) => total + part.rows, 0n);
  const sum = parts.reduce((total, part) => total + part.sum, 0n) % MODULUS;
  return { rows, digest: combine(schema, rows, sum) };
}

function combine(schema: Schema, rows: bigint, sum: bigint): string {
  const columns = JSON.stringify(schema.fields.map(({ name, type }) => [name, plainType(type)]));
  const text = `moraine-rows-1\n${columns}\n${rows}\n${sumToHex(sum)}\n`;
  return createHash('sha256').update(text).digest('hex');
}

/** A type without field ids; bytes of a fixed length are bytes, which is what files of results have of them. */
function plainType(type: IcebergType): string {
  switch (type.kind) {
    case 'list':
      return `list<${plainType(type.element)}>`;
    case 'map':
      return `map<${plainType(type.key)}, ${plainType(type.value)}>`;
    case 'struct':
      return `struct<${type.fields.map((field) => `${field.name}: ${plainType(field.type)}`).join(', ')}>`;
    case 'fixed':
      return 'binary';
    default:
      return typeToString(type);
  }
}
