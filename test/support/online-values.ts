/** Columns of features in tables with random lives: their values in SQL and in JavaScript, the order of the values, and other schemas. */
import {
  currentSchema,
  type IcebergType,
  type NestedField,
  type TableMetadata,
  type TableUpdate,
} from '../../iceberg/index.js';
import type { Random } from '../worlds/random.js';

/** A value as online reads give it. */
export type Value = null | boolean | number | bigint | string | Uint8Array | readonly (number | null)[];

/** Values by the field ids of their columns. What is not there is null. */
export type Values = ReadonlyMap<number, Value>;

const INT: IcebergType = { kind: 'int' };
const FLOAT: IcebergType = { kind: 'float' };

/** Names and types of the features that a table begins with. */
export const FEATURES: readonly (readonly [string, IcebergType])[] = [
  ['v', { kind: 'double' }],
  ['s', { kind: 'string' }],
  ['n', { kind: 'long' }],
  ['d', { kind: 'decimal', precision: 20, scale: 2 }],
  ['b', { kind: 'boolean' }],
  ['u', { kind: 'uuid' }],
  ['x', { kind: 'binary' }],
  ['i', INT],
  ['f', FLOAT],
  ['l', { kind: 'list', elementId: 100, element: INT, elementRequired: false }],
];

/** A value of a type that a number stands for, and the SQL of it. */
export function sample(type: IcebergType, number: number): readonly [Value, string] {
  switch (type.kind) {
    case 'double':
    case 'float': {
      const name = type.kind.toUpperCase();
      if (number % 7 === 0) return [Number.NaN, `'NaN'::${name}`];
      if (number % 7 === 1) return [-0, `-0.0::${name}`];
      return [type.kind === 'float' ? Math.fround(number / 3) : number / 3, `(${number}::DOUBLE / 3)::${name}`];
    }
    case 'string':
      return [`text ${number} é😀`, `'text ${number} é😀'`];
    case 'int':
      return [5 - number, `${5 - number}::INTEGER`];
    case 'long':
      return [9007199254740993n + BigInt(number), `${9007199254740993n + BigInt(number)}::BIGINT`];
    case 'decimal':
      return [-BigInt(number * 100 + 25), `(-${number}.25)::DECIMAL(${type.precision}, ${type.scale})`];
    case 'boolean':
      return [number % 2 === 0, `${number % 2 === 0}`];
    case 'uuid': {
      const text = `00000000-0000-0000-0000-${String(number).padStart(12, '0')}`;
      return [text, `'${text}'::UUID`];
    }
    case 'binary':
      return [Buffer.from(`\0\xFF${number}`, 'latin1'), `'\\x00\\xFF'::BLOB || encode('${number}')`];
    case 'list':
      return [[number, null, 3], `[${number}, NULL, 3]::INTEGER[]`];
    default:
      throw new TypeError(`no values of ${type.kind}`);
  }
}

/** Values of some columns, a tenth of them null, and the SQL of each by its field id. */
export function samples(
  random: Random,
  columns: readonly NestedField[],
  number: number,
): { readonly values: Values; readonly sql: ReadonlyMap<number, string> } {
  const given = columns.filter(() => !random.chance(0.1)).map(({ id, type }) => [id, sample(type, number)] as const);
  return {
    values: new Map(given.map(([id, [value]]) => [id, value])),
    sql: new Map(given.map(([id, [, sql]]) => [id, sql])),
  };
}

/** The value of a column, as the column's type has it: an int that was widened is a long. */
export function valueOf(values: Values, { id, type }: NestedField): Value {
  const value = values.get(id) ?? null;
  return type.kind === 'long' && typeof value === 'number' ? BigInt(value) : value;
}

/** No two values have the same text. */
export function textOf(value: unknown): string {
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('hex')}`;
  if (Array.isArray(value)) return `[${value.map(textOf).join()}]`;
  return `${typeof value} ${Object.is(value, -0) ? '-0' : String(value)}`;
}

/** Null is below every value, NaN above every number, -0 below 0; texts by their code points. */
export function compareValues(a: Value, b: Value): number {
  if (a === null || b === null) return Number(a !== null) - Number(b !== null);
  if (typeof a === 'number' && typeof b === 'number') return compareNumbers(a, b);
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b));
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  // All lists begin with another number, or are equal.
  if (Array.isArray(a) && Array.isArray(b)) return compareNumbers(Number(a[0]), Number(b[0]));
  return Number(a > b) - Number(a < b);
}

function compareNumbers(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return a - b || Number(Object.is(b, -0)) - Number(Object.is(a, -0));
}

/**
 * Another schema of a table: one of the features is renamed, widened or dropped, or another is added.
 * @param prefix of the names of added columns
 */
export function evolvedFields(
  random: Random,
  metadata: TableMetadata,
  features: readonly NestedField[],
  prefix: string,
): readonly NestedField[] {
  const { fields } = currentSchema(metadata);
  const replaced = (field: NestedField, other: NestedField): readonly NestedField[] =>
    fields.map((each) => (each.id === field.id ? other : each));
  const field = random.pick(features);
  const wider = widened(random.shuffle(features));
  const change = random.pick(['rename', 'add', 'widen', 'drop'] as const);
  if (change === 'rename') return replaced(field, { ...field, name: `${field.name}_` });
  if (change === 'widen' && wider !== undefined) return replaced(...wider);
  if (change === 'drop' && features.length > 4) return fields.filter(({ id }) => id !== field.id);
  const id = metadata.lastColumnId + 1;
  return [...fields, { id, name: `${prefix}_${id}`, required: false, type: random.pick([INT, FLOAT]) }];
}

/** Makes fields the columns of a table. */
export function columnUpdates(metadata: TableMetadata, fields: readonly NestedField[]): readonly TableUpdate[] {
  return [
    { action: 'add-schema', schema: { ...currentSchema(metadata), fields } },
    // The last one that was added: it may be one that the table had before.
    { action: 'set-current-schema', schemaId: -1 },
  ];
}

/** The first field that can get a wider type, and that field with it. */
function widened(fields: readonly NestedField[]): readonly [NestedField, NestedField] | undefined {
  for (const field of fields) {
    const { type } = field;
    if (type.kind === 'int') return [field, { ...field, type: { kind: 'long' } }];
    if (type.kind === 'float') return [field, { ...field, type: { kind: 'double' } }];
    if (type.kind === 'decimal' && type.precision < 38)
      return [field, { ...field, type: { ...type, precision: type.precision + 6 } }];
  }
  return undefined;
}
