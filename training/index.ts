/** Training sets whose entity rows are retrieved in shards: plan, stage, commit. */
export type { AsOfJson } from './as-of-json.js';
export { commitTrainingSet } from './commit-training-set.js';
export type { TrainingDeps } from './deps.js';
export { discardTrainingSet } from './discard-training-set.js';
export { pinEntities } from './entity-reference.js';
export { rowsOfShard, shardsOfEntityRows } from './entity-shards.js';
export { TRAINING_FAULT_POINTS, type TrainingFaultPoint } from './fault-points.js';
export { type DraftRecord, draftFromJson, stagedTable } from './plan.js';
export { type OutlinedEntities, reductionOf } from './plan-reduction.js';
export { checkTrainingSet, draftTrainingSet, pinTrainingSet, planTrainingSet } from './plan-training-set.js';
export { reduceTrainingPart } from './reduce-part.js';
export { type StagedRows, stageRows } from './stage-rows.js';
export { stageTrainingShard } from './stage-shard.js';
export { deleteStagedEntities, stageEntities } from './staged-entities.js';
export {
  type EntityReference,
  parseTrainingSetRequest,
  type TrainingSetRequest,
  trainingSetRequestToJson,
} from './training-set-request.js';
