/** The parts of a feature view as text for people. */
import { countText } from '../../errors/index.js';
import { type FeatureView, formatDurationMs } from '../../features/index.js';

/** A view without a list of features has every column of its source table that is neither key nor timestamp. */
export function featureCountText({ features }: FeatureView): string {
  return features === undefined ? 'all' : countText(features.length);
}

export function ttlText({ ttlMs }: FeatureView): string {
  return ttlMs === null ? '-' : formatDurationMs(ttlMs);
}

export function onlineText({ online }: FeatureView): string {
  return online ? 'yes' : 'no';
}

/** When the view is materialized by itself. */
export function scheduleText({ schedule }: FeatureView): string {
  return schedule === undefined ? '-' : `every ${formatDurationMs(schedule.everyMs)}`;
}
