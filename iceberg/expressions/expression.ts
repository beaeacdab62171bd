/** Filter expressions. Their operators are named as in Iceberg's REST specification, "Expression". */
import type { IcebergType, PrimitiveValue } from '../schema/types.js';

export type ComparisonOp = 'eq' | 'not-eq' | 'lt' | 'lt-eq' | 'gt' | 'gt-eq';

/** A condition on one column. */
export type Predicate<Reference, Value> =
  | { readonly op: 'is-null' | 'not-null' | 'is-nan' | 'not-nan'; readonly ref: Reference }
  | { readonly op: ComparisonOp; readonly ref: Reference; readonly literal: Value }
  | { readonly op: 'in' | 'not-in'; readonly ref: Reference; readonly literals: readonly Value[] }
  | { readonly op: 'starts-with' | 'not-starts-with'; readonly ref: Reference; readonly prefix: string };

/** A value as written in an expression; what it means depends on the column it is compared with. */
export type Literal =
  /** `digits` * 10^`exponent`, exact. */
  | { readonly kind: 'number'; readonly digits: bigint; readonly exponent: number }
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'binary'; readonly value: Uint8Array }
  /** Days since 1970-01-01. */
  | { readonly kind: 'date'; readonly days: number }
  /** Nanoseconds since midnight. */
  | { readonly kind: 'time'; readonly nanos: bigint }
  /** Nanoseconds since 1970-01-01T00:00Z. */
  | { readonly kind: 'timestamp'; readonly nanos: bigint }
  /** Only in the list of an IN. */
  | { readonly kind: 'null' };

/** An expression over column names, with SQL's three-valued logic. */
export type UnboundExpression =
  | { readonly op: 'true' | 'false' }
  | { readonly op: 'and' | 'or'; readonly children: readonly UnboundExpression[] }
  | { readonly op: 'not'; readonly child: UnboundExpression }
  | Predicate<string, Literal>;

/** A column that an expression is bound to. */
export interface BoundReference {
  readonly fieldId: number;
  /** Dotted path, for messages. */
  readonly path: string;
  readonly type: IcebergType;
  /** Whether the value can never be null: the field and all structs around it are required. */
  readonly required: boolean;
  /** Whether the field is inside a struct. */
  readonly nested: boolean;
}

/**
 * An expression over field ids and values of the columns' types. It has no NOT, so that "unknown" and "false" need not be told
 * apart: every predicate but `is-null` is false for null, and a row matches when the whole is true.
 */
export type BoundExpression =
  | { readonly op: 'true' | 'false' }
  | { readonly op: 'and' | 'or'; readonly children: readonly BoundExpression[] }
  | BoundPredicate;

export type BoundPredicate = Predicate<BoundReference, PrimitiveValue>;

export const ALWAYS_TRUE = { op: 'true' } as const;
export const ALWAYS_FALSE = { op: 'false' } as const;

/** Both of all expressions; simplified. */
export function and(...children: readonly BoundExpression[]): BoundExpression {
  const kept = children.filter(({ op }) => op !== 'true');
  if (kept.some(({ op }) => op === 'false')) return ALWAYS_FALSE;
  const [only] = kept;
  if (only === undefined) return ALWAYS_TRUE;
  return kept.length === 1 ? only : { op: 'and', children: kept };
}

/** At least one of all expressions; simplified. */
export function or(...children: readonly BoundExpression[]): BoundExpression {
  const kept = children.filter(({ op }) => op !== 'false');
  if (kept.some(({ op }) => op === 'true')) return ALWAYS_TRUE;
  const [only] = kept;
  if (only === undefined) return ALWAYS_FALSE;
  return kept.length === 1 ? only : { op: 'or', children: kept };
}
