/** Facts about a column over many rows, and whether any of them might match. */

import type { IcebergType, PrimitiveValue } from '../schema/types.js';
import { deserializeValue } from '../values/single-value.js';
import { type UuidBounds, uuidBoundsOfAnyOrder } from '../values/uuid-bounds.js';
import { compareValues } from '../values/value-order.js';
import type { BoundExpression, BoundPredicate, BoundReference } from './expression.js';

/** Facts that are certain; what is not known is false or absent. */
export interface ColumnFacts {
  readonly allNull: boolean;
  readonly noNulls: boolean;
  /** No value that is not null is a number. */
  readonly allNan: boolean;
  readonly noNan: boolean;
  /** No number is below this; it may itself not occur (truncated bounds). */
  readonly lower?: PrimitiveValue;
  /** No number is above this. */
  readonly upper?: PrimitiveValue;
}

/** Whether a row might match, given facts about each column. False only if it is certain that none does. */
export function mightMatchFacts(expression: BoundExpression, factsOf: (ref: BoundReference) => ColumnFacts): boolean {
  switch (expression.op) {
    case 'true':
      return true;
    case 'false':
      return false;
    case 'and':
      return expression.children.every((child) => mightMatchFacts(child, factsOf));
    case 'or':
      return expression.children.some((child) => mightMatchFacts(child, factsOf));
    default:
      return predicateMightMatch(expression, factsOf(expression.ref));
  }
}

function predicateMightMatch(predicate: BoundPredicate, facts: ColumnFacts): boolean {
  if (predicate.op === 'is-null') return !facts.noNulls;
  if (facts.allNull) return false;
  const { type } = predicate.ref;
  switch (predicate.op) {
    case 'not-null':
    case 'not-eq':
    case 'not-in':
      return true;
    case 'is-nan':
      return !facts.noNan;
    case 'not-nan':
      return !facts.allNan;
    case 'starts-with':
      return prefixMightMatch(type, facts, predicate.prefix);
    case 'not-starts-with':
      return !(startsWith(facts.lower, predicate.prefix) && startsWith(facts.upper, predicate.prefix));
    case 'in':
      return predicate.literals.some((literal) => equalMightMatch(type, facts, literal));
    case 'eq':
      return equalMightMatch(type, facts, predicate.literal);
    case 'lt':
    case 'lt-eq':
      return lessMightMatch(predicate.op, type, facts, predicate.literal);
    case 'gt':
    case 'gt-eq':
      return greaterMightMatch(predicate.op, type, facts, predicate.literal);
  }
}

function equalMightMatch(type: IcebergType, facts: ColumnFacts, literal: PrimitiveValue): boolean {
  if (Number.isNaN(literal)) return !facts.noNan;
  if (facts.allNan) return false;
  if (facts.lower !== undefined && compareValues(type, literal, facts.lower) < 0) return false;
  return facts.upper === undefined || compareValues(type, literal, facts.upper) <= 0;
}

function lessMightMatch(op: 'lt' | 'lt-eq', type: IcebergType, facts: ColumnFacts, literal: PrimitiveValue): boolean {
  if (Number.isNaN(literal)) return op === 'lt-eq' || !facts.allNan;
  if (facts.allNan) return false;
  if (facts.lower === undefined) return true;
  const order = compareValues(type, facts.lower, literal);
  return op === 'lt' ? order < 0 : order <= 0;
}

/** NaN is above every number, so only a file known to hold none can be judged by its upper bound. */
function greaterMightMatch(
  op: 'gt' | 'gt-eq',
  type: IcebergType,
  facts: ColumnFacts,
  literal: PrimitiveValue,
): boolean {
  if (Number.isNaN(literal)) return op === 'gt-eq' && !facts.noNan;
  if (!facts.noNan || facts.upper === undefined) return true;
  const order = compareValues(type, facts.upper, literal);
  return op === 'gt' ? order > 0 : order >= 0;
}

function prefixMightMatch(type: IcebergType, { lower, upper }: ColumnFacts, prefix: string): boolean {
  if (upper !== undefined && compareValues(type, upper, prefix) < 0) return false;
  return lower === undefined || compareValues(type, lower, prefix) <= 0 || startsWith(lower, prefix);
}

function startsWith(value: PrimitiveValue | undefined, prefix: string): boolean {
  return typeof value === 'string' && value.startsWith(prefix);
}

const BOUNDED_KINDS: ReadonlySet<string> = new Set(['struct', 'list', 'map', 'unknown', 'unsupported']);

/** Whether values of the type can be NaN. */
export function hasNan(type: IcebergType): boolean {
  return type.kind === 'float' || type.kind === 'double';
}

/**
 * Bounds from their binary form. A bound that cannot be read (of another type, cut within a character) or is NaN counts as absent:
 * it would not be safe to judge by.
 */
export function readBounds(
  type: IcebergType,
  lower: Uint8Array | undefined,
  upper: Uint8Array | undefined,
): Pick<ColumnFacts, 'lower' | 'upper'> {
  if (BOUNDED_KINDS.has(type.kind)) return {};
  const lowerValue = readBound(type, lower);
  const upperValue = readBound(type, upper);
  // Writers that put NaN into bounds have mixed it up with the numbers.
  if (Number.isNaN(lowerValue) || Number.isNaN(upperValue)) return {};
  const bounds = {
    ...(lowerValue === undefined ? {} : { lower: lowerValue }),
    ...(upperValue === undefined ? {} : { upper: upperValue }),
  };
  return type.kind === 'uuid' ? uuidBoundsOfAnyOrder(bounds as UuidBounds) : bounds;
}

function readBound(type: IcebergType, bytes: Uint8Array | undefined): PrimitiveValue | undefined {
  if (bytes === undefined) return undefined;
  try {
    return deserializeValue(type, bytes);
  } catch {
    return undefined;
  }
}
