/** Which event times the rows of files may have, by what manifests say. Pure. */
import { deserializeValue, type NestedField } from '../iceberg/index.js';
import type { PlannedFile } from '../tables/index.js';

/** Bounds of event times in microseconds since the epoch, both inclusive. Rows without an event time are in no answer. */
export interface EventTimes {
  readonly earliestUs: bigint;
  readonly latestUs: bigint;
}

export const ANY_TIME: EventTimes = { earliestUs: -(2n ** 63n), latestUs: 2n ** 63n - 1n };

/**
 * The event times that a file's rows may have.
 * @param hour those of its partition
 */
export function eventTimesOf(
  { file }: Pick<PlannedFile, 'file'>,
  { id, type }: NestedField,
  hour: EventTimes = ANY_TIME,
): EventTimes {
  if (type.kind !== 'timestamp' && type.kind !== 'timestamptz') return ANY_TIME;
  const bound = (bytes: Uint8Array | undefined, otherwise: bigint): bigint =>
    bytes?.length === 8 ? (deserializeValue(type, bytes) as bigint) : otherwise;
  const earliestUs = bound(file.lowerBounds?.get(id), hour.earliestUs);
  const latestUs = bound(file.upperBounds?.get(id), hour.latestUs);
  return {
    earliestUs: earliestUs > hour.earliestUs ? earliestUs : hour.earliestUs,
    latestUs: latestUs < hour.latestUs ? latestUs : hour.latestUs,
  };
}

/** The times that are in one or the other. */
export function eitherTimes(a: EventTimes, b: EventTimes): EventTimes {
  return {
    earliestUs: a.earliestUs < b.earliestUs ? a.earliestUs : b.earliestUs,
    latestUs: a.latestUs > b.latestUs ? a.latestUs : b.latestUs,
  };
}

/** The order in which reads walk: from the latest times back. */
export function latestFirst(a: { readonly times: EventTimes }, b: { readonly times: EventTimes }): number {
  return a.times.latestUs > b.times.latestUs ? -1 : a.times.latestUs < b.times.latestUs ? 1 : 0;
}
