import { sumFromHex, sumToHex } from '../engine/index.js';
import { MoraineError } from '../errors/index.js';
import { datasetDeps, type Project } from '../project/index.js';
import {
  commitTrainingSet,
  discardTrainingSet,
  parseTrainingSetRequest,
  pinTrainingSet,
  planTrainingSet,
  reduceTrainingPart,
  stageTrainingShard,
} from '../training/index.js';
import type { Activities, CommitTrainingSetInput } from './contract.js';
import { RunningPieces } from './running-pieces.js';
import { Slots } from './slots.js';
import { asActivity } from './step.js';

type TrainingActivities = Pick<
  Activities,
  | 'planTrainingSet'
  | 'pinTrainingSet'
  | 'reduceTrainingPart'
  | 'stageTrainingShard'
  | 'commitTrainingSet'
  | 'discardTrainingSet'
>;

/** The activities of `trainingSet`. */
export function createTrainingActivities(project: Project): TrainingActivities {
  // A part or a shard plans with all of the engine's memory and works on every core: several in one process only compete.
  const pieces = new Slots(1);
  const running = new RunningPieces();
  return {
    planTrainingSet: ({ request }) =>
      asActivity(async ({ signal }) => {
        const parsed = parseTrainingSetRequest(request);
        const spread = project.config.worker.shards;
        const planned = await planTrainingSet(await datasetDeps(project), parsed, { signal, spread });
        const { parts, smallParts, ...rest } = planned;
        const sizes = smallParts === null ? {} : smallParts.length === 0 ? { partsAlike: true } : { smallParts };
        const read = parts === 0 ? {} : { parts, ...sizes };
        return { ...rest, ...read, table: parsed.to, entityRows: String(planned.entityRows) };
      }),

    pinTrainingSet: ({ planLocation }) =>
      asActivity(async () => pinTrainingSet(await datasetDeps(project), planLocation)),

    reduceTrainingPart: ({ planLocation, part, again }) =>
      asActivity((step) =>
        running.run(`part ${part} of ${planLocation}`, again, () =>
          pieces.run(step.signal, async () => {
            const reduced = await reduceTrainingPart(await datasetDeps(project), planLocation, part, step);
            return { ...reduced, rows: String(reduced.rows), bytes: String(reduced.bytes) };
          }),
        ),
      ),

    stageTrainingShard: ({ planLocation, shard, reduced, again }) =>
      asActivity((step) =>
        running.run(`shard ${shard} of ${planLocation}`, again, () =>
          pieces.run(step.signal, async () => {
            const deps = await datasetDeps(project);
            const staged = await stageTrainingShard(deps, planLocation, shard, { ...step, reduced });
            const { manifestLocation, rows, sum, files, bytes } = staged;
            return { manifestLocation, rows: String(rows), sum: sumToHex(sum), files, bytes: String(bytes) };
          }),
        ),
      ),

    commitTrainingSet: ({ planLocation, shards: staged, reduced }) =>
      asActivity(async () => {
        const { name, rows, digest, location } = await commitTrainingSet(
          await datasetDeps(project),
          planLocation,
          staged.map(shardFromJson),
          reduced,
        );
        if ('file' in location) throw new MoraineError('INTERNAL', 'A training set was saved as a file.');
        return { name, table: location.table, snapshotId: String(location.snapshotId), rows: String(rows), digest };
      }),

    discardTrainingSet: ({ planLocation }) =>
      asActivity(async () => discardTrainingSet(await datasetDeps(project), planLocation)),
  };
}

function shardFromJson({ manifestLocation, rows, sum }: CommitTrainingSetInput['shards'][number]) {
  return { manifestLocation, rows: BigInt(rows), sum: sumFromHex(sum) };
}
