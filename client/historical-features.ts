import { type Connection, readInput, type TargetTypes } from '../engine/index.js';
import {
  type EntityRelation,
  type EntityRow,
  type FeatureSelection,
  type HistoricalAsOf,
  type HistoricalFeatures,
  getHistoricalFeatures as joinHistoricalFeatures,
} from '../features/index.js';
import { materializationDeps, type Project } from '../project/index.js';

/** Entity rows: objects, or a Parquet, CSV or JSON Lines file in a folder that the project may read. */
export type Entities = readonly EntityRow[] | { readonly file: string };

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
  return joinHistoricalFeatures(
    await materializationDeps(project),
    {
      ...rest,
      entities:
        'file' in entities
          ? { open: (connection: Connection, keyTypes: TargetTypes) => openFile(connection, entities.file, keyTypes) }
          : { rows: entities },
    },
    use,
  );
}

/** Join keys are read as the type that they have: the airport `007` of a CSV file is a text where the view's key is one. */
async function openFile(connection: Connection, file: string, keyTypes: TargetTypes): Promise<EntityRelation> {
  const { schema, sql } = await readInput(connection, file, { types: keyTypes });
  return { schema, relation: `(${sql})` };
}
