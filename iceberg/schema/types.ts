/**
 * Iceberg types and the in-memory values they hold.
 * Source: Apache Iceberg specification, "Schemas and Data Types".
 */

/** Primitive types without parameters. */
export type SimplePrimitiveKind =
  | 'boolean'
  | 'int'
  | 'long'
  | 'float'
  | 'double'
  | 'date'
  | 'time'
  | 'timestamp'
  | 'timestamptz'
  | 'timestamp_ns'
  | 'timestamptz_ns'
  | 'string'
  | 'uuid'
  | 'binary'
  | 'unknown';

/** A primitive type. `fixed` has a length in bytes, `decimal` a precision (at most 38) and a scale. */
export type PrimitiveType =
  | { readonly kind: SimplePrimitiveKind }
  | { readonly kind: 'fixed'; readonly length: number }
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number };

/** A struct: an ordered list of fields with unique ids. */
export interface StructType {
  readonly kind: 'struct';
  readonly fields: readonly NestedField[];
  /** Members that are not known here, as parsed, written back unchanged. */
  readonly otherFields?: ReadonlyMap<string, unknown>;
}

/** A list; its element has a field id of its own. */
export interface ListType {
  readonly kind: 'list';
  readonly elementId: number;
  readonly elementRequired: boolean;
  readonly element: IcebergType;
  /** Members that are not known here, as parsed, written back unchanged. */
  readonly otherFields?: ReadonlyMap<string, unknown>;
}

/** A map; key and value have field ids of their own, the key is always required. */
export interface MapType {
  readonly kind: 'map';
  readonly keyId: number;
  readonly key: IcebergType;
  readonly valueId: number;
  readonly valueRequired: boolean;
  readonly value: IcebergType;
  /** Members that are not known here, as parsed, written back unchanged. */
  readonly otherFields?: ReadonlyMap<string, unknown>;
}

/** Types that the specification has and Moraine refuses by name (`variant`, `geometry(..)`, `geography(..)`). */
export interface UnsupportedType {
  readonly kind: 'unsupported';
  /** The type as written in the metadata. */
  readonly text: string;
}

export type NestedType = StructType | ListType | MapType;
export type IcebergType = PrimitiveType | NestedType | UnsupportedType;

/**
 * A non-null value of a primitive type, in memory:
 * boolean -> `boolean`; int, float, double -> `number`; date (days since 1970-01-01) -> `number`;
 * long, time (us since midnight), timestamp and timestamptz (us since the epoch), the `_ns` types (ns since the epoch),
 * decimal (the unscaled value) -> `bigint`; string -> `string`; uuid -> lower-case canonical `string`;
 * fixed and binary -> `Uint8Array`.
 */
export type PrimitiveValue = boolean | number | bigint | string | Uint8Array;

/** A field of a struct or of the schema itself. */
export interface NestedField {
  readonly id: number;
  readonly name: string;
  readonly required: boolean;
  readonly type: IcebergType;
  readonly doc?: string;
  /** v3: the value of this field in rows written before it was added (JSON single-value form). */
  readonly initialDefault?: unknown;
  /** v3: the value that writers use when none is given (JSON single-value form). */
  readonly writeDefault?: unknown;
  /** Members that are not known here, as parsed, written back unchanged. */
  readonly otherFields?: ReadonlyMap<string, unknown>;
}

/** A table schema: the fields of a row, with an id of its own. */
export interface Schema {
  readonly schemaId: number;
  readonly fields: readonly NestedField[];
  /** Ids of the fields that identify a row (may be empty). */
  readonly identifierFieldIds: readonly number[];
  /** Members that are not known here, as parsed, written back unchanged. */
  readonly otherFields?: ReadonlyMap<string, unknown>;
}
