/**
 * The order of values: null below everything, NaN above every number, -0 below 0, text by code point. Lists, structs and maps go by
 * their elements; in them null is above everything, as PostgreSQL and DuckDB have it.
 */
import type { PlainValue } from './values.js';

/** Negative: `a` is smaller. Both are of one type. */
export function compareValue(a: PlainValue, b: PlainValue): number {
  if (a === null || b === null) return (a === null ? 0 : 1) - (b === null ? 0 : 1);
  if (typeof a === 'number' && typeof b === 'number') return compareNumbers(a, b);
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b));
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  if (Array.isArray(a) && Array.isArray(b)) return compareElements(a as PlainValue[], b as PlainValue[], compareInside);
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The order of tuples of values. */
export const compareTuples = (a: readonly PlainValue[], b: readonly PlainValue[]): number =>
  compareElements(a, b, compareValue);

function compareInside(a: PlainValue, b: PlainValue): number {
  if (a === null || b === null) return (a === null ? 1 : 0) - (b === null ? 1 : 0);
  return compareValue(a, b);
}

/** Element by element, the first difference decides; of two where one begins with the other, the longer is larger. */
function compareElements(
  a: readonly PlainValue[],
  b: readonly PlainValue[],
  compare: (a: PlainValue, b: PlainValue) => number,
): number {
  for (let index = 0; index < Math.min(a.length, b.length); index++) {
    const order = compare(a[index] ?? null, b[index] ?? null);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

function compareNumbers(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return (Number.isNaN(a) ? 1 : 0) - (Number.isNaN(b) ? 1 : 0);
  if (a !== b) return a < b ? -1 : 1;
  return (Object.is(a, -0) ? 0 : 1) - (Object.is(b, -0) ? 0 : 1);
}
