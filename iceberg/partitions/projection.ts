/**
 * Inclusive projection: from a condition on rows to the condition that their partition values then meet.
 * Source: Apache Iceberg specification, "Scan Planning" (inclusive projection) and "Partition Transforms".
 */
import {
  ALWAYS_TRUE,
  and,
  type BoundExpression,
  type BoundPredicate,
  type BoundReference,
  or,
} from '../expressions/expression.js';
import type { IcebergType, PrimitiveValue } from '../schema/types.js';
import type { PartitionField, PartitionSpec } from './partition-spec.js';
import { applyTransform, canTransform, type Transform, transformResultType } from './transforms.js';

/**
 * An expression over the partition fields of `spec` that is true of the partition of every row that matches `expression`.
 * Transforms that are void or unknown, and columns that are not partitioned by, restrict nothing.
 */
export function projectInclusive(expression: BoundExpression, spec: PartitionSpec): BoundExpression {
  switch (expression.op) {
    case 'true':
    case 'false':
      return expression;
    case 'and':
      return and(...expression.children.map((child) => projectInclusive(child, spec)));
    case 'or':
      return or(...expression.children.map((child) => projectInclusive(child, spec)));
    default: {
      const fields = spec.fields.filter(({ sourceId }) => sourceId === expression.ref.fieldId);
      return and(...fields.map((field) => projectPredicate(expression, field)));
    }
  }
}

function projectPredicate(predicate: BoundPredicate, field: PartitionField): BoundExpression {
  const { transform } = field;
  const { type } = predicate.ref;
  if (transform.kind === 'void' || transform.kind === 'unknown' || !canTransform(transform, type)) return ALWAYS_TRUE;
  const ref: BoundReference = {
    fieldId: field.fieldId,
    path: field.name,
    type: transformResultType(transform, type),
    required: false,
    nested: false,
  };
  // Every transform gives null for null and only for null.
  if (predicate.op === 'is-null' || predicate.op === 'not-null') return { op: predicate.op, ref };
  if (transform.kind === 'identity') return { ...predicate, ref };
  return projectThrough(predicate, transform, ref) ?? { op: 'not-null', ref };
}

/** The projection through a transform that loses something; undefined when only "not null" can be said. */
function projectThrough(
  predicate: BoundPredicate,
  transform: Transform,
  ref: BoundReference,
): BoundExpression | undefined {
  const { type } = predicate.ref;
  const apply = (value: PrimitiveValue): PrimitiveValue => applyTransform(transform, type, value) as PrimitiveValue;
  switch (predicate.op) {
    case 'eq':
      return oneOf(ref, lenient(transform, type, [apply(predicate.literal)]));
    case 'in':
      return oneOf(ref, lenient(transform, type, predicate.literals.map(apply)));
    case 'lt':
    case 'lt-eq':
      return transform.kind === 'bucket' ? undefined : projectLess(predicate, transform, ref, apply);
    case 'gt':
    case 'gt-eq':
      return transform.kind === 'bucket' ? undefined : projectGreater(predicate, ref, apply);
    case 'starts-with':
    case 'not-starts-with':
      return transform.kind === 'truncate'
        ? projectPrefix(predicate.op, predicate.prefix, transform.width, ref)
        : undefined;
    default:
      return undefined;
  }
}

function oneOf(ref: BoundReference, values: readonly PrimitiveValue[]): BoundExpression {
  const [first] = values;
  if (first !== undefined && values.length === 1) return { op: 'eq', ref, literal: first };
  return { op: 'in', ref, literals: values };
}

type Comparison = Extract<BoundPredicate, { readonly literal: PrimitiveValue }>;

/** For whole numbers, x < v means x <= v - 1, which may lie in the partition before that of v. */
function projectLess(
  predicate: Comparison,
  transform: Transform,
  ref: BoundReference,
  apply: (value: PrimitiveValue) => PrimitiveValue,
): BoundExpression {
  const { type } = predicate.ref;
  const largest = predicate.op === 'lt' ? neighbour(type, predicate.literal, -1) : predicate.literal;
  const bound = apply(largest);
  const literal = isTimeUnit(transform, type) && typeof bound === 'number' && bound < 0 ? bound + 1 : bound;
  const below: BoundExpression = { op: 'lt-eq', ref, literal };
  const wrapped = wrappedTruncation(transform, type);
  return wrapped === undefined ? below : or(below, { op: 'gt', ref, literal: wrapped });
}

function projectGreater(
  predicate: Comparison,
  ref: BoundReference,
  apply: (value: PrimitiveValue) => PrimitiveValue,
): BoundExpression | undefined {
  const { type } = predicate.ref;
  const smallest = predicate.op === 'gt' ? neighbour(type, predicate.literal, 1) : predicate.literal;
  const literal = apply(smallest);
  const wraps = (type.kind === 'int' || type.kind === 'long') && literal > smallest;
  return wraps ? undefined : { op: 'gt-eq', ref, literal };
}

const RANGES: ReadonlyMap<string, readonly [number | bigint, number | bigint]> = new Map<
  string,
  readonly [number | bigint, number | bigint]
>([
  ['int', [-(2 ** 31), 2 ** 31 - 1]],
  ['date', [-(2 ** 31), 2 ** 31 - 1]],
  ...['long', 'time', 'timestamp', 'timestamptz', 'timestamp_ns', 'timestamptz_ns'].map(
    (kind) => [kind, [-(2n ** 63n), 2n ** 63n - 1n]] as const,
  ),
]);

/** The value before or after, for types of whole numbers; else (and at the end of the range) the value itself, which is safe. */
function neighbour(type: IcebergType, value: PrimitiveValue, step: 1 | -1): PrimitiveValue {
  const [min, max] = RANGES.get(type.kind) ?? [];
  if (value === min || value === max) return value;
  if (typeof value === 'number' && min !== undefined) return value + step;
  if (typeof value === 'bigint') return value + BigInt(step);
  return value;
}

/**
 * Truncating the lowest ints and longs leaves the range and comes back as one of the highest values (in every implementation,
 * since the result has the source's type). Results above this one may stand for them.
 */
function wrappedTruncation(transform: Transform, type: IcebergType): PrimitiveValue | undefined {
  if (transform.kind !== 'truncate') return undefined;
  if (type.kind === 'int') return 2 ** 31 - 1 - transform.width;
  if (type.kind === 'long') return 2n ** 63n - 1n - BigInt(transform.width);
  return undefined;
}

function isTimeUnit(transform: Transform, type: IcebergType): boolean {
  if (transform.kind === 'day') return type.kind !== 'date';
  return transform.kind === 'year' || transform.kind === 'month' || transform.kind === 'hour';
}

/** Early writers rounded times before 1970 up instead of down, so their partition may be one later. */
function lenient(
  transform: Transform,
  type: IcebergType,
  values: readonly PrimitiveValue[],
): readonly PrimitiveValue[] {
  if (!isTimeUnit(transform, type)) return [...new Set(values)];
  return [
    ...new Set(values.flatMap((value) => (typeof value === 'number' && value < 0 ? [value, value + 1] : [value]))),
  ];
}

function projectPrefix(
  op: 'starts-with' | 'not-starts-with',
  prefix: string,
  width: number,
  ref: BoundReference,
): BoundExpression | undefined {
  const codePoints = [...prefix];
  if (codePoints.length < width) return { op, ref, prefix };
  const literal = codePoints.slice(0, width).join('');
  if (op === 'starts-with') return { op: 'eq', ref, literal };
  return codePoints.length === width ? { op: 'not-eq', ref, literal } : undefined;
}
