import type { CompactInput, CompactResult } from '../../activities/compact-contract.js';
import { awaitRun } from '../await-run.js';
import { forwardSignals } from '../forward-signals.js';
import { ownInput } from '../own-input.js';
import { retryCommit } from '../signals.js';
import { compactRequests } from './compact-policies.js';

/**
 * The entry for people and schedules, under any workflow id: has the one compaction run of the table do what is asked, after what it
 * may be doing, and waits for it. Cancelling this workflow stops the waiting only; to stop the work, cancel the run, which the details name.
 *
 * The input is one JSON object, for example `{"table": "shop.orders", "strategy": "binpack"}` or
 * `{"table": "shop.orders", "strategy": "sort", "columns": ["customer", "ordered_at"], "zOrder": true}`.
 */
export async function compact(input: CompactInput): Promise<CompactResult> {
  return awaitRun({
    accept: (run) => forwardSignals(run, [retryCommit]),
    request: (replyTo) => compactRequests.requestCompact({ request: ownInput(input), replyTo }),
    look: (run) => compactRequests.compactOutcome(run),
  });
}
