/** Objects of a program as records of a sink. */
import { type JsonValue, stringifyJson } from '../iceberg/index.js';
import { jsonRecords, type RecordMapping, recordLines, type SinkRecords } from '../sink/index.js';

/** A value of a record: as JSON, and points in time. */
export type RecordValue =
  | null
  | undefined
  | boolean
  | number
  | bigint
  | string
  | Date
  | readonly RecordValue[]
  | { readonly [name: string]: RecordValue };

/** Where objects come from. */
export interface JsonObjectsOptions extends RecordMapping {
  /** Position of the first; each of the others is one further. Without it rejected records have none. */
  readonly from?: bigint;
  /** The partition of the source that they are of. */
  readonly partition?: string;
}

/**
 * Objects as records for `writeBatch`: fields become columns by their names or by `fields`, 64-bit integers may be `bigint`, points in time `Date`. A field that is `undefined` is not there. They are judged as
 * JSON records are, by the same reasons.
 */
export function jsonObjects(
  objects: readonly { readonly [name: string]: RecordValue }[],
  { from, partition, ...mapping }: JsonObjectsOptions = {},
): SinkRecords {
  const source = partition ?? 'objects';
  const records = objects.map((object, index) => ({
    offset: (from ?? 0n) + BigInt(index),
    value: Buffer.from(stringifyJson(jsonOf(object))),
  }));
  const lines = recordLines(records, source, source);
  return jsonRecords(from === undefined ? { ...lines, partition: undefined } : lines, mapping);
}

function jsonOf(value: RecordValue): JsonValue {
  if (value === undefined) return null;
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return (value as readonly RecordValue[]).map(jsonOf);
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).filter(([, each]) => each !== undefined);
  return Object.fromEntries(fields.map(([name, each]) => [name, jsonOf(each)]));
}
