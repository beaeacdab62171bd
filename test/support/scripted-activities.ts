/** Activities for tests of the workflows alone: each answers what the test says, in order. */

import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { Activities, CommittedRun, ExtractedShard, PlannedRun } from '../../activities/contract.js';
import { parseMaterializeRequest, startRun } from '../../activities/index.js';
import { outcomeIfEnded } from '../../activities/start-run.js';
import { toFailure } from '../../activities/step.js';

/** A plan of `shards` shards. */
export function plannedRun(shards: number, changes: Partial<PlannedRun> = {}): PlannedRun {
  return {
    kind: 'incremental',
    reason: 'changes since snapshot 1',
    planLocation: shards === 0 ? null : '/plans/1.json',
    sourceTable: 'demo.source',
    sourceSnapshotId: '7',
    onlineTable: 'moraine_online.view',
    shards,
    sourceFiles: 3,
    sourceRows: '100',
    ...changes,
  };
}

/** The run's steps; asking for runs is the real thing. */
export function scriptedActivities(steps: {
  readonly plan?: () => Promise<PlannedRun>;
  readonly extract?: (shard: number) => Promise<ExtractedShard>;
  readonly commit?: (manifests: readonly string[]) => Promise<CommittedRun>;
}): Activities {
  return {
    requestRun: async ({ request, scheduledTime, replyTo }) => {
      const { client, info } = Context.current();
      try {
        const parsed = parseMaterializeRequest(request, scheduledTime);
        return await startRun(client, parsed, { taskQueue: info.taskQueue, searchAttributes: true, replyTo });
      } catch (error) {
        throw toFailure(error);
      }
    },
    runOutcome: (run) => outcomeIfEnded(Context.current().client, run),
    planMaterialization: () => steps.plan?.() ?? Promise.resolve(plannedRun(1)),
    extractShard: ({ shard }) => steps.extract?.(shard) ?? Promise.resolve(extractedShard(shard)),
    commitMaterialization: ({ manifestLocations }) =>
      steps.commit?.(manifestLocations) ?? Promise.resolve({ snapshotId: '11', outcome: 'committed' as const }),
  };
}

export function extractedShard(shard: number): ExtractedShard {
  return { manifestLocation: `/manifests/${shard}.avro`, rows: '10', files: 2, bytes: '1000' };
}

/** A failure as the activities report it. */
export function failureOf(code: string, nonRetryable = false): ApplicationFailure {
  return ApplicationFailure.create({ type: code, message: `${code} happened`, nonRetryable });
}
