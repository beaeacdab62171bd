/** Partition values on their way through file names: each becomes a short inert text or integer, and is read back. */
import { MoraineError } from '../../errors/index.js';
import {
  findField,
  type PartitionField,
  type PartitionSpec,
  type PrimitiveType,
  type PrimitiveValue,
  type Schema,
  transformResultType,
} from '../../iceberg/index.js';
import { fieldSql } from '../scan/column-path.js';
import { isPrimitive } from '../sql/sql-type.js';
import { parseSqlText } from '../sql/sql-value.js';
import { transformSql } from '../sql/transform-sql.js';

/** Longer values are replaced by their hash in the name: a file name holds 255 bytes. */
const MAX_VALUE_BYTES = 80;
const VALUE_MARK = 'v';
const HASH_MARK = 'h';

/** One field of a partition spec, as a column that a statement can partition by. */
export interface PartitionColumn {
  readonly field: PartitionField;
  readonly resultType: PrimitiveType;
  /** The partition value itself. */
  readonly valueSql: string;
  /** The value as short inert text or an integer; equal exactly when the values are. */
  readonly keySql: string;
  /** Reads a key back; undefined when the key is only a hash, and the value has to be read from the file. */
  readonly parse: (key: string | null) => PrimitiveValue | null | undefined;
}

/** The columns of a spec over rows whose top-level fields are named as in the schema. @throws SCHEMA_INVALID */
export function partitionColumns(
  schema: Schema,
  spec: PartitionSpec,
  columnSql: (id: number) => string,
): readonly PartitionColumn[] {
  return spec.fields.map((field) => {
    const source = findField(schema, field.sourceId);
    // A void field may outlive its column.
    if (field.transform.kind === 'void') return voidColumn(field);
    if (field.sourceIds !== undefined) {
      const message = `The partition field ${field.name} is of several columns, which no transform here is; write to this table with the engine that made it.`;
      throw new MoraineError('UNSUPPORTED_FEATURE', message);
    }
    if (source === undefined || !isPrimitive(source.type)) {
      throw new MoraineError('SCHEMA_INVALID', `The partition field ${field.name} has no primitive source column.`);
    }
    const sql = fieldSql(schema, field.sourceId, (top) => columnSql(top.id));
    const valueSql = transformSql(field.transform, source.type, sql);
    const resultType = transformResultType(field.transform, source.type) as PrimitiveType;
    const isIdentity = field.transform.kind === 'identity';
    return { field, resultType, valueSql, ...keyOf(resultType, valueSql, isIdentity) };
  });
}

function voidColumn(field: PartitionField): PartitionColumn {
  const sql = 'NULL::INTEGER';
  return { field, resultType: { kind: 'unknown' }, valueSql: sql, keySql: sql, parse: () => null };
}

type Key = Pick<PartitionColumn, 'keySql' | 'parse'>;

/** Other transforms than identity give dates as ordinals and decimals unscaled already. */
function keyOf(type: PrimitiveType, sql: string, isIdentity: boolean): Key {
  switch (type.kind) {
    case 'int':
      return integerKey(sql, Number);
    case 'date':
      return integerKey(isIdentity ? `(${sql} - DATE '1970-01-01')` : sql, Number);
    case 'long':
      return integerKey(sql, BigInt);
    case 'time':
    case 'timestamp':
    case 'timestamptz':
      return integerKey(`epoch_us(${sql})`, BigInt);
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return integerKey(`epoch_ns(${sql})`, BigInt);
    case 'boolean':
      return integerKey(`(${sql})::INTEGER`, (text) => text === '1');
    case 'decimal':
      return integerKey(isIdentity ? `replace((${sql})::VARCHAR, '.', '')::HUGEINT` : sql, BigInt);
    case 'string':
      return textKey(`hex(encode(${sql}))`, (hex) => Buffer.from(hex, 'hex').toString('utf8'));
    case 'fixed':
    case 'binary':
      return textKey(`hex(${sql})`, (hex) => new Uint8Array(Buffer.from(hex, 'hex')));
    default:
      return {
        keySql: `(${sql})::VARCHAR`,
        parse: (key) => (key === null ? null : parseSqlText(type, key)),
      };
  }
}

function integerKey(keySql: string, parse: (text: string) => PrimitiveValue): Key {
  return { keySql, parse: (key) => (key === null ? null : parse(key)) };
}

function textKey(hexSql: string, parse: (hex: string) => PrimitiveValue): Key {
  const whole = `strlen(${hexSql}) <= ${2 * MAX_VALUE_BYTES}`;
  return {
    keySql: `CASE WHEN ${whole} THEN '${VALUE_MARK}' || ${hexSql} ELSE '${HASH_MARK}' || md5(${hexSql}) END`,
    parse: (key) => {
      if (key === null) return null;
      return key.startsWith(VALUE_MARK) ? parse(key.slice(1)) : undefined;
    },
  };
}
