/** Nulls inside nested values, where their type wants values. */
import type { IcebergType } from '../../iceberg/index.js';
import { listTransformSql } from './lambda-sql.js';
import { quoteLiteral } from './sql-text.js';

/** SQL that is true if a value has a null inside where one is required; undefined for types that require none. */
export function lacksInsideSql(type: IcebergType, value: string, depth = 0): string | undefined {
  switch (type.kind) {
    case 'struct': {
      const members = type.fields.flatMap(({ name, required, type: of }) => {
        const lacks = memberLacksSql(of, required, `struct_extract(${value}, ${quoteLiteral(name)})`, depth);
        return lacks ?? [];
      });
      return members.length === 0 ? undefined : `(${value} IS NOT NULL AND (${members.join(' OR ')}))`;
    }
    case 'list':
      return anyLacksSql(type.element, type.elementRequired, value, depth);
    case 'map': {
      const sides = [
        anyLacksSql(type.key, false, `map_keys(${value})`, depth) ?? [],
        anyLacksSql(type.value, type.valueRequired, `map_values(${value})`, depth) ?? [],
      ].flat();
      return sides.length === 0 ? undefined : `(${sides.join(' OR ')})`;
    }
    default:
      return undefined;
  }
}

function memberLacksSql(type: IcebergType, required: boolean, value: string, depth: number): string | undefined {
  const inside = lacksInsideSql(type, value, depth);
  if (!required) return inside;
  return inside === undefined ? `${value} IS NULL` : `(${value} IS NULL OR ${inside})`;
}

function anyLacksSql(type: IcebergType, required: boolean, list: string, depth: number): string | undefined {
  const item = `e${depth}`;
  const lacks = memberLacksSql(type, required, item, depth + 1);
  return lacks && `coalesce(list_bool_or(${listTransformSql(list, [item], lacks)}), false)`;
}
