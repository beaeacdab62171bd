/** Runs of a table that are cancelled while somebody else has asked for more: each is told. Activities are scripted. */

import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { CancelledFailure, WorkflowFailedError } from '@temporalio/client';
import { expect, test } from 'vitest';
import type { AllActivities } from '../../activities/index.js';
import { plannedCompaction, rewrittenGroup } from '../support/scripted-upkeep.js';
import { testClient, testSettings, testWorker } from '../support/temporal.js';
import { cancelled, scripted } from '../support/way.js';

/** A step of a run that ends when another request waits in the run's queue. */
async function askForMore(workflow: string, input: object): Promise<void> {
  const { client, info } = Context.current();
  const { workflowId, runId } = info.workflowExecution ?? { workflowId: '' };
  const { taskQueue } = info;
  const id = `second/${workflowId}`;
  await client.workflow.start(workflow, {
    workflowId: id,
    taskQueue,
    args: [input],
    workflowIdConflictPolicy: 'USE_EXISTING',
  });
  const requests = async (): Promise<number> => {
    const { events } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    return (events ?? []).filter((event) => event.workflowExecutionSignaledEventAttributes != null).length;
  };
  while ((await requests()) < 2) await setTimeout(50);
}

/** How it ended for the first who asked, for the second, and for the run. */
async function outcomes(
  workflow: 'compact' | 'maintain',
  input: { readonly table: string; readonly strategy?: string },
  activities: AllActivities,
) {
  const settings = testSettings();
  // Who is not told waits for ever: nobody looks at the run itself.
  const all: AllActivities = { ...activities, compactOutcome: async () => null, maintainOutcome: async () => null };
  await testWorker(settings, all);
  const { client } = await testClient(settings);
  const { table } = input;
  const { taskQueue } = settings;
  const first = await client.workflow.start(workflow, { workflowId: `first/${table}`, taskQueue, args: [input] });
  const told = await failureOf(first.result());
  const run = client.workflow.getHandle(`${workflow}/${table}`);
  const second = client.workflow.getHandle(`second/${run.workflowId}`);
  const asked = [told, await failureOf(second.result())];
  return { asked, run: await failureOf(run.result()) };
}

async function failureOf(result: Promise<unknown>): Promise<unknown> {
  const error: unknown = await result.catch((failure: unknown) => failure);
  return error instanceof WorkflowFailedError ? error.cause : error;
}

const CANCELLED = { type: 'CANCELLED', message: 'the run was cancelled' };

// 1,000 groups fill a history, 100 are committed together.
test.each([
  ['in its first step', { rewrite: 0 }, 0, 1],
  ['in the last commit of a history', { commit: 999 }, 1000, 1],
  ['in the history that goes on', { rewrite: 1050 }, 1000, 2],
] as const)(
  'a compaction, cancelled %s',
  async (_, at: { rewrite?: number; commit?: number }, committed, histories) => {
    const table = `demo.${randomUUID().slice(0, 8)}`;
    const runs = new Set<string>();
    const done = { plans: 0, committed: 0, ended: 0 };
    const activities: AllActivities = {
      ...scripted({
        compact: {
          plan: async () => {
            done.plans += 1;
            await askForMore('compact', { table, strategy: 'sort', columns: ['v'] });
            return { ...plannedCompaction(1100), groupsPerCommit: 100 };
          },
          rewrite: async (group) => {
            runs.add(Context.current().info.workflowExecution?.runId ?? '');
            return group === at.rewrite ? cancelled(rewrittenGroup(group)) : rewrittenGroup(group);
          },
          commit: async (groups) => {
            done.committed += groups.length;
            const answer = { committed: groups, conflicts: [], snapshotId: '41' };
            return groups.includes(at.commit ?? -1) ? cancelled(answer) : answer;
          },
        },
      }),
      endCompaction: async () => {
        done.ended += 1;
      },
    };
    const ended = await outcomes('compact', { table, strategy: 'binpack' }, activities);
    expect(ended.asked).toMatchObject([CANCELLED, CANCELLED]);
    expect(ended.run).toBeInstanceOf(CancelledFailure);
    expect(done).toEqual({ plans: 1, committed, ended: 1 });
    expect(runs.size).toBe(histories);
  },
);

test('maintenance, cancelled in a sweep', async () => {
  const table = `demo.${randomUUID().slice(0, 8)}`;
  let sweeps = 0;
  const activities = scripted({
    maintain: {
      sweep: async () => {
        sweeps += 1;
        await askForMore('maintain', { table, dryRun: true });
        return cancelled({ deletedFiles: 1, deletedBytes: '100', next: 'data/m' });
      },
    },
  });
  const ended = await outcomes('maintain', { table }, activities);
  expect(ended.asked).toMatchObject([CANCELLED, CANCELLED]);
  expect(ended.run).toBeInstanceOf(CancelledFailure);
  expect(sweeps).toBe(1);
});
