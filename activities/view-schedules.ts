import type { Client } from '@temporalio/client';

/** Schedules that materialize or backfill a view, by id. One that cannot be described is left out: it is about to be deleted. */
export async function schedulesOfView(client: Client, view: string): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const { scheduleId } of client.schedule.list()) {
    const description = await client.schedule
      .getHandle(scheduleId)
      .describe()
      .catch(() => null);
    if (description !== null && namesView(description.action.args, view)) ids.push(scheduleId);
  }
  return ids.sort();
}

function namesView(args: readonly unknown[] | undefined, view: string): boolean {
  const input = args?.[0];
  return input !== null && typeof input === 'object' && 'view' in input && input.view === view;
}
