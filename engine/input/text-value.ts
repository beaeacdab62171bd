/** Texts (fields of CSV files, numbers as JSON writes them) as values of a type that is known, exactly or not at all. */
import type { PrimitiveType } from '../../iceberg/index.js';
import { quoteLiteral } from '../sql/sql-text.js';
import { sqlType } from '../sql/sql-type.js';

const NUMBER = String.raw`[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?`;
const DATE = String.raw`\d{4}-\d{2}-\d{2}`;
const ZONE = String.raw`( ?Z|[+-]\d{2}(:?\d{2})?)`;
/** DuckDB takes 24:00:00 for a time, which has to be below 24 hours in Iceberg. */
const HOUR = String.raw`([01]\d|2[0-3])`;
/** Zeros beyond the last digit that a type holds lose nothing. */
const clock = (digits: number): string => String.raw`${HOUR}:\d{2}(:\d{2}(\.\d{1,${digits}}0*)?)?`;

const matches = (text: string, pattern: string): string => `regexp_full_match(${text}, ${quoteLiteral(pattern)})`;

/**
 * SQL for the value of a text; NULL where the text is none of the type or would be changed by it. Points in time without an
 * offset are UTC. Binary values are hexadecimal. Undefined for types that no text is read as.
 */
export function textValueSql(type: PrimitiveType, text: string): string | undefined {
  const cast = `TRY_CAST(${text} AS ${sqlType(type)})`;
  const only = (condition: string, value = cast): string => `CASE WHEN ${condition} THEN ${value} END`;
  switch (type.kind) {
    case 'string':
      return text;
    case 'boolean':
      return only(matches(text, '(?i)true|false'));
    case 'int':
    case 'long':
      return exactNumberSql(text, sqlType(type), 0);
    case 'decimal':
      return exactNumberSql(text, sqlType(type), type.scale);
    case 'float':
    case 'double':
      return floatSql(text, sqlType(type));
    case 'date':
      return only(matches(text, String.raw`${DATE}([T ]00:00(:00(\.0+)?)?)?`));
    case 'time':
      return only(matches(text, clock(6)));
    case 'timestamp':
    case 'timestamptz': {
      // A cast to TIMESTAMP drops the offset; the session's zone is UTC.
      const instant = pointInTimeSql(text, 'TIMESTAMPTZ', 'TRY_CAST');
      const value = type.kind === 'timestamp' ? `${instant}::TIMESTAMP` : instant;
      return only(matches(text, `${DATE}([T ]${clock(6)}${ZONE}?)?`), value);
    }
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return only(matches(text, `${DATE}([T ]${clock(9)}${ZONE}?)?`), pointInTimeSql(text, sqlType(type), 'TRY_CAST'));
    case 'uuid':
      return only(matches(text, '(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'));
    case 'fixed':
      return only(matches(text, `([0-9a-fA-F]{2}){${type.length}}`), `unhex(${text})`);
    case 'binary':
      return only(matches(text, '([0-9a-fA-F]{2})*'), `unhex(${text})`);
    case 'unknown':
      return undefined;
  }
}

/**
 * SQL for the point in time of an ISO-8601 text, UTC without an offset.
 * @param cast what fails, or gives null, for a text that is none of the target
 */
export function pointInTimeSql(text: string, target: string, cast: 'CAST' | 'TRY_CAST'): string {
  // DuckDB wants seconds before an offset, and no space. Few texts need the second look.
  const unspaced = `regexp_replace(${text}, ' Z$', 'Z')`;
  const complete = `regexp_replace(${unspaced}, '^(.{10}[T ].{5})(Z|[+-].*)$', '\\1:00\\2')`;
  return `coalesce(TRY_CAST(${text} AS ${target}), ${cast}(${complete} AS ${target}))`;
}

/** Numbers of a fixed scale: casts would round the digits beyond it. */
function exactNumberSql(text: string, target: string, scale: number): string {
  const fraction = scale === 0 ? String.raw`(\.0*)?` : String.raw`(\.\d{0,${scale}}0*)?`;
  const plain = matches(
    text,
    String.raw`[+-]?\d+${fraction}${scale === 0 ? '' : String.raw`|[+-]?\.\d{1,${scale}}0*`}`,
  );
  // At most 15 digits have a double of their own, so comparing doubles compares them.
  const short = `length(regexp_replace(split_part(lower(${text}), 'e', 1), '[^0-9]', '', 'g')) <= 15`;
  const cast = `TRY_CAST(${text} AS ${target})`;
  // A cast wants room for the digits before an exponent, too.
  const scaled = `TRY_CAST(TRY_CAST(${text} AS DECIMAL(38, ${scale})) AS ${target})`;
  // What is below the smallest double is 0 as a double.
  const keepsDigits = `(${scaled} <> 0 OR NOT regexp_matches(${text}, '^[^eE]*[1-9]'))`;
  // Most are their value's own text, which is soon seen.
  return `CASE WHEN ${cast}::VARCHAR = ${text} THEN ${cast} WHEN ${plain} THEN ${cast}
    WHEN ${matches(text, NUMBER)} AND ${short} AND ${scaled}::DOUBLE = TRY_CAST(${text} AS DOUBLE) AND ${keepsDigits} THEN ${scaled} END`;
}

/** SQL for the float of a text. A fraction has no exact float, and rounding is what the type is for; an integer is kept or refused. */
export function floatSql(text: string, target: string): string {
  const cast = `TRY_CAST(${text} AS ${target})`;
  // All digits of the float's value, which may have more than any integer type holds.
  const digits = `format('{:.0f}', abs(${cast}))`;
  const whole = `${digits} = regexp_extract(${text}, '^[+-]?0*([0-9]+)$', 1)`;
  return `CASE WHEN ${cast}::VARCHAR = ${text} THEN ${cast}
    WHEN ${matches(text, String.raw`[+-]?\d+`)} THEN CASE WHEN ${whole} THEN ${cast} END
    WHEN ${matches(text, NUMBER)} THEN CASE WHEN NOT isinf(${cast}) THEN ${cast} END
    WHEN ${matches(text, 'NaN|nan|[+-]?(inf|Infinity)')} THEN ${cast} END`;
}
