/** `compactRun` over more groups than a history holds, with groups in conflict and one that fails: activities are scripted. */

import { randomUUID } from 'node:crypto';
import { type WorkflowExecutionStatusName, WorkflowFailedError } from '@temporalio/client';
import { expect, test } from 'vitest';
import { startCompactRun } from '../../activities/compact-activities.js';
import type {
  CompactActivities,
  CompactProgress,
  CompactResult,
  CompactRunInput,
  CompactState,
} from '../../activities/compact-contract.js';
import type { AllActivities } from '../../activities/index.js';
import { failureOf } from '../support/scripted-activities.js';
import { plannedCompaction, rewrittenGroup } from '../support/scripted-upkeep.js';
import { testClient, testSettings, testWorker } from '../support/temporal.js';
import { scripted } from '../support/way.js';

type CompactRun = (input: CompactRunInput) => Promise<CompactResult>;
type Plan = Parameters<CompactActivities['planCompaction']>[0];

const GROUPS = 1100;
const GROUPS_PER_COMMIT = 100;

/** Runs a compaction whose first plan has groups in conflict, and one that cannot be read. */
async function run(conflicts: readonly number[], broken: number) {
  const settings = testSettings();
  const table = `demo.${randomUUID().slice(0, 8)}`;
  const plans: Pick<Plan, 'again'>[] = [];
  const rewritten: number[] = [];
  const committed: number[] = [];
  let ended = 0;
  const compact: Partial<CompactActivities> = {
    planCompaction: async ({ again }) => {
      plans.push(again === undefined ? {} : { again });
      const groups = again === undefined ? GROUPS : again.groups.length;
      return { ...plannedCompaction(groups), groupsPerCommit: GROUPS_PER_COMMIT };
    },
    commitCompaction: async ({ groups }) => {
      const isFirst = plans.length === 1;
      const numbers = groups.map(({ group }) => group);
      const lost = isFirst ? numbers.filter((group) => conflicts.includes(group)) : [];
      const won = numbers.filter((group) => !lost.includes(group));
      committed.push(...won);
      return { committed: won, conflicts: lost, snapshotId: String(committed.length) };
    },
    endCompaction: async () => {
      ended += 1;
    },
  };
  const rewrite: CompactActivities['rewriteGroup'] = async ({ group }) => {
    if (plans.length === 1 && group === broken) throw failureOf('DATA_FILE_CORRUPT', true);
    rewritten.push(group);
    return rewrittenGroup(group);
  };
  const activities: AllActivities = { ...scripted({}), ...compact, rewriteGroup: rewrite };
  await testWorker(settings, activities);
  const { client } = await testClient(settings);
  const request = { table, strategy: 'binpack' } as const;
  const { workflowId, runId } = await startCompactRun(client, settings, true, { request });
  const outcome = await client.workflow
    .getHandle<CompactRun>(workflowId)
    .result()
    .catch((error: unknown) => error);
  const first: WorkflowExecutionStatusName = (await client.workflow.getHandle(workflowId, runId).describe()).status
    .name;
  const last = await client.workflow.getHandle<CompactRun>(workflowId).describe();
  return { outcome, plans, rewritten, committed, ended, first, last };
}

const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);
const sorted = (some: readonly number[]): readonly number[] => some.toSorted((a, b) => a - b);

test('goes on in a new history: conflicts of the first are planned again in the second, a failure is reported at its end', async () => {
  const { outcome, plans, rewritten, committed, ended, first, last } = await run([3, 777, 1050], 42);
  expect(first).toBe('CONTINUED_AS_NEW');
  expect(plans).toEqual([{}, { again: { planLocation: '/plans/4.json', groups: [3, 777, 1050] } }]);
  // Each once but the broken one; what was in conflict once more, under its number in the second plan.
  const readable = numbers(GROUPS).filter((group) => group !== 42);
  expect(sorted(rewritten)).toEqual(sorted([...readable, 0, 1, 2]));
  expect(sorted(committed)).toEqual(sorted([...readable.filter((group) => ![3, 777, 1050].includes(group)), 0, 1, 2]));
  expect(last.memo).toMatchObject({
    progress: { passes: 2, filesRemoved: 5 * (GROUPS - 1), filesAdded: GROUPS - 1 } satisfies Partial<CompactProgress>,
  });
  if (!(outcome instanceof WorkflowFailedError)) throw new Error('it did not fail');
  expect(outcome.cause).toMatchObject({ type: 'DATA_FILE_CORRUPT', message: 'DATA_FILE_CORRUPT happened' });
  expect(ended).toBe(1);
});

test('the failure of an earlier request is told at the end, in whichever history that is', async () => {
  const settings = testSettings();
  const table = `demo.${randomUUID().slice(0, 8)}`;
  const plan = { ...plannedCompaction(GROUPS), groupsPerCommit: GROUPS_PER_COMMIT };
  const rewriteGroup: CompactActivities['rewriteGroup'] = async ({ planLocation, group }) => {
    if (planLocation === '/plans/damaged.json') throw failureOf('DATA_FILE_CORRUPT', true);
    return rewrittenGroup(group);
  };
  const activities: AllActivities = { ...scripted({ compact: { plan: async () => plan } }), rewriteGroup };
  await testWorker(settings, activities);
  const { client } = await testClient(settings);
  const counts = { groups: 0, filesRemoved: 0, filesAdded: 0, rows: '0', bytesRemoved: '0', bytesAdded: '0' };
  const goesOn: CompactState = {
    asked: [{ request: { table, strategy: 'sort' } }],
    waiting: [{ request: { table, strategy: 'binpack' } }],
    plan: { ...plannedCompaction(1), planLocation: '/plans/damaged.json' },
    ...{ runId: 'run', passes: 1, nextGroup: 0, conflicts: [], counts: { ...counts, skipped: [], snapshotId: null } },
  };
  const handle = await client.workflow.start<CompactRun>('compactRun', {
    ...{ workflowId: `compact/${table}`, taskQueue: settings.taskQueue },
    args: [{ table, searchAttributes: true, goesOn }],
  });
  await expect(handle.result()).rejects.toMatchObject({ cause: { type: 'DATA_FILE_CORRUPT' } });
  const { status } = await client.workflow.getHandle(handle.workflowId, handle.firstExecutionRunId).describe();
  expect(status.name).toBe('CONTINUED_AS_NEW');
  const { memo } = await client.workflow.getHandle(handle.workflowId).describe();
  expect(memo).toMatchObject({ progress: { step: 'done', filesRemoved: 5 * GROUPS } });
});
