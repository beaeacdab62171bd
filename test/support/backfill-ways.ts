import { Context } from '@temporalio/activity';
import type { BackfillRunInput } from '../../activities/backfill-contract.js';
import { failureOf } from './scripted-activities.js';
import {
  type BackfillSteps,
  committedWindows,
  plannedBackfill,
  singleWindows,
  stagedWindow,
} from './scripted-backfill.js';
import { cancelled, failingOnce, scripted, type Way } from './way.js';

export function backfillWays(): readonly Way[] {
  const range = { start: '1970-01-01', end: '1970-01-05', step: '1d' };
  const way = (name: string, steps: BackfillSteps, outcome = 'completed'): Way => ({
    workflow: 'backfill',
    name,
    input: (view) => ({ view, ...range }),
    runId: (view) => `backfill/${view}/1970-01-01T00:00:00.000Z..1970-01-05T00:00:00.000Z/1d`,
    activities: scripted({ backfill: { segments: singleWindows(4), ...steps } }),
    outcome,
  });
  const dayUs = 86_400_000_000n;
  const isFirst = ({ startUs }: { readonly startUs: string }): boolean => startUs === '0';
  return [
    way('four-windows', {}),
    way('alone', { stage: async (window) => (isFirst(window) ? { kind: 'alone' } : stagedWindow(window)) }),
    way('covered', { stage: async () => ({ kind: 'nothing' }) }),
    way('conflict', { commit: failingOnce('COMMIT_CONFLICT', committedWindows) }),
    way(
      'failed',
      {
        stage: async (window) => {
          if (isFirst(window)) throw failureOf('DATA_FILE_CORRUPT', true);
          return stagedWindow(window);
        },
      },
      'RUN_FAILED',
    ),
    way('spoken-to', {
      stage: async (window) => {
        const { workflowId } = Context.current().info.workflowExecution ?? { workflowId: '' };
        const run = Context.current().client.workflow.getHandle(workflowId);
        if (isFirst(window)) {
          await run.signal('pause');
          await run.executeUpdate('changeConcurrency', { args: [4] });
          await run.signal('resume');
        }
        return stagedWindow(window);
      },
    }),
    {
      workflow: 'backfill',
      name: 'training-set',
      input: (name) => ({ trainingSet: trainingSetOf(name), ...range }),
      runId: (name) => `backfill/training-set:${name}/1970-01-01T00:00:00.000Z..1970-01-05T00:00:00.000Z/1d`,
      activities: scripted({ backfill: { segments: singleWindows(4) } }),
      outcome: 'completed',
    },
    way('cancelled', { stage: (window) => cancelled(stagedWindow(window)) }, 'CANCELLED'),
    {
      workflow: 'backfillRun',
      name: 'goes-on',
      input: (view) => carriedBackfill(view, 4n * dayUs, dayUs),
      activities: scripted({ backfill: { segments: singleWindows(4) } }),
      outcome: 'completed',
    },
  ];
}

const trainingSetOf = (name: string) => ({
  ...{ name, to: `sets.${name}`, features: ['stats'], entities: { table: 'shop.labels' } },
});

/** In its second execution, after two of four windows. */
function carriedBackfill(view: string, endUs: bigint, stepUs: bigint): BackfillRunInput {
  return {
    view,
    startUs: '0',
    endUs: String(endUs),
    stepUs: String(stepUs),
    newestFirst: false,
    concurrency: 2,
    searchAttributes: true,
    carried: {
      planned: plannedBackfill(singleWindows(4)),
      cursor: 2,
      isPaused: false,
      waiting: [],
      progress: {
        step: 'running',
        concurrency: 2,
        windowsTotal: 4,
        windowsDone: 2,
        windowsFailed: 0,
        rowsWritten: '20',
        filesWritten: 2,
        bytesWritten: '2000',
        commits: 1,
        snapshotId: '30',
        failed: [],
      },
    },
  };
}
