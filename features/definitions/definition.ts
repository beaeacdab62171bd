/**
 * Definitions as plain values, after parsing: what the registry stores and every other room reads.
 * Times are in milliseconds; maps (never plain objects) hold names that users choose.
 */

import { didYouMean, MoraineError } from '../../errors/index.js';
import type { IcebergType } from '../../iceberg/index.js';
import type { EngineType } from '../../reduction/index.js';
import type { ViewSchedule } from './view-schedule.js';

/** The kinds of definition. */
export type DefinitionKind = 'entity' | 'featureView' | 'featureService';

/** Fields that every definition has. */
export interface DefinitionBase {
  readonly name: string;
  readonly description?: string;
  readonly tags?: ReadonlyMap<string, string>;
  /** The name under which it was registered before. */
  readonly renamedFrom?: string;
  /** Set for what a program has registered over HTTP: `apply --prune` of files that do not know of it leaves it alone. */
  readonly registeredBy?: 'http';
}

/** Thing that features describe, identified by the typed tuple of its join keys. */
export interface Entity extends DefinitionBase {
  readonly joinKeys: readonly string[];
}

/** One feature. Without a type, the type of the source column is taken. */
export interface Feature {
  readonly name: string;
  readonly type?: IcebergType;
}

/** Where a feature view's rows come from. Names are column names after `fieldMapping`. */
export interface FeatureSource {
  /** `[CATALOG/]NS.TABLE` */
  readonly table: string;
  /** When the row's facts were true. */
  readonly timestampField: string;
  /** When the row was written; the newest wins among rows of the same entity and event time. */
  readonly createdTimestampField?: string;
  /** Column of the table -> name in the view. */
  readonly fieldMapping?: ReadonlyMap<string, string>;
}

/**
 * How the files of an online table are laid out, by Feast's names: `entity_hash` by buckets of the entity's key, `timestamp` by hours of the
 * event time, `hybrid` by both.
 */
export const PARTITION_STRATEGIES = ['entity_hash', 'timestamp', 'hybrid'] as const;
export type PartitionStrategy = (typeof PARTITION_STRATEGIES)[number];

/** Features of one source table, keyed by entities. */
export interface FeatureView extends DefinitionBase {
  readonly entities: readonly string[];
  readonly source: FeatureSource;
  /** How long a row stays valid; null: for ever. */
  readonly ttlMs: bigint | null;
  /** Whether it is materialized for online reads. */
  readonly online: boolean;
  /** Undefined: every column of the table that is neither key nor timestamp. */
  readonly features: readonly Feature[] | undefined;
  /** Number of buckets of the online table; undefined: the default. */
  readonly onlineBuckets?: number;
  /** How the files of the online table are laid out; undefined: a new table as the configuration says, an existing one as it is. */
  readonly onlinePartitionStrategy?: PartitionStrategy;
  /** Who reduces its source rows to those that may win; undefined: as the project says. It decides where work is done, never which rows win. */
  readonly engine?: EngineType;
  /** When it is materialized by itself. It decides when rows are written, never which. */
  readonly schedule?: ViewSchedule;
  /** The push source whose rows the view gets. Several views may name the same one. */
  readonly pushSource?: string;
}

/** Features of one view, as a service or a request names them. */
export interface FeatureReference {
  readonly view: string;
  /** Undefined: all of the view's. */
  readonly features?: readonly string[];
  /** Name of the view in this request, so that it may appear twice. */
  readonly alias?: string;
  /** Join key of the view -> column of the entity frame. */
  readonly joinKeyMap?: ReadonlyMap<string, string>;
}

/** A named set of features that one model uses. */
export interface FeatureService extends DefinitionBase {
  readonly features: readonly FeatureReference[];
}

/** A set of definitions, each kind by name. */
export interface Definitions {
  readonly entities: ReadonlyMap<string, Entity>;
  readonly featureViews: ReadonlyMap<string, FeatureView>;
  readonly featureServices: ReadonlyMap<string, FeatureService>;
}

/** No definitions. */
export const NO_DEFINITIONS: Definitions = { entities: new Map(), featureViews: new Map(), featureServices: new Map() };

/** @throws FEATURE_VIEW_NOT_FOUND with the nearest names */
export function findFeatureView({ featureViews }: Pick<Definitions, 'featureViews'>, name: string): FeatureView {
  const view = featureViews.get(name);
  if (view !== undefined) return view;
  const hint = didYouMean(name, featureViews.keys());
  throw new MoraineError('FEATURE_VIEW_NOT_FOUND', `There is no feature view '${name}'. ${hint}`);
}

/** The views that name a push source, by name. @throws PUSH_SOURCE_NOT_FOUND with the nearest names */
export function viewsOfPushSource(
  { featureViews }: Pick<Definitions, 'featureViews'>,
  source: string,
): readonly FeatureView[] {
  const all = [...featureViews.values()];
  const views = all.filter(({ pushSource }) => pushSource === source);
  if (views.length > 0) return views.sort((a, b) => (a.name < b.name ? -1 : 1));
  const known = new Set(all.flatMap(({ pushSource }) => pushSource ?? []));
  const hint = known.size === 0 ? 'No feature view has a pushSource.' : didYouMean(source, known);
  throw new MoraineError('PUSH_SOURCE_NOT_FOUND', `No feature view names the push source '${source}'. ${hint}`);
}

/** @throws FEATURE_SERVICE_NOT_FOUND with the nearest names */
export function findFeatureService(
  { featureServices }: Pick<Definitions, 'featureServices'>,
  name: string,
): FeatureService {
  const service = featureServices.get(name);
  if (service !== undefined) return service;
  const hint = didYouMean(name, featureServices.keys());
  throw new MoraineError('FEATURE_SERVICE_NOT_FOUND', `There is no feature service '${name}'. ${hint}`);
}

/** The error for a feature that its view does not have. */
export function featureNotFound(view: string, name: string, known: Iterable<string>): MoraineError {
  return new MoraineError(
    'FEATURE_NOT_FOUND',
    `Feature view '${view}' has no feature '${name}'. ${didYouMean(name, known)}`,
  );
}
