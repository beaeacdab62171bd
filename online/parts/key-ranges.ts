/** Ranges of keys that cut a large bucket into parts. Ordered as the engine orders them. Pure. */
import { sqlLiteral } from '../../engine/index.js';
import type { PrimitiveType, PrimitiveValue } from '../../iceberg/index.js';

/** Consecutive ranges that cover every key. */
export class KeyRanges {
  readonly #type: PrimitiveType;
  /** Ascending; each begins a range. The first range begins before all keys. */
  readonly #bounds: readonly PrimitiveValue[];

  constructor(type: PrimitiveType, bounds: readonly PrimitiveValue[]) {
    this.#type = type;
    this.#bounds = bounds;
  }

  get count(): number {
    return this.#bounds.length + 1;
  }

  /** The number of the range that a key is in. */
  rangeOf(value: PrimitiveValue): number {
    let [low, high] = [0, this.#bounds.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareKeys(this.#bounds[middle] as PrimitiveValue, value) <= 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** A condition on the key's column that holds in a range. */
  conditionOf(range: number, column: string): string {
    const bound = (place: number): string => sqlLiteral(this.#type, this.#bounds[place] as PrimitiveValue);
    const from = range === 0 ? [] : [`${column} >= ${bound(range - 1)}`];
    const to = range === this.#bounds.length ? [] : [`${column} < ${bound(range)}`];
    return from.length + to.length === 0 ? 'true' : `(${[...from, ...to].join(' AND ')})`;
  }

  /** These ranges, cut at further keys. */
  cutAt(keys: readonly PrimitiveValue[]): KeyRanges {
    const bounds = [...this.#bounds, ...keys].sort(compareKeys);
    const isNew = (bound: PrimitiveValue, place: number): boolean =>
      place === 0 || compareKeys(bounds[place - 1] as PrimitiveValue, bound) !== 0;
    return new KeyRanges(this.#type, bounds.filter(isNew));
  }

  /** The first key of a range; undefined for the first range. */
  startOf(range: number): PrimitiveValue | undefined {
    return this.#bounds[range - 1];
  }
}

/** The engine's order: numbers by size, texts by their UTF-8, bytes and uuids by their bytes. */
export function compareKeys(left: PrimitiveValue, right: PrimitiveValue): number {
  if (typeof left === 'string' && typeof right === 'string')
    return Buffer.compare(Buffer.from(left), Buffer.from(right));
  if (left instanceof Uint8Array && right instanceof Uint8Array) return Buffer.compare(left, right);
  return left < right ? -1 : left > right ? 1 : 0;
}
