/** Columns of Arrow record batches, as parts keep them. Pure. */
import type { Data } from 'apache-arrow';
import type { PlainValue } from '../../engine/index.js';
import type { IcebergType } from '../../iceberg/index.js';
import { type Column, type Numbers, valueAt } from './column.js';
import { measureValue } from './nested-values.js';

/** The column of a record batch. Flat values stay where they are, until {@link gather} copies them. */
export function columnOfArrow(type: IcebergType, data: Data): Column {
  const validity = data.nullCount === 0 ? null : data.nullBitmap;
  switch (type.kind) {
    case 'string':
    case 'binary': {
      const bytes = data.values as Uint8Array;
      return {
        storage: 'bytes',
        data: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
        offsets: data.valueOffsets as Int32Array,
        validity,
      };
    }
    case 'boolean':
      return { storage: 'fixed', values: unpacked(data.values as Uint8Array, data.length), width: 1, validity };
    case 'decimal': {
      const words = data.values as Uint32Array;
      return { storage: 'fixed', values: new BigInt64Array(words.buffer, words.byteOffset), width: 2, validity };
    }
    case 'uuid':
      return { storage: 'fixed', values: data.values as Uint8Array, width: 16, validity };
    case 'fixed':
      return { storage: 'fixed', values: data.values as Uint8Array, width: type.length, validity };
    case 'struct':
    case 'list':
    case 'map':
    case 'unknown':
    case 'unsupported': {
      const values = nestedValues(type, data);
      return { storage: 'plain', values, bytes: values.reduce((sum: number, value) => sum + measureValue(value), 0) };
    }
    default:
      return { storage: 'fixed', values: data.values as Numbers, width: 1, validity };
  }
}

function unpacked(bits: Uint8Array, count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  for (let row = 0; row < count; row += 1) bytes[row] = ((bits[row >> 3] as number) >> (row & 7)) & 1;
  return bytes;
}

/** Every row's value, as the engine's `plainValue` gives it. */
function nestedValues(type: IcebergType, data: Data): readonly PlainValue[] {
  switch (type.kind) {
    case 'list': {
      const items = nestedValues(type.element, data.children[0] as Data);
      return repeated(data, (start, end) => items.slice(start, end));
    }
    case 'map': {
      const [entries] = data.children as [Data];
      const keys = nestedValues(type.key, entries.children[0] as Data);
      const values = nestedValues(type.value, entries.children[1] as Data);
      return repeated(data, (start, end) =>
        keys.slice(start, end).map((key, index) => [key, values[start + index] ?? null]),
      );
    }
    case 'struct': {
      const fields = type.fields.map((field, index) => nestedValues(field.type, data.children[index] as Data));
      return everyRow(
        data,
        (row) => new Map(type.fields.map(({ name }, index) => [name, fields[index]?.[row] ?? null])),
      );
    }
    case 'unknown':
    case 'unsupported':
      return Array.from({ length: data.length }, () => null);
    default: {
      const column = columnOfArrow(type, data);
      return Array.from({ length: data.length }, (_, row) => valueAt(type, column, row));
    }
  }
}

function repeated(data: Data, value: (start: number, end: number) => PlainValue): readonly PlainValue[] {
  const offsets = data.valueOffsets as Int32Array;
  return everyRow(data, (row) => value(offsets[row] as number, offsets[row + 1] as number));
}

function everyRow(data: Data, value: (row: number) => PlainValue): readonly PlainValue[] {
  const bitmap = data.nullCount === 0 ? null : data.nullBitmap;
  const isNull = (row: number): boolean => bitmap !== null && (((bitmap[row >> 3] as number) >> (row & 7)) & 1) === 0;
  return Array.from({ length: data.length }, (_, row) => (isNull(row) ? null : value(row)));
}
