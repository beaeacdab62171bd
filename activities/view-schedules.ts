import type { Client } from '@temporalio/client';
import { projectOfId } from '../features/index.js';
import type { RunPlace } from './start-run.js';

/**
 * Schedules of a project that materialize or backfill a view, by id. One that cannot be described is left out: it is about to be deleted.
 * One whose id has no project was made by an earlier version or a person: its task queue says whose it is.
 */
export async function schedulesOfView(
  client: Client,
  view: string,
  { project, taskQueue }: RunPlace,
): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const { scheduleId } of client.schedule.list()) {
    const owner = projectOfId(scheduleId);
    if (owner !== null && owner !== project) continue;
    const description = await client.schedule
      .getHandle(scheduleId)
      .describe()
      .catch(() => null);
    if (description === null || !namesView(description.action.args, view)) continue;
    if (owner !== null || description.action.taskQueue === taskQueue) ids.push(scheduleId);
  }
  return ids.sort();
}

function namesView(args: readonly unknown[] | undefined, view: string): boolean {
  const input = args?.[0];
  return input !== null && typeof input === 'object' && 'view' in input && input.view === view;
}
