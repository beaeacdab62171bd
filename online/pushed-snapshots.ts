/** Snapshots of source tables whose rows clients pushed. */
import type { Snapshot } from '../iceberg/index.js';

/** Property of the summary of pushes that write online tables, too. */
export const PUSHED_ONLINE = 'moraine.pushed-online';

/** Whether online tables may have the rows before any run has read them. */
export function isPushedOnline({ summary }: Snapshot): boolean {
  return summary.get(PUSHED_ONLINE) === 'true';
}
