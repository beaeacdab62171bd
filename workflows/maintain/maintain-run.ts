import { continueAsNew } from '@temporalio/workflow';
import type { MaintainRequest, MaintainResult, MaintainRunInput } from '../../activities/maintain-contract.js';
import { requireHandedOver } from '../own-input.js';
import { RequestQueue } from '../request-queue.js';
import { turns } from '../turns.js';
import { maintenance } from './maintain-policies.js';
import {
  countsKnown,
  filesDeleted,
  type MaintainReport,
  maintainReport,
  maintainResult,
  orphansSwept,
  planMade,
  planNumbers,
  requestBegan,
  snapshotsExpired,
} from './maintain-report.js';

/**
 * The maintenance of one table; there is one at a time of each, its workflow id names the table. Requests are done in the order in
 * which they came, equal ones at once. Every step may be killed: repeated, it goes on, and what it cannot know any more is left to the
 * next sweep.
 */
export async function maintainRun(input: MaintainRunInput): Promise<MaintainResult> {
  requireHandedOver('maintain', input, 'table');
  const report = maintainReport(input);
  const { table, left } = input;
  const queue = new RequestQueue<MaintainRequest, MaintainResult>('maintain', 'maintenance', table, left);
  return queue.workOff(
    (request) => onePass(request, report),
    (next) => continueAsNew<typeof maintainRun>({ ...input, left: next }),
  );
}

/** Expire, sweep, tidy. */
async function onePass(request: MaintainRequest, report: MaintainReport): Promise<MaintainResult> {
  const { table } = request;
  report.show(requestBegan);
  if (request.dryRun === true) {
    const summary = `Count what would go of ${table}`;
    report.show(countsKnown(await maintenance.planMaintain.executeWithOptions({ summary }, [request])));
    return report.done(maintainResult(table, true));
  }
  const plan = await maintenance.planExpiry.executeWithOptions(
    { summary: 'Plan: which snapshots have had their time' },
    [request],
  );
  if (plan.planLocation !== null) {
    const input = { table, planLocation: plan.planLocation };
    report.save(planMade(plan), planNumbers(plan));
    const summary = `Expire: ${plan.snapshots} snapshots out of the metadata`;
    report.show(snapshotsExpired(await maintenance.commitExpiry.executeWithOptions({ summary }, [input])));
    const step = { summary: 'Delete: files that only they reached' };
    report.save(filesDeleted(await maintenance.deleteExpiredFiles.executeWithOptions(step, [input])));
  }
  await sweepAll(request, report);
  const tidied = await maintenance.tidyManifests.executeWithOptions({ summary: 'Tidy: dangling deletes, manifests' }, [
    { table },
  ]);
  report.show(countsKnown(tidied));
  return report.done(maintainResult(table, false));
}

async function sweepAll(request: MaintainRequest, report: MaintainReport): Promise<void> {
  let after: string | undefined;
  for (const _ of turns()) {
    report.begin('sweeping');
    const input = after === undefined ? { request } : { request, after };
    const swept = await maintenance.sweepOrphans.executeWithOptions({ summary: 'Sweep: files that nothing reaches' }, [
      input,
    ]);
    report.show(orphansSwept(swept));
    if (swept.next === null) return;
    after = swept.next;
  }
}
