import { defineSignal, setCurrentDetails, setHandler, workflowInfo } from '@temporalio/workflow';
import type { RunOutcome } from '../activities/contract.js';
import type { MaintainInput, MaintainResult } from '../activities/maintain-contract.js';
import { awaitRun } from './await-run.js';
import { maintainRequests } from './maintain-policies.js';

/** From `maintainRun` to those who asked. */
const maintainEnded = defineSignal<[RunOutcome<MaintainResult>]>('runEnded');

/**
 * The entry for people and schedules, under any workflow id: has the one maintenance run of the table do what is asked, after what it
 * may be doing, and waits for it. Cancelling this workflow stops the waiting only; to stop the work, cancel the run, which the details name.
 *
 * The input is one JSON object, for example `{"table": "shop.orders"}` or
 * `{"table": "shop.orders", "olderThan": "7d", "retainLast": 10, "dryRun": true}`.
 */
export async function maintain(input: MaintainInput): Promise<MaintainResult> {
  let told: RunOutcome<MaintainResult> | undefined;
  setHandler(
    maintainEnded,
    (outcome) => {
      told = outcome;
    },
    { description: 'How the run ended; sent by the run.' },
  );
  const run = await maintainRequests.requestMaintain({ request: input ?? null, replyTo: workflowInfo().workflowId });
  setCurrentDetails(`Waiting for the run \`${run.workflowId}\`.`);
  return awaitRun(
    () => told,
    () => maintainRequests.maintainOutcome(run),
  );
}
