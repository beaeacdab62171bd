import {
  type Explanation,
  explainHistoricalFeatures,
  type FeatureSelection,
  type HistoricalAsOf,
  type HistoricalFeatures,
  type JoinedView,
  getHistoricalFeatures as joinHistoricalFeatures,
  type TableState,
} from '../features/index.js';
import { materializationDeps, type Project } from '../project/index.js';
import type { EngineType, TrinoProgress } from '../reduction/index.js';
import { type Entities, entitySource } from './entities.js';
import { type FeatureReader, openReader } from './feature-reader.js';

/** Request of a retrieval: features, entity rows, times. */
export interface HistoricalFeaturesRequest extends FeatureSelection {
  /** Each row has the join keys of the views and `event_timestamp`, or else one timestamp column. */
  readonly entities: Entities;
  /** Name columns `view__feature`. */
  readonly fullFeatureNames?: boolean;
  /** Leave out feature rows that were created after the entity row's time. */
  readonly knownAsOf?: boolean;
  /** Read the source tables as they were, for the answer of that time. */
  readonly asOf?: HistoricalAsOf;
  /** Who reads the sources; unless given as views and the project say. */
  readonly engine?: EngineType;
  /** Called about once a second while Trino runs a query for this. */
  readonly onQuery?: (query: TrinoProgress) => void;
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
  const source = await entitySource(project, entities);
  return joinHistoricalFeatures(await materializationDeps(project), { ...rest, entities: source }, use);
}

/** How a retrieval would be done: what is read, what is skipped, how views are joined. Entity rows are loaded, no features are joined. */
export async function explainFeatures(project: Project, request: HistoricalFeaturesRequest): Promise<Explanation> {
  const { entities, ...rest } = request;
  const source = await entitySource(project, entities);
  return explainHistoricalFeatures(await materializationDeps(project), { ...rest, entities: source });
}

/** Summary of an answer. */
export interface HistoricalAnswer {
  readonly rowCount: number;
  /** State of every source table that was read, by its name; pass it as `asOf: { snapshots }` for the same answer again. */
  readonly sources: ReadonlyMap<string, TableState>;
  /** State of every table that the entity rows were read from, by its name. */
  readonly entitySources: ReadonlyMap<string, TableState>;
  /** How each view was joined, by its name in the request. */
  readonly joins: ReadonlyMap<string, JoinedView>;
}

/** Like {@link withHistoricalFeatures}, but gives a reader, which has to be closed. */
export function openHistoricalFeatures(
  project: Project,
  request: HistoricalFeaturesRequest,
): Promise<FeatureReader<HistoricalAnswer>> {
  return openReader<HistoricalFeatures, HistoricalAnswer>(
    (use) => withHistoricalFeatures(project, request, use),
    ({ rowCount, sources, entitySources, joins }) => ({ rowCount, sources, entitySources, joins }),
  );
}
