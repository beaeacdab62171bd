/** Activities for tests of the workflows alone: each answers what the test says, in order. */

import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { BackfillActivities } from '../../activities/backfill-contract.js';
import type {
  Activities,
  CommittedRun,
  CommittedTrainingSet,
  ExtractedShard,
  PlannedRun,
  PlannedTrainingSet,
  ReducedPart,
  StagedTrainingShard,
} from '../../activities/contract.js';
import { parseMaterializeRequest, startRun } from '../../activities/index.js';
import type { IngestActivities } from '../../activities/ingest-contract.js';
import { outcomeIfEnded } from '../../activities/start-run.js';
import { toFailure } from '../../activities/step.js';
import { type BackfillSteps, scriptedBackfill } from './scripted-backfill.js';

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
  readonly backfill?: BackfillSteps;
  readonly plan?: () => Promise<PlannedRun>;
  readonly reduce?: (part: number) => Promise<ReducedPart>;
  readonly discardReduced?: (reduced: readonly string[]) => Promise<void>;
  readonly extract?: (shard: number) => Promise<ExtractedShard>;
  readonly commit?: (manifests: readonly string[]) => Promise<CommittedRun>;
  readonly planTraining?: () => Promise<PlannedTrainingSet>;
  readonly pinTraining?: () => Promise<void>;
  readonly reduceTraining?: (part: number) => Promise<ReducedPart>;
  readonly stageTraining?: (shard: number) => Promise<StagedTrainingShard>;
  readonly commitTraining?: (sums: readonly string[]) => Promise<CommittedTrainingSet>;
  readonly discardTraining?: () => Promise<void>;
  readonly ingest?: IngestActivities['writeRecords'];
}): Activities & BackfillActivities & IngestActivities {
  return {
    ...scriptedBackfill(steps.backfill),
    requestRun: async ({ request, scheduledTime, replyTo }) => {
      const { client, info } = Context.current();
      try {
        const parsed = parseMaterializeRequest(request, scheduledTime);
        return await startRun(client, parsed, {
          ...{ taskQueue: info.taskQueue, project: null },
          ...{ searchAttributes: true, replyTo },
        });
      } catch (error) {
        throw toFailure(error);
      }
    },
    runOutcome: (run) => outcomeIfEnded(Context.current().client, run),
    planMaterialization: () => steps.plan?.() ?? Promise.resolve(plannedRun(1)),
    reducePart: ({ part }) => steps.reduce?.(part) ?? Promise.resolve(reducedPart(part)),
    discardReduced: ({ reduced }) => steps.discardReduced?.(reduced) ?? Promise.resolve(),
    extractShard: ({ shard }) => steps.extract?.(shard) ?? Promise.resolve(extractedShard(shard)),
    commitMaterialization: ({ manifestLocations }) =>
      steps.commit?.(manifestLocations) ?? Promise.resolve({ snapshotId: '11', outcome: 'committed' as const }),
    planTrainingSet: () => steps.planTraining?.() ?? Promise.resolve(plannedTrainingSet(1)),
    pinTrainingSet: () => steps.pinTraining?.() ?? Promise.resolve(),
    reduceTrainingPart: ({ part }) => steps.reduceTraining?.(part) ?? Promise.resolve(reducedPart(part)),
    stageTrainingShard: ({ shard }) => steps.stageTraining?.(shard) ?? Promise.resolve(stagedShard(shard)),
    commitTrainingSet: ({ shards }) =>
      steps.commitTraining?.(shards.map(({ sum }) => sum)) ?? Promise.resolve(COMMITTED_TRAINING_SET),
    discardTrainingSet: () => steps.discardTraining?.() ?? Promise.resolve(),
    writeRecords: (input) => steps.ingest?.(input) ?? Promise.resolve({ rows: '0', commits: 0, rejected: {} }),
  };
}

/** A plan of a training set of `shards` shards. */
export function plannedTrainingSet(shards: number, more: Partial<PlannedTrainingSet> = {}): PlannedTrainingSet {
  return { planLocation: '/plans/2.json', shards, entityRows: '30', sources: ['demo.source'], pin: false, ...more };
}

/** A shard whose sum is its number. */
export function stagedShard(shard: number): StagedTrainingShard {
  const sum = String(shard).padStart(64, '0');
  return { manifestLocation: `/manifests/${shard}.avro`, rows: '10', sum, files: 1, bytes: '1000' };
}

export const COMMITTED_TRAINING_SET: CommittedTrainingSet = {
  name: 'set',
  table: 'demo.set',
  snapshotId: '21',
  rows: '30',
  digest: 'd',
};

export function extractedShard(shard: number): ExtractedShard {
  return { manifestLocation: `/manifests/${shard}.avro`, rows: '10', files: 2, bytes: '1000' };
}

export function reducedPart(part: number): ReducedPart {
  return { reducedLocation: `/plans/1-reduced-${part}.json`, rows: '20', files: 2, bytes: '2000' };
}

/** A failure as the activities report it. */
export function failureOf(code: string, nonRetryable = false): ApplicationFailure {
  return ApplicationFailure.create({ type: code, message: `${code} happened`, nonRetryable });
}
