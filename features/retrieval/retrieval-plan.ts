/** The plan of a retrieval, before anything is read: its views bound to their tables' snapshots, and the columns of the answer. */
import { MoraineError } from '../../errors/index.js';
import type { IcebergType, NestedField } from '../../iceberg/index.js';
import type { PinnedSource } from '../../scans/index.js';
import type { Table } from '../../tables/index.js';
import type { Definitions } from '../definitions/definition.js';
import { type HistoricalAsOf, pinSource } from '../views/pin-source.js';
import { type ResolvedColumn, type ResolvedView, resolveView } from '../views/resolve-view.js';
import {
  type FeatureSelection,
  outputName,
  type RequestedView,
  refuseDuplicateNames,
  requestedViews,
  selectedFeatures,
} from './feature-request.js';
import type { JoinMethod } from './point-in-time-sql.js';
import type { ViewJoin } from './view-join.js';

/** The part of a retrieval that decides which features of which snapshots it reads. */
export interface RetrievalRequest extends FeatureSelection {
  /** Name columns `view__feature`. */
  readonly fullFeatureNames?: boolean;
  /** Leave out feature rows that were created after the entity row's time. */
  readonly knownAsOf?: boolean;
  readonly asOf?: HistoricalAsOf;
  /** Add, for each view, the times of the row that its features are from, called as a feature of a name of {@link ROW_TIMES}. */
  readonly rowTimes?: boolean;
  /** Take rows of any age: the ttl of a view has no effect. */
  readonly anyAge?: boolean;
  /** Overrides the choice of join, for tests and measurements. */
  readonly method?: JoinMethod;
}

/** Names of the columns of {@link RetrievalRequest.rowTimes}; a view without a created time has only the first. */
export const ROW_TIMES = { event: '__event_timestamp', created: '__created_timestamp' } as const;

/** A feature column of the answer, and where it comes from, for messages. */
export interface OutputFeature {
  readonly field: NestedField;
  readonly from: string;
}

/** A retrieval without its entity rows. */
export interface RetrievalPlan {
  readonly views: readonly PlannedView[];
  readonly features: readonly OutputFeature[];
  /** Source tables by name, each pinned once. */
  readonly sources: ReadonlyMap<string, PinnedSource>;
  readonly definitions: Definitions;
}

/** @throws as `getHistoricalFeatures`, but for what is wrong with the entity rows */
export async function planRetrieval(
  deps: { definitions(): Promise<Definitions>; loadSource(name: string): Promise<Table> },
  request: RetrievalRequest,
): Promise<RetrievalPlan> {
  const definitions = await deps.definitions();
  const sources = new Map<string, PinnedSource>();
  const views: PlannedView[] = [];
  for (const requested of requestedViews(definitions, request)) {
    views.push(await planView(deps, definitions, requested, request, sources));
  }
  const fullNames = request.fullFeatureNames ?? false;
  const features = views.flatMap((view) => outputFeatures(view, fullNames));
  refuseDuplicateNames(features.map(({ field, from }) => ({ name: field.name, from })));
  return { views, features, sources, definitions };
}

/** One view of a retrieval. */
export interface PlannedView {
  readonly requested: RequestedView;
  readonly join: ViewJoin;
}

async function planView(
  deps: { loadSource(name: string): Promise<Table> },
  definitions: Definitions,
  requested: RequestedView,
  request: RetrievalRequest,
  sources: Map<string, PinnedSource>,
): Promise<PlannedView> {
  const tableName = definitions.featureViews.get(requested.view)?.source.table ?? '';
  const source = sources.get(tableName) ?? pinSource(await deps.loadSource(tableName), tableName, request.asOf ?? {});
  sources.set(tableName, source);
  const view = resolveView(definitions, requested.view, source.schema);
  const knownAsOf = request.knownAsOf ?? false;
  if (knownAsOf && view.created === null) {
    const remedy = 'Give it source.createdTimestampField, or ask without knownAsOf.';
    throw new MoraineError(
      'INVALID_ARGUMENT',
      `View '${view.name}' does not say when its rows were created, so what was known cannot be told. ${remedy}`,
    );
  }
  const selected = selectedFeatures(requested, view);
  const times = request.rowTimes === true ? rowTimes(view) : [];
  const join = {
    view: { ...view, ttlUs: request.anyAge === true ? null : view.ttlUs, features: [...view.features, ...times] },
    source,
    selected: [...selected, ...times],
    joinKeyMap: requested.joinKeyMap,
    knownAsOf,
    method: request.method,
  };
  return { requested, join };
}

/** A row's times as features. They are equal in rows that tie, so that no other row wins for them. */
function rowTimes({ timestamp, created }: ResolvedView): readonly ResolvedColumn[] {
  const event = { ...timestamp, name: ROW_TIMES.event };
  return created === null ? [event] : [event, { ...created, name: ROW_TIMES.created }];
}

function outputFeatures({ requested, join }: PlannedView, fullNames: boolean): readonly OutputFeature[] {
  return join.selected.map((feature) => ({
    field: { id: 0, name: outputName(requested.alias, feature.name, fullNames), required: false, type: feature.type },
    from: `'${requested.alias}:${feature.name}'`,
  }));
}

/** The type of each join key by its name in the frame. Views that disagree are refused when the frame is checked. */
export function joinKeyTypes(views: readonly PlannedView[]): ReadonlyMap<string, IcebergType> {
  const keys = views.flatMap(({ join }) =>
    join.view.joinKeys.map((key) => [join.joinKeyMap.get(key.name) ?? key.name, key.type] as const),
  );
  return new Map(keys);
}
