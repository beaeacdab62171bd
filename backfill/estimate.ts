/** How long a backfill will take, from what earlier ones of the view took: their commits say so in the snapshot summaries. */
import { counted } from '../errors/index.js';
import type { TableMetadata } from '../iceberg/index.js';
import type { BackfillPlan, PlannedWindow } from './plan.js';

/** @param online null: there is no online table yet */
export function estimateSeconds(
  online: TableMetadata | null,
  windows: readonly PlannedWindow[],
): BackfillPlan['estimate'] {
  const past = { commits: 0, rows: 0, workMs: 0 };
  for (const { summary } of online?.snapshots ?? []) {
    const rows = Number(summary.get('moraine.read-rows') ?? '0');
    const workMs = Number(summary.get('moraine.work-ms') ?? '0');
    if (!(rows > 0 && workMs > 0)) continue;
    past.commits += 1;
    past.rows += rows;
    past.workMs += workMs;
  }
  if (past.commits === 0) return { seconds: null, basis: 'unknown: no earlier backfill of the view' };
  const rows = windows.reduce((sum, window) => sum + window.rows, 0);
  const seconds = Math.ceil(((past.workMs / past.rows) * rows) / 1000);
  const basis = `${counted(past.commits, 'earlier commit')} of backfills of the view, ${past.rows} rows in ${past.workMs} ms`;
  return { seconds, basis };
}
