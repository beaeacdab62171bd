/** Feast's value types and the Iceberg types of columns that hold them. Source: Feast, `protos/feast/types/Value.proto`, `types.py`. */
import { acceptsType, feastValueType, featureTypeToString, parseFeatureType } from '../features/index.js';
import type { IcebergType } from '../iceberg/index.js';

interface FeastType {
  readonly name: string;
  /** The Iceberg type that says exactly the same. Absent where Feast's type says less than Iceberg's does. */
  readonly type?: string;
  /** Kinds of columns that Feast calls by this type without a better name for them. */
  readonly columns?: readonly string[];
}

const TIMESTAMPS = ['timestamp', 'timestamptz', 'timestamp_ns', 'timestamptz_ns'];

/** Value types by number (ValueType.Enum). */
const TYPES: ReadonlyMap<number, FeastType> = new Map([
  [1, { name: 'BYTES', type: 'binary' }],
  [2, { name: 'STRING', type: 'string' }],
  [3, { name: 'INT32', type: 'int' }],
  [4, { name: 'INT64', type: 'long' }],
  [5, { name: 'DOUBLE', type: 'double' }],
  [6, { name: 'FLOAT', type: 'float' }],
  [7, { name: 'BOOL', type: 'boolean' }],
  [8, { name: 'UNIX_TIMESTAMP', columns: TIMESTAMPS }],
  [11, { name: 'BYTES_LIST', type: 'list<binary>' }],
  [12, { name: 'STRING_LIST', type: 'list<string>' }],
  [13, { name: 'INT32_LIST', type: 'list<int>' }],
  [14, { name: 'INT64_LIST', type: 'list<long>' }],
  [15, { name: 'DOUBLE_LIST', type: 'list<double>' }],
  [16, { name: 'FLOAT_LIST', type: 'list<float>' }],
  [17, { name: 'BOOL_LIST', type: 'list<boolean>' }],
  [18, { name: 'UNIX_TIMESTAMP_LIST', columns: ['list'] }],
  [20, { name: 'MAP', columns: ['map'] }],
  [21, { name: 'MAP_LIST', columns: ['list'] }],
  [22, { name: 'BYTES_SET' }],
  [23, { name: 'STRING_SET' }],
  [24, { name: 'INT32_SET' }],
  [25, { name: 'INT64_SET' }],
  [26, { name: 'DOUBLE_SET' }],
  [27, { name: 'FLOAT_SET' }],
  [28, { name: 'BOOL_SET' }],
  [29, { name: 'UNIX_TIMESTAMP_SET' }],
  [32, { name: 'JSON', type: 'string' }],
  [33, { name: 'JSON_LIST', type: 'list<string>' }],
  [34, { name: 'STRUCT', columns: ['struct'] }],
  [35, { name: 'STRUCT_LIST', columns: ['list'] }],
  [36, { name: 'UUID', columns: ['uuid', 'string'] }],
  [37, { name: 'TIME_UUID', columns: ['uuid', 'string'] }],
  [38, { name: 'UUID_LIST', columns: ['list'] }],
  [39, { name: 'TIME_UUID_LIST', columns: ['list'] }],
  [40, { name: 'UUID_SET' }],
  [41, { name: 'TIME_UUID_SET' }],
  [42, { name: 'VALUE_LIST', columns: ['list'] }],
  [43, { name: 'VALUE_SET' }],
  [44, { name: 'DECIMAL', columns: ['decimal'] }],
  [45, { name: 'DECIMAL_LIST', columns: ['list'] }],
  [46, { name: 'DECIMAL_SET' }],
  [47, { name: 'SCALAR_MAP', columns: ['map'] }],
  [48, { name: 'ZONED_TIMESTAMP' }],
]);

/** Names of Feast's Python classes that differ from those of the value types. */
const PYTHON_NAMES: Readonly<Record<string, string>> = {
  FLOAT32: 'FLOAT',
  FLOAT64: 'DOUBLE',
  UNIXTIMESTAMP: 'UNIX_TIMESTAMP',
};

/**
 * The type of a feature that names a type as Feast does (`INT64`, `Int64`, `Array(Float32)`, `array_float32`), or as definitions do (`list<long>`).
 * @returns undefined if there is no such type
 */
export function namedType(dtype: string, column: IcebergType): ImportedType | undefined {
  const own = parseFeatureType(dtype);
  if (own !== undefined && acceptsType(own, column)) return { type: featureTypeToString(own) };
  const [, inner, suffix] = /^Array(?:\((\w+)\)|_(\w+))$/i.exec(dtype.trim()) ?? [];
  const element = inner ?? suffix ?? dtype;
  const upper = element.trim().toUpperCase();
  const name = `${PYTHON_NAMES[upper] ?? upper}${element === dtype ? '' : '_LIST'}`;
  const number = [...TYPES].find(([, type]) => type.name === name)?.[0];
  if (number !== undefined) return name === feastValueType(column) ? { type: undefined } : importType(number, column);
  if (own === undefined) return undefined;
  return { type: undefined, difference: `${dtype}, ${featureTypeToString(column)} in the table` };
}

/** Kinds of columns that Feast has no type for: the type of what answers have in their place. */
const ANSWERED_AS: Readonly<Record<string, string>> = { date: 'UNIX_TIMESTAMP', time: 'STRING', fixed: 'BYTES' };

/** The number of Feast's ValueType.Enum for a column; import gives the column's type back. 0 (INVALID) for what Feast cannot have. */
export function exportType(type: IcebergType): number {
  return numberOf(exportName(type));
}

function exportName(type: IcebergType): string | undefined {
  const text = featureTypeToString(type);
  const exact = [...TYPES.values()].find((feast) => feast.type === text);
  if (exact !== undefined) return exact.name;
  if (type.kind === 'list') {
    const element = exportName(type.element);
    const name = element === undefined ? undefined : `${element}_LIST`;
    return name !== undefined && numberOf(name) > 0 ? name : 'VALUE_LIST';
  }
  const byKind = [...TYPES.values()].find((feast) => feast.columns?.includes(type.kind) === true);
  return byKind?.name ?? ANSWERED_AS[type.kind];
}

const numberOf = (name: string | undefined): number => [...TYPES].find(([, feast]) => feast.name === name)?.[0] ?? 0;

/** The type that an import declares for a feature. */
export interface ImportedType {
  /** Undefined: the column's own type. */
  readonly type: string | undefined;
  /** Set if Feast gave the values another type. */
  readonly difference?: string;
}

/**
 * The type of a feature.
 *
 * @param valueType a number of Feast's ValueType.Enum
 * @param column the type of the column, where the table could be read
 */
export function importType(valueType: number, column: IcebergType | undefined): ImportedType {
  const feast = TYPES.get(valueType);
  if (feast === undefined) return { type: undefined };
  if (column === undefined) return { type: feast.type };
  const declared = feast.type === undefined ? undefined : parseFeatureType(feast.type);
  if (declared !== undefined && acceptsType(declared, column)) return { type: feast.type };
  if (feast.columns?.includes(column.kind) === true) return { type: undefined };
  return { type: undefined, difference: `${feast.name} in Feast, ${featureTypeToString(column)} in the table` };
}
