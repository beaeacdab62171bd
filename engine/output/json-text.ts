/** Rows as JSON text, made by SQL so that nothing passes through JavaScript numbers or row objects. */
import { MoraineError } from '../../errors/index.js';
import type { IcebergType, PrimitiveType } from '../../iceberg/index.js';
import { listTransformSql } from '../sql/lambda-sql.js';
import { quoteLiteral } from '../sql/sql-text.js';

/** SQL for the JSON text of a value; SQL null where the value is null, so wrap it with {@link jsonOrNullSql}. */
export function jsonSql(type: IcebergType, sql: string, depth = 0): string {
  switch (type.kind) {
    case 'boolean':
    case 'int':
    case 'long':
    case 'decimal':
    case 'float':
    case 'double':
      return isFloat(type) ? floatSql(sql) : plainTextSql(type, sql);
    case 'string':
      return `to_json(${sql})::VARCHAR`;
    case 'struct': {
      const fields = type.fields.map(
        (field, index) =>
          `${quoteLiteral(`${index === 0 ? '' : ','}${JSON.stringify(field.name)}:`)} || ` +
          jsonOrNullSql(field.type, `struct_extract(${sql}, ${quoteLiteral(field.name)})`, depth),
      );
      return `CASE WHEN ${sql} IS NOT NULL THEN '{' || ${[...fields, "'}'"].join(' || ')} END`;
    }
    case 'list': {
      const item = `e${depth}`;
      return listSql(sql, item, jsonOrNullSql(type.element, item, depth + 1));
    }
    case 'map': {
      const item = `e${depth}`;
      const key = jsonOrNullSql(type.key, `struct_extract(${item}, 'key')`, depth + 1);
      const value = jsonOrNullSql(type.value, `struct_extract(${item}, 'value')`, depth + 1);
      return listSql(`map_entries(${sql})`, item, `'[' || ${key} || ',' || ${value} || ']'`);
    }
    case 'unsupported':
      throw new MoraineError('UNSUPPORTED_FEATURE', `Values of type ${type.text} cannot be written as text.`);
    default:
      return `'"' || ${plainTextSql(type, sql)} || '"'`;
  }
}

/** SQL for the JSON text of a value, `null` for null. */
export function jsonOrNullSql(type: IcebergType, sql: string, depth = 0): string {
  return `coalesce(${jsonSql(type, sql, depth)}, 'null')`;
}

/** Not `array_to_string`: that macro has its list twice, so the text of a nested list would double at every level. */
function listSql(list: string, item: string, text: string): string {
  const items = `list_aggregate(${listTransformSql(list, [item], text)}, 'string_agg', ',')`;
  return `CASE WHEN ${list} IS NOT NULL THEN '[' || coalesce(${items}, '') || ']' END`;
}

const isFloat = (type: IcebergType): boolean => type.kind === 'float' || type.kind === 'double';

function floatSql(sql: string): string {
  return `CASE WHEN isfinite(${sql}) THEN (${sql})::VARCHAR ELSE '"' || ${floatNameSql(sql)} || '"' END`;
}

function floatNameSql(sql: string): string {
  return `CASE WHEN isnan(${sql}) THEN 'NaN' WHEN ${sql} > 0 THEN 'Infinity' WHEN ${sql} < 0 THEN '-Infinity' END`;
}

/**
 * SQL for a primitive value's text without quotes: numbers exact, dates and times ISO-8601 (six digits, nine for
 * nanosecond types, `Z` for those with a zone), bytes in lower-case hex.
 */
export function plainTextSql(type: PrimitiveType, sql: string): string {
  switch (type.kind) {
    case 'float':
    case 'double':
      return `CASE WHEN isfinite(${sql}) THEN (${sql})::VARCHAR ELSE ${floatNameSql(sql)} END`;
    case 'date':
      return dateTextSql(sql);
    case 'time':
      return `rpad(CASE WHEN strlen((${sql})::VARCHAR) = 8 THEN (${sql})::VARCHAR || '.' ELSE (${sql})::VARCHAR END, 15, '0')`;
    case 'timestamp':
      return timestampTextSql(sql);
    case 'timestamptz':
      return `${timestampTextSql(`timezone('UTC', ${sql})`)} || 'Z'`;
    case 'timestamp_ns':
      return nanosTextSql(sql);
    case 'timestamptz_ns':
      return `${nanosTextSql(sql)} || 'Z'`;
    case 'fixed':
    case 'binary':
      return `lower(hex(${sql}))`;
    case 'string':
      return sql;
    case 'decimal':
      // DuckDB leaves out the zero before the point where the type has no whole digits.
      return type.precision === type.scale ? `replace((${sql})::VARCHAR, '.', '0.')` : `(${sql})::VARCHAR`;
    default:
      return `(${sql})::VARCHAR`;
  }
}

/** ISO-8601 has four digits; years outside 0001-9999 get a sign and count 1 BC as 0000. */
function dateTextSql(sql: string): string {
  const ordinary = `${sql} BETWEEN DATE '0001-01-01' AND DATE '9999-12-31'`;
  const year = `CASE WHEN year(${sql}) BETWEEN 0 AND 9999 THEN printf('%04d', year(${sql})) ELSE printf('%+05d', year(${sql})) END`;
  const other = `${year} || printf('-%02d-%02d', month(${sql}), day(${sql}))`;
  return `CASE WHEN ${ordinary} THEN (${sql})::VARCHAR ELSE ${other} END`;
}

function timestampTextSql(sql: string): string {
  const ordinary = `${sql} >= TIMESTAMP '0001-01-01' AND ${sql} < TIMESTAMP '10000-01-01'`;
  const other = `${dateTextSql(`(${sql})::DATE`)} || strftime(${sql}, 'T%H:%M:%S.%f')`;
  return `CASE WHEN ${ordinary} THEN strftime(${sql}, '%Y-%m-%dT%H:%M:%S.%f') ELSE ${other} END`;
}

/** Through microseconds: nanoseconds themselves are not printed on the first day that 64 bits of them hold, nor their largest number. */
function nanosTextSql(sql: string): string {
  const ns = `epoch_ns(${sql})`;
  const us = `make_timestamp(${ns} // 1000 - (${ns} % 1000 < 0)::BIGINT)`;
  return `strftime(${us}, '%Y-%m-%dT%H:%M:%S.%f') || printf('%03d', (${ns} % 1000 + 1000) % 1000)`;
}
