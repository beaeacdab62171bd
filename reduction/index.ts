/** Rows that may win, found by an engine that may run elsewhere, and staged. */

export type { TrinoProgress } from '../catalogs/index.js';
export {
  type AskedEngine,
  type ChosenEngine,
  chooseEngine,
  ENGINE_TYPES,
  type EngineChoice,
  type EngineType,
  isForTrino,
} from './engine-choice.js';
export type { ReduceContext, WorkAttempt } from './reduce-context.js';
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
export {
  type ReducedTable,
  TrinoEngine,
  type TrinoSettings,
} from './trino/trino-engine.js';
