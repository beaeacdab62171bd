/** The demo's second half: months of history as a backfill, compaction, and what maintenance would do. */
import { planMaintain } from '../client/index.js';
import { parseTimeUs } from '../config/index.js';
import type { OnlineResponse } from '../online/index.js';
import type { Project } from '../project/index.js';
import {
  type BackfillProgress,
  type LocalRun,
  startBackfill,
  startCompact,
  waitForBackfill,
  waitForCompact,
} from '../workers/index.js';
import { readAirports } from './steps.js';

/** The view that is backfilled; it has no ttl. */
export const HISTORY_VIEW = 'airport_history';
const ONLINE_TABLE = `moraine_online.${HISTORY_VIEW}`;

/** 26 weeks that hold all of the data. */
const HISTORY = { start: '2001-01-01', end: '2001-07-02', stepDays: 7n };
const DAY_US = 86_400_000_000n;

/** Backfills the view week by week, as a workflow. */
export async function backfillHistory(local: LocalRun, onProgress: (progress: BackfillProgress) => void) {
  const run = await startBackfill(local, local.settings, {
    view: HISTORY_VIEW,
    startUs: String(parseTimeUs(HISTORY.start, 'start')),
    endUs: String(parseTimeUs(HISTORY.end, 'end')),
    stepUs: String(HISTORY.stepDays * DAY_US),
    newestFirst: true,
    concurrency: 2,
  });
  return waitForBackfill(local.client, run, { onProgress });
}

/** Keeps the newest row of each airport, as a workflow. */
export async function compactHistory(local: LocalRun) {
  const asked = await startCompact(local, local.settings, { table: ONLINE_TABLE, strategy: 'latest' });
  return waitForCompact(local.client, asked, ONLINE_TABLE);
}

/** Reads the view's values of airports as of a time in microseconds. */
export function readHistory(project: Project, airports: readonly string[], nowUs: bigint): Promise<OnlineResponse> {
  return readAirports(project, { view: HISTORY_VIEW }, airports, nowUs);
}

/** The effect of maintenance on the view's online table: how many files it would keep, and remove, for which reason. */
export async function dryRunMaintenance(project: Project) {
  const { snapshotIds, kept, fileOwner, files } = await planMaintain(project, { table: ONLINE_TABLE });
  const reasons = new Map<string, number>();
  for await (const { action, reason } of files) {
    // Reasons name snapshots; what matters here is the kind.
    const kind = `${action}: ${reason.replace(/\d{3,}/g, 'N')}`;
    reasons.set(kind, (reasons.get(kind) ?? 0) + 1);
  }
  return { expired: snapshotIds.length, kept: kept.size, fileOwner, reasons };
}
