/** Point-in-time retrieval: the features that were valid at the time of each row of an entity frame. */
import type { Connection, Engine } from '../../engine/index.js';
import { type NestedField, type Schema, schemaOfFields } from '../../iceberg/index.js';
import type { EngineChoice, EngineType, ReduceContext, ReducedRows } from '../../reduction/index.js';
import type { PinnedSource } from '../../scans/index.js';
import type { FileIO } from '../../storage/index.js';
import type { Table } from '../../tables/index.js';
import type { Definitions } from '../definitions/definition.js';
import { type FeatureWindow, openWindow, windowColumns } from '../pull/feature-window.js';
import { stateOf, type TableState } from '../views/pin-source.js';
import { type EntityFrame, entityTimestamp, frameKeys, loadEntityFrame } from './entity-frame.js';
import { type EntitySource, openEntities } from './entity-source.js';
import { type RequestedView, refuseDuplicateNames } from './feature-request.js';
import {
  joinKeyTypes,
  type OutputFeature,
  type PlannedView,
  planRetrieval,
  type RetrievalPlan,
  type RetrievalRequest,
} from './retrieval-plan.js';
import { type JoinContext, type JoinedView, joinView } from './view-join.js';

/** Dependencies of retrieval. */
export interface HistoricalDeps {
  readonly io: FileIO;
  readonly engine: Engine;
  /** The registered definitions. */
  definitions(): Promise<Definitions>;
  /** Loads a source table by its name, `[CATALOG/]NS.TABLE`, as it is now. */
  loadSource(name: string): Promise<Table>;
  /** Engines that may reduce feature rows to those that may win; absent: only DuckDB. */
  readonly engines?: EngineChoice | undefined;
}

/** A retrieval. */
export interface HistoricalRequest extends RetrievalRequest, ReduceContext {
  /** The rows that features are wanted for; or a window, for every feature row in it. */
  readonly entities: EntitySource | { readonly window: FeatureWindow };
  /** Reduces the feature rows; unless given as views and the project say. */
  readonly engine?: EngineType | undefined;
  /** What parts have left of the sources of some views for these entity rows, by the views' names in the request. */
  readonly reduced?: ReadonlyMap<string, readonly ReducedRows[]> | undefined;
}

/** The answer, to be read on its connection. */
export interface HistoricalFeatures {
  readonly connection: Connection;
  /** One row per entity row, in the frame's order: the frame's columns, then the features. Columns are in the order of `schema`. */
  readonly select: string;
  readonly schema: Schema;
  readonly rowCount: number;
  /** Snapshot of every source table that was read, by its name; null: the table had none. */
  readonly snapshots: ReadonlyMap<string, bigint | null>;
  /** The same with all that it takes to read those tables again, for `asOf: { snapshots }`. */
  readonly sources: ReadonlyMap<string, TableState>;
  /** State of every table that the entity rows were read from, by its name. */
  readonly entitySources: ReadonlyMap<string, TableState>;
  /** How each view was joined, by its name in the request. */
  readonly joins: ReadonlyMap<string, JoinedView>;
  /** The request, resolved: with it and `sources` the same can be asked again. */
  readonly recipe: RetrievalRecipe;
}

/** A retrieval without its entity rows, independent of what the registry has later. */
export interface RetrievalRecipe {
  readonly views: readonly RequestedView[];
  readonly definitions: Definitions;
  readonly fullFeatureNames: boolean;
  readonly knownAsOf: boolean;
  /** Columns of the answer, from the first, that are the entity frame's. */
  readonly frameColumns: number;
  /** The window, if there were no entity rows. */
  readonly window?: Required<FeatureWindow>;
}

/**
 * Finds, for each entity row at its time T, the newest feature row with `event time <= T` and, if the view has a ttl,
 * `event time >= T - ttl`: closed at both ends, at the finer unit of both sides. Names are checked before anything is read.
 * @param use reads the answer, for example with `writeRows`; it is gone afterwards
 * @throws FEATURE_VIEW_NOT_FOUND, FEATURE_NOT_FOUND, FEATURE_SERVICE_NOT_FOUND, DUPLICATE_NAME, COLUMN_NOT_FOUND, TYPE_MISMATCH,
 *   DEFINITION_INVALID (the source no longer fits the view), SNAPSHOT_EXPIRED, SNAPSHOT_NOT_FOUND
 */
export async function getHistoricalFeatures<T>(
  deps: HistoricalDeps,
  request: HistoricalRequest,
  use: (features: HistoricalFeatures) => Promise<T>,
): Promise<T> {
  return await getHistoricalFrame(deps, request, async ({ connection, plan, opened, schema }) => {
    const { frame, sources: entitySources } = opened;
    const { views, sources } = plan;
    const joins = new Map(opened.joins);
    const context = joinContext(deps, request, connection);
    for (const [index, { requested, join }] of views.entries()) {
      if (joins.has(requested.alias)) continue;
      const reduced = request.reduced?.get(requested.alias);
      joins.set(requested.alias, await joinView(context, frame, join, `view_${index}`, { reduced }));
    }
    return await use({
      connection,
      select: resultSql(frame, views, joins),
      schema,
      rowCount: frame.rowCount,
      snapshots: new Map([...sources].map(([name, source]) => [name, source.snapshot?.snapshotId ?? null])),
      sources: statesOf(sources),
      entitySources: statesOf(entitySources),
      joins,
      recipe: recipeOf(plan, request, frame, opened.window),
    });
  });
}

