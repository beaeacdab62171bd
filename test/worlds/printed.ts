/** Values as `arrow_values.py` prints them. */
import type { IcebergType } from '../../iceberg/index.js';
import type { PlainValue } from './values.js';

export function printed(value: PlainValue, type: IcebergType): unknown {
  if (value === null || typeof value === 'boolean') return value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (type.kind === 'list') return (value as PlainValue[]).map((item) => printed(item, type.element));
  if (type.kind === 'map') {
    return (value as PlainValue[][]).map(([key = null, item = null]) => [
      printed(key, type.key),
      printed(item, type.value),
    ]);
  }
  if (type.kind === 'struct') {
    return type.fields.map((field, index) => printed((value as PlainValue[])[index] ?? null, field.type));
  }
  if (type.kind === 'float' || type.kind === 'double') return printedDouble(value as number);
  return type.kind === 'uuid' ? (value as string).replaceAll('-', '') : String(value);
}

function printedDouble(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return bytes.toString('hex');
}
