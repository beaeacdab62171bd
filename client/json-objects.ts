/** Objects of a program as records of a sink. */
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
 * JSON records are, by the same reasons: one with NaN, an infinity or a `Date` of no time is `MALFORMED_JSON`. Columns of floating-point numbers take the texts `"NaN"` and `"Infinity"`.
 */
export function jsonObjects(
  objects: readonly { readonly [name: string]: RecordValue }[],
  { from, partition, ...mapping }: JsonObjectsOptions = {},
): SinkRecords {
  const source = partition ?? 'objects';
  const records = objects.map((object, index) => ({
    offset: (from ?? 0n) + BigInt(index),
    value: Buffer.from(jsonOf(object)),
  }));
  const lines = recordLines(records, source, source);
  return jsonRecords(from === undefined ? { ...lines, partition: undefined } : lines, mapping);
}

/**
 * The JSON of a value. What has none, such as NaN and a `Date` of no time, is written as JavaScript shows it: no parser takes that, so its record is bad, and no other.
 */
function jsonOf(value: RecordValue): string {
  if (value === undefined || value === null) return 'null';
  if (Array.isArray(value)) return `[${Array.from(value as readonly RecordValue[], jsonOf).join(',')}]`;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? String(value) : JSON.stringify(value);
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'number':
      return Object.is(value, -0) ? '-0.0' : String(value);
    case 'object': {
      const fields = Object.entries(value).filter(([, each]) => each !== undefined);
      return `{${fields.map(([name, each]) => `${JSON.stringify(name)}:${jsonOf(each)}`).join(',')}}`;
    }
    default:
      return String(value);
  }
}
