/** Snapshots of source tables whose rows clients pushed. */
import type { Snapshot } from '../iceberg/index.js';

/** Property of the summary: the created time of rows that came without one, in microseconds since the epoch. */
export const PUSHED_AT = 'moraine.pushed-at-us';
/** Property of the summary of a push that writes online tables, too. */
export const PUSHED_ONLINE = 'moraine.pushed-online';

/** Whether online tables may have the rows before any run has read them. */
export function isPushedOnline({ summary }: Snapshot): boolean {
  return summary.get(PUSHED_ONLINE) === 'true';
}
