import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';

/** A backfill waits so long for other runs before each of its commits, and no longer: it has to come to an end as well. */
const LONGEST_YIELD_MS = 60_000;
const POLL_MS = 1_000;

/**
 * Waits while materializations of the view are in flight: what a backfill commits now, one that rebuilds buckets would have to
 * start over for.
 */
export async function yieldToRuns(client: Client, view: string, signal: AbortSignal): Promise<void> {
  const giveUpAtMs = Date.now() + LONGEST_YIELD_MS;
  while (Date.now() < giveUpAtMs && (await hasRunInFlight(client, view))) {
    await sleep(POLL_MS, undefined, { signal });
  }
}

async function hasRunInFlight(client: Client, view: string): Promise<boolean> {
  const query = `WorkflowType = 'materializeRun' AND ExecutionStatus = 'Running'`;
  for await (const { workflowId } of client.workflow.list({ query })) {
    if (workflowId.startsWith(`materialize/${view}/`)) return true;
  }
  return false;
}
