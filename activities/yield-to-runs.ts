import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { projectOfId } from '../features/index.js';

/** A backfill waits so long for other runs before each of its commits, and no longer: it has to come to an end as well. */
const LONGEST_YIELD_MS = 60_000;
const POLL_MS = 1_000;

/** A view of one of the projects that share a namespace. */
export interface ViewOfProject {
  readonly view: string;
  readonly project: string;
}

/**
 * Waits while materializations of the view are in flight: what a backfill commits now, one that rebuilds buckets would have to
 * start over for.
 */
export async function yieldToRuns(client: Client, viewOf: ViewOfProject, signal: AbortSignal): Promise<void> {
  const giveUpAtMs = Date.now() + LONGEST_YIELD_MS;
  while (Date.now() < giveUpAtMs && (await hasRunInFlight(client, viewOf))) {
    await sleep(POLL_MS, undefined, { signal });
  }
}

async function hasRunInFlight(client: Client, { view, project }: ViewOfProject): Promise<boolean> {
  const query = `WorkflowType = 'materializeRun' AND ExecutionStatus = 'Running'`;
  for await (const { workflowId } of client.workflow.list({ query })) {
    if (!workflowId.startsWith(`materialize/${view}/`)) continue;
    // One without a project was started by an earlier version.
    if ((projectOfId(workflowId) ?? project) === project) return true;
  }
  return false;
}
