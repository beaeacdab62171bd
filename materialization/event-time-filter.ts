/** An interval of event times as a filter: on rows and on files. */
import {
  type BoundExpression,
  type DataFile,
  deserializeValue,
  type PrimitiveType,
  type Schema,
} from '../iceberg/index.js';
import type { Interval } from './interval.js';

/** The event time column of a source table. */
export interface EventTimeColumn {
  readonly fieldId: number;
  readonly type: PrimitiveType;
}

/** The column of an id. @throws TypeError if the schema has no such column (the view was resolved against it) */
export function eventTimeColumn(schema: Schema, fieldId: number): EventTimeColumn {
  const field = schema.fields.find((candidate) => candidate.id === fieldId);
  if (field === undefined) throw new TypeError(`The source has no column with id ${fieldId}`);
  return { fieldId, type: field.type as PrimitiveType };
}

/** A filter for planning and for rows; undefined: everything is in the interval. Null event times are in none. */
export function eventTimeFilter(
  column: EventTimeColumn,
  name: string,
  interval: Interval,
): BoundExpression | undefined {
  const ref = { fieldId: column.fieldId, path: name, type: column.type, required: false, nested: false };
  const units = unitsPerMicro(column.type);
  const { startUs, endUs } = interval;
  const children: BoundExpression[] = [
    ...(startUs === null ? [] : [{ op: 'gt-eq', ref, literal: startUs * units } as const]),
    ...(endUs === null ? [] : [{ op: 'lt', ref, literal: endUs * units } as const]),
  ];
  return children.length === 0 ? undefined : { op: 'and', children };
}

/** Whether a file may hold rows in the interval, by its bounds; one without bounds may. */
export function mayHoldEventTimes(file: DataFile, column: EventTimeColumn, interval: Interval): boolean {
  const units = unitsPerMicro(column.type);
  const lower = bound(file.lowerBounds, column);
  const upper = bound(file.upperBounds, column);
  if (upper !== null && interval.startUs !== null && upper < interval.startUs * units) return false;
  return !(lower !== null && interval.endUs !== null && lower >= interval.endUs * units);
}

/** Microseconds, both included, rounded outwards; null: the file does not say. */
export function eventTimeBounds(
  file: DataFile,
  column: EventTimeColumn,
): { readonly lowerUs: bigint | null; readonly upperUs: bigint | null } {
  const units = unitsPerMicro(column.type);
  const lower = bound(file.lowerBounds, column);
  const upper = bound(file.upperBounds, column);
  return {
    lowerUs: lower === null ? null : floorDivide(lower, units),
    upperUs: upper === null ? null : floorDivide(upper, units),
  };
}

const floorDivide = (value: bigint, by: bigint): bigint => (value - (((value % by) + by) % by)) / by;

function bound(bounds: ReadonlyMap<number, Uint8Array> | undefined, column: EventTimeColumn): bigint | null {
  const bytes = bounds?.get(column.fieldId);
  return bytes === undefined ? null : (deserializeValue(column.type, bytes) as bigint);
}

function unitsPerMicro(type: PrimitiveType): bigint {
  return type.kind === 'timestamp_ns' || type.kind === 'timestamptz_ns' ? 1000n : 1n;
}
