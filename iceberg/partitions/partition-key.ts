/** Comparing files' partitions. */

import type { PrimitiveValue } from '../schema/types.js';
import type { PartitionTuple } from './partition-spec.js';

/** A text that two files share exactly when they have the same spec and the same partition values; null equals null, NaN equals NaN. */
export function partitionKey(specId: number, tuple: PartitionTuple): string {
  return JSON.stringify([specId, ...tuple.map(valueKey)]);
}

function valueKey(value: PrimitiveValue | null): string {
  if (value instanceof Uint8Array) return `x${Buffer.from(value).toString('hex')}`;
  // A partition column that became wider has the same values, as bigint.
  if (typeof value === 'bigint') return `number${value}`;
  return `${typeof value}${Object.is(value, -0) ? '-0' : String(value)}`;
}
