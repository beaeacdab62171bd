import { CancellationScope } from '@temporalio/workflow';
import type {
  PlannedTrainingSet,
  PlanReference,
  StagedTrainingShard,
  TrainingSetInput,
  TrainingSetResult,
} from '../../activities/contract.js';
import { discarding, pinning, staging, trainingCommit, trainingPlanning } from '../activity-policies.js';
import { throwIfCancelled } from '../cancellation.js';
import { ownInput } from '../own-input.js';
import { commitUntilKnown } from '../parked-commit.js';
import { againInput, againText, allShards, OvertakenRuns } from './all-shards.js';
import {
  partReduced,
  planMade,
  setCommitted,
  shardStaged,
  type TrainingSetReport,
  trainingSetReport,
  trainingSetResult,
} from './training-set-report.js';

/**
 * Saves the features of many entity rows as a dataset: pins what is read, reads the sources in parts if there are many shards, retrieves the
 * rows in shards, by the hash of their join keys, and commits them as one table. Cancelled or failed, it takes back what it has made; a commit that has begun is finished first.
 *
 * The input is one JSON object, for example
 * `{"name": "churn_march", "features": ["stats"], "entities": {"table": "shop.labels"}, "to": "shop.churn_march", "shards": 8}`.
 */
export async function trainingSet(input: TrainingSetInput): Promise<TrainingSetResult> {
  const report = trainingSetReport();
  const plan = await trainingPlanning.planTrainingSet({ request: ownInput(input) });
  report.save(planMade(plan));
  const overtaken = new OvertakenRuns();
  const late: string[] = [];
  try {
    const reference = referenceTo(plan);
    if (plan.pin) await pinning.pinTrainingSet(reference);
    const reduced = await reduceAll(plan, report, { overtaken, late });
    const staged = await stageAll(plan, reduced, report, overtaken);
    throwIfCancelled();
    report.begin('committing');
    const shards = staged.map(({ manifestLocation, rows, sum }) => ({ manifestLocation, rows, sum }));
    const committed = await CancellationScope.nonCancellable(() =>
      commitUntilKnown(
        () => trainingCommit.commitTrainingSet({ ...reference, shards, ...listsOf(reduced, late) }),
        report,
      ),
    );
    report.show(setCommitted(committed));
    return report.done(trainingSetResult(committed));
  } catch (error) {
    await CancellationScope.nonCancellable(async () => {
      // What one of them wrote afterwards would stay: its table is not there, so that no sweep comes by.
      await overtaken.haveEnded();
      await discard(plan);
    });
    throw error;
  }
}

/**
 * Reads the sources in parts, if the plan has any. Plans that were made before there were parts have none, so that their histories stay valid.
 * @param late gets the lists that nobody reads
 * @returns the list of each part; undefined: the shards read the sources
 */
async function reduceAll(
  plan: PlannedTrainingSet,
  report: TrainingSetReport,
  { overtaken, late }: { readonly overtaken: OvertakenRuns; readonly late: string[] },
): Promise<readonly (string | null)[] | undefined> {
  const { parts = 0, partsAlike = false, smallParts } = plan;
  const small = new Set(smallParts);
  if (parts === 0) return undefined;
  const reference = referenceTo(plan);
  const lists = await allShards(parts, {
    input: reference,
    step: (part, isAgain) => {
      const summary = `Read: part ${part + 1} of ${parts}${againText(isAgain)}`;
      return staging.reduceTrainingPart.executeWithOptions({ summary }, [
        { ...reference, part, ...againInput(isAgain) },
      ]);
    },
    ended: () => report.show(partReduced),
    late: ({ reducedLocation }) => void (reducedLocation !== null && late.push(reducedLocation)),
    overtaken,
    areAlike: partsAlike || smallParts !== undefined,
    counts: (_, part) => !small.has(part),
  });
  return lists.map(({ reducedLocation }) => reducedLocation);
}

/** The lists that nobody reads after the commit. */
function listsOf(
  reduced: readonly (string | null)[] | undefined,
  late: readonly string[],
): { readonly reduced?: readonly string[] } {
  return reduced === undefined ? {} : { reduced: [...reduced.flatMap((list) => list ?? []), ...late] };
}

function stageAll(
  plan: PlannedTrainingSet,
  reduced: readonly (string | null)[] | undefined,
  report: TrainingSetReport,
  overtaken: OvertakenRuns,
): Promise<StagedTrainingShard[]> {
  const { shards } = plan;
  const input = { ...referenceTo(plan), ...(reduced === undefined ? {} : { reduced }) };
  return allShards(shards, {
    input,
    step: (shard, isAgain) => {
      const summary = `Retrieve: shard ${shard + 1} of ${shards}${againText(isAgain)}`;
      return staging.stageTrainingShard.executeWithOptions({ summary }, [{ ...input, shard, ...againInput(isAgain) }]);
    },
    ended: (staged) => report.show(shardStaged(staged)),
    overtaken,
    counts: ({ rows }) => rows !== '0',
  });
}

/** Files that cannot be taken back stay, listed by no table: the error that led here matters more. */
async function discard(plan: PlannedTrainingSet): Promise<void> {
  await discarding.discardTrainingSet(referenceTo(plan)).catch(() => undefined);
}

function referenceTo({ planLocation, table }: PlannedTrainingSet): PlanReference {
  return { planLocation, ...(table === undefined ? {} : { table }) };
}
