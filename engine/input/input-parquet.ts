/** Parquet input. */

import type { DuckDBListType, DuckDBMapType, DuckDBStructType, DuckDBType } from '@duckdb/node-api';
import { isMoraineError, MoraineError } from '../../errors/index.js';
import type { IcebergType } from '../../iceberg/index.js';
import type { Connection } from '../connection.js';
import { readableCopy } from '../copies/convert-file.js';
import { duckdb } from '../duckdb.js';
import { parquetConversion } from '../scan/check-files.js';
import { type FileColumn, readFileLayouts } from '../scan/file-layout.js';
import { parquetReader } from '../scan/file-readers.js';
import { isLateSql } from '../sql/late-times.js';
import { isPrimitive, sqlType } from '../sql/sql-type.js';
import {
  type ColumnTyping,
  type InputColumn,
  type InputRelation,
  inputType,
  isTimeColumn,
  textColumn,
  textTarget,
} from './input-column.js';

/**
 * Columns and types of a Parquet file, exact. Nanoseconds stay where the target has them; elsewhere they are taken as microseconds,
 * and a value that would be cut does not fit.
 */
export async function inferParquet(connection: Connection, path: string, typing: ColumnTyping): Promise<InputRelation> {
  const { targets } = typing;
  const { files, readFrom } = await openInput(connection, path).catch((cause: unknown) => {
    if (isMoraineError(cause) && cause.code !== 'DATA_FILE_CORRUPT') throw cause;
    const message = `${path} cannot be read: it is damaged, or not Parquet.`;
    throw new MoraineError('INPUT_UNREADABLE', message, { details: { path }, cause });
  });
  const names = files.map(({ name }) => name);
  const isTime = ({ name }: FileColumn): boolean => isTimeColumn(typing, name, names);
  const reader = parquetReader([readFrom]);
  const { types } = await connection.describe(`FROM ${reader}`);
  return {
    // Names as the file has them: DuckDB renames those that differ only by case.
    relation: `(FROM ${reader} AS input(${files.map((_, index) => `t${index}`).join(', ')}))`,
    columns: files.map((file, index) => {
      if (file.type === NULL_TYPE) return nullColumn(file.name, targets.get(file.name) ?? { kind: 'unknown' });
      const wanted = targets.get(file.name) ?? (isTime(file) ? NANOSECONDS : undefined);
      const found = column(path, file, types[index] as DuckDBType, `t${index}`, wanted);
      const target = textTarget(targets, file.name);
      return found.type.kind === 'string' && target !== undefined ? textColumn(file.name, target, found.sql) : found;
    }),
  };
}

/** Type of a column that keeps nanoseconds if the file has them. */
const NANOSECONDS: IcebergType = { kind: 'timestamp_ns' };

/** DuckDB's name for Parquet's Null type, the type of a column that PyArrow and pandas wrote without any value. */
const NULL_TYPE = '"NULL"';

function nullColumn(name: string, type: IcebergType): InputColumn {
  return { name, type, sql: `NULL::${sqlType(type)}` };
}

/** The file's columns, and the path to read them from. */
async function openInput(
  connection: Connection,
  path: string,
): Promise<{ readonly files: readonly FileColumn[]; readonly readFrom: string }> {
  const conversion = await parquetConversion(path);
  const files = (await readFileLayouts(connection, [path])).get(path)?.columns ?? [];
  // DuckDB reads zoned nanoseconds as microseconds without a word.
  const isCopied = conversion !== undefined || files.some(hasZonedNanoseconds);
  return { files, readFrom: isCopied ? await readableCopy(connection, path, conversion) : path };
}

function hasZonedNanoseconds(column: FileColumn): boolean {
  return column.isZonedNanoseconds || column.children.some(hasZonedNanoseconds);
}

function column(
  path: string,
  file: FileColumn,
  stored: DuckDBType,
  alias: string,
  target: IcebergType | undefined,
): InputColumn {
  const { name } = file;
  const { type, isCut } = withNanoseconds(inputType(path, name, stored), file, stored, target);
  const sql = `${alias}::${sqlType(type)}`;
  const isLate = isLateSql(type, alias);
  if (type.kind === 'time') return { name, type, text: alias, sql: `CASE WHEN NOT ${isLate} THEN ${sql} END` };
  const late = isLate === undefined ? [] : [`WHEN ${isLate} THEN 'it has 24:00:00, which is not a time of day'`];
  if (!isCut) return { name, type, sql, ...(isLate === undefined ? {} : { reason: `CASE ${late.join(' ')} END` }) };
  if (isPrimitive(type)) {
    const micros = `${alias}::TIMESTAMP::${sqlType(type)}`;
    return { name, type, text: alias, sql: `CASE WHEN epoch_ns(${alias}) % 1000 = 0 THEN ${micros} END` };
  }
  const cut = `${sql}::${String(stored)} IS DISTINCT FROM ${alias}`;
  const reason = `CASE ${[...late, `WHEN ${cut} THEN 'it has nanoseconds, which would be cut'`].join(' ')} END`;
  return { name, type, sql, reason };
}

interface Refined {
  readonly type: IcebergType;
  /** Whether nanoseconds become microseconds somewhere in it. */
  readonly isCut: boolean;
}

/** A type in which nanoseconds are as the file and the target have them; members without any value are texts. `stored` is without zones. */
function withNanoseconds(
  type: IcebergType,
  file: FileColumn,
  stored: DuckDBType,
  target: IcebergType | undefined,
): Refined {
  if (file.type === NULL_TYPE) return { type: { kind: 'string' }, isCut: false };
  const [first, second] = file.children;
  if (type.kind === 'list' && first !== undefined) {
    const { valueType } = stored as DuckDBListType;
    const wanted = target?.kind === 'list' ? target.element : undefined;
    const element = withNanoseconds(type.element, first, valueType, wanted);
    return { type: { ...type, element: element.type }, isCut: element.isCut };
  }
  if (type.kind === 'map' && first !== undefined && second !== undefined) {
    const { keyType, valueType } = stored as DuckDBMapType;
    const wanted = target?.kind === 'map' ? target : undefined;
    const key = withNanoseconds(type.key, first, keyType, wanted?.key);
    const value = withNanoseconds(type.value, second, valueType, wanted?.value);
    return { type: { ...type, key: key.type, value: value.type }, isCut: key.isCut || value.isCut };
  }
  if (type.kind === 'struct') {
    const { entryTypes } = stored as DuckDBStructType;
    const wanted = target?.kind === 'struct' ? target.fields : [];
    const members = type.fields.map((field, index) => {
      const named = wanted.find(({ name }) => name === field.name)?.type;
      return withNanoseconds(field.type, file.children[index] as FileColumn, entryTypes[index] as DuckDBType, named);
    });
    const fields = type.fields.map((field, index) => ({ ...field, type: (members[index] as Refined).type }));
    return { type: { ...type, fields }, isCut: members.some(({ isCut }) => isCut) };
  }
  if (stored.typeId !== duckdb.api.DuckDBTypeId.TIMESTAMP_NS) return { type, isCut: false };
  const isKept = target?.kind === 'timestamp_ns' || target?.kind === 'timestamptz_ns';
  const micros = file.isZonedNanoseconds ? 'timestamptz' : 'timestamp';
  return { type: { kind: isKept ? `${micros}_ns` : micros }, isCut: !isKept };
}
