/** Status of one value of an online read. Pure. */
import type { FeatureValue } from './feature-value.js';

/** `OUTSIDE_MAX_AGE`: the newest row is strictly older than the view's ttl. */
export type OnlineStatus = 'PRESENT' | 'NULL_VALUE' | 'NOT_FOUND' | 'OUTSIDE_MAX_AGE';

export interface OnlineValue<Value extends FeatureValue = FeatureValue> {
  readonly status: OnlineStatus;
  /** Null unless present, or outside the maximum age and asked for. */
  readonly value: Value | null;
  /** Event time of the row it is from, in microseconds; null when there is none. */
  readonly eventTimestampUs: bigint | null;
}

/** When a read happens and what it accepts. */
export interface ReadMoment {
  readonly nowUs: bigint;
  /** Null or zero: rows stay valid for ever. */
  readonly ttlUs: bigint | null;
  readonly includeExpired: boolean;
}

export const NOT_FOUND: OnlineValue = { status: 'NOT_FOUND', value: null, eventTimestampUs: null };

/** The answer for one feature of an entity's newest row. */
export function onlineValue(value: FeatureValue, eventTimestampUs: bigint, moment: ReadMoment): OnlineValue {
  if (isExpired(eventTimestampUs, moment)) {
    return { status: 'OUTSIDE_MAX_AGE', value: moment.includeExpired ? value : null, eventTimestampUs };
  }
  return { status: value === null ? 'NULL_VALUE' : 'PRESENT', value, eventTimestampUs };
}

/** Whether a row of this event time is strictly older than the ttl. */
export function isExpired(eventTimestampUs: bigint, { nowUs, ttlUs }: ReadMoment): boolean {
  return ttlUs !== null && ttlUs > 0n && eventTimestampUs < nowUs - ttlUs;
}
