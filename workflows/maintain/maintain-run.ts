import { continueAsNew } from '@temporalio/workflow';
import type { MaintainRequest, MaintainResult, MaintainRunInput } from '../../activities/maintain-contract.js';
import { requireHandedOver } from '../own-input.js';
import { RequestQueue } from '../request-queue.js';
import { turns } from '../turns.js';
import { maintenance } from './maintain-policies.js';
import { MaintainReport } from './maintain-report.js';

/**
 * The maintenance of one table; there is one at a time of each, its workflow id names the table. Requests are done in the order in
 * which they came, equal ones at once. Every step may be killed: repeated, it goes on, and what it cannot know any more is left to the
 * next sweep.
 */
export async function maintainRun(input: MaintainRunInput): Promise<MaintainResult> {
  requireHandedOver('maintain', input, 'table');
  const report = new MaintainReport(input);
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
  report.begin();
  if (request.dryRun === true) {
    const summary = `Count what would go of ${table}`;
    return report.counted(await maintenance.planMaintain.executeWithOptions({ summary }, [request]));
  }
  const plan = await maintenance.planExpiry.executeWithOptions(
    { summary: 'Plan: which snapshots have had their time' },
    [request],
  );
  if (plan.planLocation !== null) {
    const input = { table, planLocation: plan.planLocation };
    report.expiring(plan);
    const summary = `Expire: ${plan.snapshots} snapshots out of the metadata`;
    report.expired(await maintenance.commitExpiry.executeWithOptions({ summary }, [input]));
    const step = { summary: 'Delete: files that only they reached' };
    report.deleted(await maintenance.deleteExpiredFiles.executeWithOptions(step, [input]));
  }
  await sweepAll(request, report);
  const tidied = await maintenance.tidyManifests.executeWithOptions({ summary: 'Tidy: dangling deletes, manifests' }, [
    { table },
  ]);
  return report.done(tidied);
}

async function sweepAll(request: MaintainRequest, report: MaintainReport): Promise<void> {
  let after: string | undefined;
  for (const _ of turns()) {
    report.sweeping();
    const input = after === undefined ? { request } : { request, after };
    const swept = await maintenance.sweepOrphans.executeWithOptions({ summary: 'Sweep: files that nothing reaches' }, [
      input,
    ]);
    report.swept(swept);
    if (swept.next === null) return;
    after = swept.next;
  }
}
