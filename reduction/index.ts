/** Rows that may win, found by an engine that may run elsewhere, and staged. */

export type { TrinoProgress } from '../catalogs/index.js';
export {
  type AskedEngine,
  type ChosenEngine,
  chooseEngine,
  ENGINE_TYPES,
  type EngineChoice,
  type EngineType,
  expectEngine,
  type SizedRead,
} from './engine-choice.js';
export { REDUCTION_FAULT_POINTS, TRINO_FAULT_POINTS } from './fault-point.js';
export { areAlike, MAX_PARTS, partsOf, sizedPartsOf, smallOf } from './parts.js';
export type { ReduceContext, WorkAttempt } from './reduce-context.js';
export {
  columnNamed,
  discardReducedRows,
  listReducedRows,
  openReducedRows,
  type ReducedFile,
  type ReducedRows,
  readReducedLists,
  readReducedRows,
  reducedLocation,
  reducedTableMetadata,
  requireAlike,
  type StagedReduction,
  stageReducedRows,
} from './reduced-rows.js';
export {
  type LatestReduction,
  namedColumns,
  type PointInTimeReduction,
  type ReducedColumn,
  type ReducedColumns,
  type ReducedRead,
  type Reduction,
  type ReductionGroup,
  reducedSchema,
  schemaOf,
} from './reduction.js';
export { countShards, type ShardCount } from './shard-count.js';
export { refusedFormatThree } from './trino/format-three.js';
export {
  type ReducedTable,
  TrinoEngine,
  type TrinoSettings,
} from './trino/trino-engine.js';
