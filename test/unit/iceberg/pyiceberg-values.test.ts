import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  applyTransform,
  canTransform,
  formatDecimal,
  type IcebergType,
  type PrimitiveValue,
  parseTransform,
  parseType,
  serializeValue,
} from '../../../iceberg/index.js';

/** Random values with their binary form and the results of each transform that applies, as PyIceberg computes them. */
type Row = Readonly<Record<string, string>> & { readonly type: string; readonly value: string; readonly bin: string };

const FIXTURE = new URL('../../fixtures/iceberg/pyiceberg-values.json', import.meta.url);
const rows = JSON.parse(readFileSync(FIXTURE, 'utf8')) as readonly Row[];
const TRANSFORMS = ['bucket[16]', 'truncate[7]', 'year', 'month', 'day', 'hour'];

function valueOf(type: IcebergType, text: string): PrimitiveValue {
  if (type.kind === 'int' || type.kind === 'date') return Number(text);
  if (type.kind === 'string') return text;
  return type.kind === 'binary' ? new Uint8Array(Buffer.from(text, 'hex')) : BigInt(text);
}

function textOf(type: IcebergType, value: PrimitiveValue | null): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  return type.kind === 'decimal' && typeof value === 'bigint' ? formatDecimal(value, type.scale) : String(value);
}

describe('values and transforms agree with PyIceberg', () => {
  it.each(rows)('$type $value', (row) => {
    const type = parseType(row.type);
    const value = valueOf(type, row.value);
    expect(Buffer.from(serializeValue(type, value)).toString('hex')).toBe(row.bin);
    for (const text of TRANSFORMS) {
      const transform = parseTransform(text);
      expect(canTransform(transform, type), text).toBe(text in row);
      if (text in row) expect(textOf(type, applyTransform(transform, type, value)), text).toBe(row[text]);
    }
  });
});
