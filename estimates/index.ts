/** What runs cost: facts from metadata, and a model of measured costs. */
export { type Coefficients, MATERIALIZATION, MEASURED_ROWS, RETRIEVAL } from './coefficients.js';
export type { JoinedViewFacts, MaterializationFacts, RetrievalFacts } from './facts.js';
export type { FileReads } from './file-reads.js';
export { type KnownEntities, materializationFacts, type OutlinedMaterialization } from './materialization-facts.js';
export {
  type Causes,
  type Cost,
  materializationCauses,
  materializationCost,
  materializationReads,
  materializedOutput,
  type RunReads,
  retrievalCauses,
  retrievalCost,
  retrievalReads,
  retrievedOutput,
} from './model.js';
export {
  datasetFacts,
  type ExpectedEntities,
  entitiesOfCount,
  entitiesOfTable,
  type OutlinedRetrieval,
  retrievalFacts,
} from './retrieval-facts.js';
export { sumOfStaged } from './staged-rows.js';
export { type TrinoCost, trinoCost } from './trino-cost.js';
