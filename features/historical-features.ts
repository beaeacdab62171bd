/** Point-in-time retrieval: the features that were valid at the time of each row of an entity frame. */
import { type Connection, type Engine, scanSql } from '../engine/index.js';
import { MoraineError } from '../errors/index.js';
import { assignFreshIds, highestFieldId, type IcebergType, type NestedField, type Schema } from '../iceberg/index.js';
import type { FileIO } from '../storage/index.js';
import { type SnapshotSelection, selectSnapshot, type Table } from '../tables/index.js';
import type { Definitions } from './definition.js';
import {
  type EntityFrame,
  type EntityRelation,
  EVENT_TIMESTAMP,
  entityTimestamp,
  frameKeys,
  loadEntityFrame,
} from './entity-frame.js';
import { type EntityRow, relationOfRows } from './entity-rows.js';
import {
  type FeatureSelection,
  outputName,
  type RequestedView,
  refuseDuplicateNames,
  requestedViews,
  selectedFeatures,
} from './feature-request.js';
import type { JoinMethod } from './point-in-time-sql.js';
import { resolveView } from './resolve-view.js';
import type { PinnedSource } from './source-scan.js';
import { type JoinedView, joinView, type ViewJoin } from './view-join.js';

/** What retrieval needs of its surroundings. */
export interface HistoricalDeps {
  readonly io: FileIO;
  readonly engine: Engine;
  /** The registered definitions. */
  definitions(): Promise<Definitions>;
  /** Loads a source table by its name, `[CATALOG/]NS.TABLE`, as it is now. */
  loadSource(name: string): Promise<Table>;
}

/** Where the entity rows come from: objects, or a relation of the connection that the retrieval runs on. */
export type EntitySource =
  | { readonly rows: readonly EntityRow[] }
  | {
      /** @param keyTypes types of the join keys by their name in the frame, for a source whose values are text */
      readonly open: (connection: Connection, keyTypes: ReadonlyMap<string, IcebergType>) => Promise<EntityRelation>;
    };

/** At which state tables are read: one selection for all, or the snapshots that an earlier answer named. */
export type HistoricalAsOf = SnapshotSelection | { readonly snapshots: ReadonlyMap<string, bigint | null> };

/** A retrieval. */
export interface HistoricalRequest extends FeatureSelection {
  readonly entities: EntitySource;
  /** Name columns `view__feature`. */
  readonly fullFeatureNames?: boolean;
  /** Leave out feature rows that were created after the entity row's time. */
  readonly knownAsOf?: boolean;
  readonly asOf?: HistoricalAsOf;
  readonly signal?: AbortSignal;
  /** Overrides the choice of join, for tests and measurements. */
  readonly method?: JoinMethod;
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
  /** How each view was joined, by its name in the request. */
  readonly joins: ReadonlyMap<string, JoinedView>;
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
  const definitions = await deps.definitions();
  const sources = new Map<string, PinnedSource>();
  const views: PlannedView[] = [];
  for (const requested of requestedViews(definitions, request)) {
    views.push(await planView(deps, definitions, requested, request, sources));
  }
  const fullNames = request.fullFeatureNames ?? false;
  const features = views.flatMap((view) => outputFeatures(view, fullNames));
  refuseDuplicateNames(features.map(({ field, from }) => ({ name: field.name, from })));
  return await deps.engine.withConnection(
    async (connection) => {
      const entities = await openEntities(connection, request.entities, views);
      checkFrame(entities.schema.fields, views, features);
      const frame = await loadEntityFrame(connection, entities, 'entity_frame');
      const joins = new Map<string, JoinedView>();
      const context = { session: connection, io: deps.io, memoryLimitBytes: deps.engine.memoryLimitBytes };
      for (const [index, { requested, join }] of views.entries()) {
        joins.set(requested.alias, await joinView(context, frame, join, `view_${index}`));
      }
      return await use({
        connection,
        select: resultSql(frame, views, joins),
        schema: resultSchema(
          frame,
          features.map(({ field }) => field),
        ),
        rowCount: frame.rowCount,
        snapshots: new Map([...sources].map(([name, source]) => [name, source.snapshot?.snapshotId ?? null])),
        joins,
      });
    },
    request.signal === undefined ? {} : { signal: request.signal },
  );
}

