import {
  type FeatureSelection,
  type HistoricalAsOf,
  type HistoricalFeatures,
  getHistoricalFeatures as joinHistoricalFeatures,
} from '../features/index.js';
import { materializationDeps, type Project } from '../project/index.js';
import { type Entities, entitySource } from './entities.js';

/** What to retrieve: features, for which entity rows, at which times. */
export interface HistoricalFeaturesRequest extends FeatureSelection {
  /** Each row has the join keys of the views and `event_timestamp`, or else one timestamp column. */
  readonly entities: Entities;
  /** Name columns `view__feature`. */
  readonly fullFeatureNames?: boolean;
  /** Leave out feature rows that were created after the entity row's time. */
  readonly knownAsOf?: boolean;
  /** Read the source tables as they were, for the answer of that time. */
  readonly asOf?: HistoricalAsOf;
  readonly signal?: AbortSignal;
}

/**
 * Point-in-time features: for each entity row, in its order, the values that were valid at its time.
 *
 * @param use reads the answer while its connection is open
 * @throws `FEATURE_VIEW_NOT_FOUND`, `FEATURE_NOT_FOUND`, `DUPLICATE_NAME`, `COLUMN_NOT_FOUND`, `TYPE_MISMATCH`, `INPUT_UNREADABLE`
 */
export async function withHistoricalFeatures<T>(
  project: Project,
  request: HistoricalFeaturesRequest,
  use: (features: HistoricalFeatures) => Promise<T>,
): Promise<T> {
  const { entities, ...rest } = request;
  return joinHistoricalFeatures(await materializationDeps(project), { ...rest, entities: entitySource(entities) }, use);
}
