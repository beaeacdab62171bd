/**
 * `_entity_key`: several join keys (or one that Iceberg cannot bucket the same way everywhere) as one text.
 *
 * Each key, in the view's order, becomes `<tag><bytes>:<text>`; the parts are joined without a separator. `bytes` is the
 * length of `text` in UTF-8, so the encoding is injective: (1, 23) is `i1:1i2:23`, (12, 3) is `i2:12i1:3`, ('1', 23) is `s1:1i2:23`.
 * A view without keys has the empty text. Null keys have no encoding: such rows belong to no entity.
 *
 * | tag | types | text |
 * |---|---|---|
 * | `i` | int, long | decimal digits |
 * | `s` | string | itself |
 * | `b` | boolean | `true`, `false` |
 * | `d` | date | days since 1970-01-01 |
 * | `t` | time, timestamp, timestamptz | microseconds since midnight or 1970-01-01 UTC |
 * | `n` | timestamp_ns, timestamptz_ns | nanoseconds since 1970-01-01 UTC |
 * | `u` | uuid | canonical, lower case |
 * | `x` | binary, fixed | lower-case hex |
 * | `m` | decimal | the number with all digits of its scale |
 *
 * int and long share a tag (as do decimals of one scale), so that widening a key changes no stored value.
 */
import { MoraineError } from '../errors/index.js';
import { formatDecimal, type IcebergType, type PrimitiveValue } from '../iceberg/index.js';

/** One component of an entity's identity. */
export interface EntityKeyPart {
  readonly name: string;
  readonly type: IcebergType;
}

/** The encoding of one entity. `values` are in the order of `parts`, none null. */
export function encodeEntityKey(parts: readonly EntityKeyPart[], values: readonly PrimitiveValue[]): string {
  return parts
    .map((part, index) => {
      const value = values[index];
      if (value === undefined) throw new TypeError(`No value for the join key ${part.name}`);
      const text = keyText(part, value);
      return `${keyTag(part)}${Buffer.byteLength(text)}:${text}`;
    })
    .join('');
}

/** A SQL expression that gives the same text; `columns` are SQL expressions in the order of `parts`. */
export function entityKeySql(parts: readonly EntityKeyPart[], columns: readonly string[]): string {
  if (parts.length === 0) return `''`;
  return parts
    .map((part, index) => {
      const text = keyTextSql(part, columns[index] ?? 'NULL');
      return `'${keyTag(part)}' || strlen(${text}) || ':' || ${text}`;
    })
    .join(' || ');
}

function keyTag(part: EntityKeyPart): string {
  switch (part.type.kind) {
    case 'int':
    case 'long':
      return 'i';
    case 'string':
      return 's';
    case 'boolean':
      return 'b';
    case 'date':
      return 'd';
    case 'time':
    case 'timestamp':
    case 'timestamptz':
      return 't';
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return 'n';
    case 'uuid':
      return 'u';
    case 'binary':
    case 'fixed':
      return 'x';
    case 'decimal':
      return 'm';
    default:
      throw new MoraineError(
        'DEFINITION_INVALID',
        `The join key '${part.name}' has type ${part.type.kind}, which cannot identify an entity; use an integer, string, date, time, uuid, decimal or binary column.`,
      );
  }
}

function keyText(part: EntityKeyPart, value: PrimitiveValue): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (part.type.kind === 'decimal' && typeof value === 'bigint') return formatDecimal(value, part.type.scale);
  return String(value);
}

function keyTextSql(part: EntityKeyPart, column: string): string {
  switch (part.type.kind) {
    case 'date':
      return `CAST(${column} - DATE '1970-01-01' AS VARCHAR)`;
    case 'time':
    case 'timestamp':
    case 'timestamptz':
      return `CAST(epoch_us(${column}) AS VARCHAR)`;
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return `CAST(epoch_ns(${column}) AS VARCHAR)`;
    case 'binary':
    case 'fixed':
      return `lower(hex(${column}))`;
    default:
      return `CAST(${column} AS VARCHAR)`;
  }
}