interface PlannedView {
  readonly requested: RequestedView;
  readonly join: ViewJoin;
}

async function planView(
  deps: HistoricalDeps,
  definitions: Definitions,
  requested: RequestedView,
  request: HistoricalRequest,
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
  return {
    requested,
    join: { view, source, selected, joinKeyMap: requested.joinKeyMap, knownAsOf, method: request.method },
  };
}

function pinSource(table: Table, name: string, asOf: HistoricalAsOf): PinnedSource {
  if (!('snapshots' in asOf)) return { table, ...selectSnapshot(table.metadata, asOf) };
  const snapshotId = asOf.snapshots.get(name);
  if (snapshotId === undefined) {
    throw new MoraineError('INVALID_ARGUMENT', `The snapshots to read name none of table ${name}.`);
  }
  if (snapshotId !== null) return { table, ...selectSnapshot(table.metadata, { snapshotId }) };
  return { table, schema: selectSnapshot(table.metadata).schema, snapshot: null };
}

function outputFeatures(
  { requested, join }: PlannedView,
  fullNames: boolean,
): readonly { readonly field: NestedField; readonly from: string }[] {
  return join.selected.map((feature) => ({
    field: { id: 0, name: outputName(requested.alias, feature.name, fullNames), required: false, type: feature.type },
    from: `'${requested.alias}:${feature.name}'`,
  }));
}

async function openEntities(
  connection: Connection,
  source: EntitySource,
  views: readonly PlannedView[],
): Promise<EntityRelation> {
  if ('open' in source) return await source.open(connection, joinKeyTypes(views));
  return source.rows.length === 0 ? emptyEntities(views) : relationOfRows(source.rows);
}

/** The type of each join key by its name in the frame. Views that disagree are told so when the frame is checked. */
function joinKeyTypes(views: readonly PlannedView[]): ReadonlyMap<string, IcebergType> {
  const keys = views.flatMap(({ join }) =>
    join.view.joinKeys.map((key) => [join.joinKeyMap.get(key.name) ?? key.name, key.type] as const),
  );
  return new Map(keys);
}

/** No rows have no columns either: the join keys and a time are taken for granted, so that the answer has a schema. */
function emptyEntities(views: readonly PlannedView[]): EntityRelation {
  const fields = new Map<string, NestedField>();
  for (const [name, type] of joinKeyTypes(views)) {
    fields.set(name, { id: fields.size + 1, name, required: false, type });
  }
  fields.set(EVENT_TIMESTAMP, {
    id: fields.size + 1,
    name: EVENT_TIMESTAMP,
    required: false,
    type: { kind: 'timestamptz' },
  });
  const schema: Schema = { schemaId: 0, identifierFieldIds: [], fields: [...fields.values()] };
  return { schema, relation: scanSql({ schema, files: [], naming: 'id' }) };
}

/** Everything that may be wrong with the frame, before any of its rows is read. */
function checkFrame(
  columns: readonly NestedField[],
  views: readonly PlannedView[],
  features: readonly { readonly field: NestedField; readonly from: string }[],
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

/** Fields of several tables as one schema. Each gets ids of its own first: those of different tables may be equal. */
function resultSchema(frame: EntityFrame, features: readonly NestedField[]): Schema {
  const fields: NestedField[] = [];
  let firstId = 1;
  for (const field of [...frame.columns, ...features]) {
    const alone = assignFreshIds({ schemaId: 0, identifierFieldIds: [], fields: [{ ...field, id: 0 }] }, firstId);
    fields.push(...alone.fields);
    firstId = highestFieldId(alone) + 1;
  }
  return assignFreshIds({ schemaId: 0, identifierFieldIds: [], fields });
}
