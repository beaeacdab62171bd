/** Times of day: Iceberg's are below 24 hours, DuckDB's TIME may be 24:00:00. */
import type { IcebergType } from '../../iceberg/index.js';
import { listTransformSql } from './lambda-sql.js';
import { quoteLiteral } from './sql-text.js';
import { sqlType } from './sql-type.js';

/** SQL that is true if a value is, or has inside, 24:00:00; undefined for types without times. */
export function isLateSql(type: IcebergType, value: string): string | undefined {
  switch (type.kind) {
    case 'time':
      return `coalesce(${value} >= TIME '24:00:00', false)`;
    case 'struct': {
      const members = type.fields.flatMap((field) => {
        return isLateSql(field.type, `struct_extract(${value}, ${quoteLiteral(field.name)})`) ?? [];
      });
      return members.length === 0 ? undefined : `(${members.join(' OR ')})`;
    }
    case 'list':
      return anyLateSql(type.element, value);
    case 'map': {
      const sides = [
        anyLateSql(type.key, `map_keys(${value})`) ?? [],
        anyLateSql(type.value, `map_values(${value})`) ?? [],
      ].flat();
      return sides.length === 0 ? undefined : `(${sides.join(' OR ')})`;
    }
    default:
      return undefined;
  }
}

function anyLateSql(type: IcebergType, list: string): string | undefined {
  const item = 'e';
  const isLate = isLateSql(type, item);
  return isLate && `coalesce(list_bool_or(${listTransformSql(list, [item], isLate)}), false)`;
}

/** The error of {@link withoutLateTimes}. */
export const LATE_TIME = /Invalid Input Error: (.* has 24:00:00, which is not a time of day\.)/s;

/** SQL that gives a value, or fails with {@link LATE_TIME}. @param what how the value is called in the error */
export function withoutLateTimes(type: IcebergType, value: string, what: string): string {
  const isLate = isLateSql(type, value);
  if (isLate === undefined) return value;
  const message = quoteLiteral(`${what} has 24:00:00, which is not a time of day.`);
  return `CASE WHEN ${isLate} THEN error(${message})::${sqlType(type)} ELSE ${value} END`;
}
