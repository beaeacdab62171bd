/** The order of values that bounds and filters use. Source: Apache Iceberg specification, "Scan Planning" and Appendix D. */
import { MoraineError } from '../../errors/index.js';
import { typeToString } from '../schema/schema-json.js';
import type { IcebergType, PrimitiveValue } from '../schema/types.js';

/**
 * Compares two non-null values of a type: below zero, zero or above zero.
 * NaN equals itself and is above every number, as in SQL; -0 equals 0; text is ordered by code points (as its UTF-8 bytes are),
 * uuids, fixed and binary by unsigned bytes; false is below true.
 */
export function compareValues(type: IcebergType, a: PrimitiveValue, b: PrimitiveValue): number {
  switch (type.kind) {
    case 'float':
    case 'double':
      return compareFloats(a as number, b as number);
    case 'string':
      return compareText(a as string, b as string);
    case 'fixed':
    case 'binary':
      return compareBytes(a as Uint8Array, b as Uint8Array);
    case 'struct':
    case 'list':
    case 'map':
    case 'unknown':
    case 'unsupported':
      throw new MoraineError('TYPE_MISMATCH', `Values of type ${typeToString(type)} have no order.`);
    default:
      // Canonical uuids are lower-case hexadecimal digits: their text is in the order of their bytes.
      return a < b ? -1 : a > b ? 1 : 0;
  }
}

function compareFloats(a: number, b: number): number {
  if (Number.isNaN(a)) return Number.isNaN(b) ? 0 : 1;
  if (Number.isNaN(b)) return -1;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Compares text by code points, which is the order of its UTF-8 bytes; JavaScript's own order is that of UTF-16 units. */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left !== right) return rankOfUnit(left) - rankOfUnit(right);
  }
  return a.length - b.length;
}

/** Surrogates stand for code points above all others, so they go above U+E000 to U+FFFF. */
function rankOfUnit(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

/** Compares byte strings, unsigned. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}
