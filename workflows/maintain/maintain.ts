import type { MaintainInput, MaintainResult } from '../../activities/maintain-contract.js';
import { awaitRun } from '../await-run.js';
import { ownInput } from '../own-input.js';
import { maintainRequests } from './maintain-policies.js';

/**
 * The entry for people and schedules, under any workflow id: has the one maintenance run of the table do what is asked, after what it
 * may be doing, and waits for it. Cancelling this workflow stops the waiting only; to stop the work, cancel the run, which the details name.
 *
 * The input is one JSON object, for example `{"table": "shop.orders"}` or
 * `{"table": "shop.orders", "olderThan": "7d", "retainLast": 10, "dryRun": true}`.
 */
export async function maintain(input: MaintainInput): Promise<MaintainResult> {
  return awaitRun({
    request: (replyTo) => maintainRequests.requestMaintain({ request: ownInput(input), replyTo }),
    look: (run) => maintainRequests.maintainOutcome(run),
  });
}
