/** Lists, structs and maps as plain values: comparing, copying and measuring them. Pure. */
import type { PlainValue } from '../../engine/index.js';

/** Whether two values are the same; a NaN is itself, and the zeros differ. */
export function sameValue(left: PlainValue, right: PlainValue): boolean {
  if (Array.isArray(left) && Array.isArray(right)) {
    return (
      left.length === right.length &&
      left.every((item, index) => sameValue(item as PlainValue, right[index] as PlainValue))
    );
  }
  if (left instanceof Map && right instanceof Map) return sameValue([...left], [...right]);
  if (left instanceof Uint8Array && right instanceof Uint8Array) return Buffer.compare(left, right) === 0;
  return Object.is(left, right);
}

/** Bytes of objects of V8 with pointers of 8 bytes, from heap snapshots: an array, an entry of a map, a typed array, a number or text. */
const ARRAY_BYTES = 48;
const ENTRY_BYTES = 64;
const BINARY_BYTES = 200;
const SCALAR_BYTES = 24;

/** Bytes of memory that a value takes beside the place that refers to it. */
export function measureValue(value: PlainValue): number {
  if (Array.isArray(value)) {
    return (value as readonly PlainValue[]).reduce((sum: number, item) => sum + 8 + measureValue(item), ARRAY_BYTES);
  }
  if (value instanceof Map) {
    const items = [...(value as ReadonlyMap<string, PlainValue>).values()];
    return items.reduce((sum: number, item) => sum + ENTRY_BYTES + measureValue(item), 2 * ARRAY_BYTES);
  }
  if (value instanceof Uint8Array) return BINARY_BYTES + value.length;
  return typeof value === 'string' ? SCALAR_BYTES + 2 * value.length : SCALAR_BYTES;
}

/** A copy that shares nothing with the value. */
export function copyOf(value: PlainValue): PlainValue {
  if (Array.isArray(value)) return (value as readonly PlainValue[]).map(copyOf);
  if (value instanceof Map) {
    return new Map([...(value as ReadonlyMap<string, PlainValue>)].map(([name, item]) => [name, copyOf(item)]));
  }
  return value instanceof Uint8Array ? Buffer.from(value) : value;
}
