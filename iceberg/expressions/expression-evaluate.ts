/** Evaluating bound expressions on values: the meaning that pruning and the engine's SQL must agree with. */

import type { PrimitiveValue } from '../schema/types.js';
import { compareValues } from '../values/value-order.js';
import type { BoundExpression, BoundPredicate } from './expression.js';

/** The value of a field, null when it is null or absent. */
export type ValueOf = (fieldId: number) => PrimitiveValue | null | undefined;

/**
 * Whether a row matches. Null satisfies only `is-null`; NaN equals itself and is above every number; -0 equals 0.
 * @param valueOf the row's value of each field that the expression refers to (of a nested column: any non-null value will do)
 */
export function evaluate(expression: BoundExpression, valueOf: ValueOf): boolean {
  switch (expression.op) {
    case 'true':
      return true;
    case 'false':
      return false;
    case 'and':
      return expression.children.every((child) => evaluate(child, valueOf));
    case 'or':
      return expression.children.some((child) => evaluate(child, valueOf));
    default:
      return evaluatePredicate(expression, valueOf(expression.ref.fieldId) ?? null);
  }
}

function evaluatePredicate(predicate: BoundPredicate, value: PrimitiveValue | null): boolean {
  if (predicate.op === 'is-null') return value === null;
  if (value === null) return false;
  const { type } = predicate.ref;
  switch (predicate.op) {
    case 'not-null':
      return true;
    case 'is-nan':
      return Number.isNaN(value);
    case 'not-nan':
      return !Number.isNaN(value);
    case 'starts-with':
      return (value as string).startsWith(predicate.prefix);
    case 'not-starts-with':
      return !(value as string).startsWith(predicate.prefix);
    case 'in':
      return predicate.literals.some((literal) => compareValues(type, value, literal) === 0);
    case 'not-in':
      return predicate.literals.every((literal) => compareValues(type, value, literal) !== 0);
    case 'eq':
      return compareValues(type, value, predicate.literal) === 0;
    case 'not-eq':
      return compareValues(type, value, predicate.literal) !== 0;
    case 'lt':
      return compareValues(type, value, predicate.literal) < 0;
    case 'lt-eq':
      return compareValues(type, value, predicate.literal) <= 0;
    case 'gt':
      return compareValues(type, value, predicate.literal) > 0;
    case 'gt-eq':
      return compareValues(type, value, predicate.literal) >= 0;
  }
}