/** A retrieval whose entity rows are loaded and whose views are not joined yet. */
export interface HistoricalFrame {
  readonly connection: Connection;
  readonly plan: RetrievalPlan;
  readonly opened: OpenedFrame;
  /** Schema of the answer. */
  readonly schema: Schema;
}

/** What joins need besides the frame. */
export function joinContext(deps: HistoricalDeps, request: HistoricalRequest, session: Connection): JoinContext {
  const { engine, engines } = deps;
  return {
    session,
    memoryLimitBytes: engine.memoryLimitBytes,
    engines,
    runEngine: request.engine,
    signal: request.signal,
    onQuery: request.onQuery,
    run: request.run,
    attempt: request.attempt,
  };
}

/** Plans a retrieval, lends a connection to it and loads its entity rows. @throws as {@link getHistoricalFeatures} */
export async function getHistoricalFrame<T>(
  deps: HistoricalDeps,
  request: HistoricalRequest,
  use: (frame: HistoricalFrame) => Promise<T>,
): Promise<T> {
  const plan = await planRetrieval(deps, request);
  return await deps.engine.withConnection(
    async (connection) => {
      const opened = await openFrame(deps, connection, request, plan);
      const features = plan.features.map(({ field }) => field);
      return await use({ connection, plan, opened, schema: schemaOfFields([...opened.frame.columns, ...features]) });
    },
    { signal: request.signal },
  );
}

/** An entity frame and where it came from. */
export interface OpenedFrame {
  readonly frame: EntityFrame;
  readonly sources: ReadonlyMap<string, PinnedSource>;
  /** Views whose features came with the frame. */
  readonly joins: ReadonlyMap<string, JoinedView>;
  readonly window?: Required<FeatureWindow>;
}

function recipeOf(
  { views, definitions }: RetrievalPlan,
  request: HistoricalRequest,
  frame: EntityFrame,
  window: Required<FeatureWindow> | undefined,
): RetrievalRecipe {
  return {
    views: views.map(({ requested, join }) => ({ ...requested, features: join.selected.map(({ name }) => name) })),
    definitions: usedDefinitions(definitions, views),
    fullFeatureNames: request.fullFeatureNames ?? false,
    knownAsOf: request.knownAsOf ?? false,
    frameColumns: frame.columns.length,
    ...(window === undefined ? {} : { window }),
  };
}

/** The views of a retrieval and their entities. */
function usedDefinitions(all: Definitions, views: readonly PlannedView[]): Definitions {
  const names = new Set(views.map(({ requested }) => requested.view));
  const featureViews = new Map([...all.featureViews].filter(([name]) => names.has(name)));
  const entityNames = new Set([...featureViews.values()].flatMap((view) => view.entities));
  const entities = new Map([...all.entities].filter(([name]) => entityNames.has(name)));
  return { entities, featureViews, featureServices: new Map() };
}

/** The entity frame of a retrieval, in a temporary table. */
async function openFrame(
  deps: HistoricalDeps,
  connection: Connection,
  request: HistoricalRequest,
  { views, features }: RetrievalPlan,
): Promise<OpenedFrame> {
  if ('window' in request.entities) {
    checkFrame(windowColumns(views), views, features);
    const opened = await openWindow(connection, views, request.entities.window);
    return { ...opened, sources: new Map() };
  }
  const context = { deps, connection, keyTypes: joinKeyTypes(views), signal: request.signal };
  const entities = await openEntities(context, request.entities);
  try {
    checkFrame(entities.schema.fields, views, features);
    const frame = await loadEntityFrame(connection, entities, 'entity_frame').catch((error: unknown) => {
      throw entities.explain?.(error) ?? error;
    });
    return { frame, sources: entities.sources, joins: new Map() };
  } finally {
    await entities.release();
  }
}

function statesOf(sources: ReadonlyMap<string, PinnedSource>): ReadonlyMap<string, TableState> {
  return new Map([...sources].map(([name, source]) => [name, stateOf(source)]));
}

/** Everything that may be wrong with the frame, before any of its rows is read. */
function checkFrame(
  columns: readonly NestedField[],
  views: readonly PlannedView[],
  features: readonly OutputFeature[],
): void {
  refuseDuplicateNames([
    ...columns.map((column) => ({ name: column.name, from: `the entity rows' column '${column.name}'` })),
    ...features.map(({ field, from }) => ({ name: field.name, from })),
  ]);
  entityTimestamp(columns);
  for (const { join } of views) frameKeys({ columns }, join.view, join.joinKeyMap);
}

/** Every view's table has the frame's rows in the frame's order, so that columns can simply be put side by side. */
function resultSql(frame: EntityFrame, views: readonly PlannedView[], joins: ReadonlyMap<string, JoinedView>): string {
  const columns = frame.columns.map((_, index) => `frame.c${index} AS c${index}`);
  const tables = [`${frame.table} AS frame`];
  for (const [view, { requested, join }] of views.entries()) {
    tables.push(`${joins.get(requested.alias)?.table} AS v${view}`);
    for (const feature of join.selected) {
      const index = join.view.features.indexOf(feature);
      columns.push(`v${view}.f${index} AS v${view}_f${index}`);
    }
  }
  return `SELECT ${columns.join(', ')} FROM ${tables.join(' POSITIONAL JOIN ')}`;
}
