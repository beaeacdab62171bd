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
  materializedOutput,
  retrievalCauses,
  retrievalCost,
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
