/** Makes sure that a view's online table exists and has the columns that the view now needs. */
import { type Catalog, ensureNamespace, formatTableName, withTableDefaults } from '../catalogs/index.js';
import type { PartitionStrategy, ResolvedView } from '../features/index.js';
import {
  LAST_ADDED,
  newTableMetadata,
  type TableMetadata,
  type TableRequirement,
  type TableUpdate,
} from '../iceberg/index.js';
import { ROW_GROUP_LIMIT } from '../staging/index.js';
import { commitUnmoved, hasCode, requireUnmoved, retryConflicts, type Table } from '../tables/index.js';
import { bucketsForEntities } from './buckets-for-entities.js';
import {
  DEFAULT_ONLINE_SETTINGS,
  type OnlineLayout,
  type OnlineSettings,
  onlineLayout,
  onlinePartitionSpec,
  onlineSortOrder,
  type PartitionedLayout,
} from './online-layout.js';
import { BUCKETS_OF_WORK, type OnlinePartitioning, partitioningOf } from './online-partitioning.js';
import {
  compareOnlineTable,
  incompatibleOnlineTable,
  JOIN_KEYS_PROPERTY,
  type OnlineTableChange,
} from './online-schema-change.js';
import { MAX_PART_ROWS } from './parts/cell.js';
import { followRename, type RenameDeps } from './rename-online-table.js';

/** An online table that is ready for rows of its view. */
export interface OnlineTable {
  readonly layout: PartitionedLayout;
  readonly metadata: TableMetadata;
  readonly metadataLocation: string;
  readonly change: 'created' | 'evolved' | 'none';
}

/**
 * Creates the online table of a view, unless one of its earlier name is there, or evolves it to the view's present definition. Evolution commits no snapshot: readers
 * of the old columns are served until the rebuild that follows is committed. A table whose rows are identified in another way
 * (other join keys) is left alone: nothing drops it but a teardown or an apply that may.
 * @param source the view's source table, whose entities decide on the buckets of a new table unless view or settings do
 * @throws DEFINITION_INVALID, UNSUPPORTED_FEATURE if the view cannot be stored online; ONLINE_TABLE_INCOMPATIBLE; COMMIT_CONFLICT
 */
export async function ensureOnlineTable(deps: RenameDeps, view: ResolvedView, source: Table): Promise<OnlineTable> {
  const { catalog, settings = DEFAULT_ONLINE_SETTINGS } = deps;
  const layout = onlineLayout(view, settings);
  const joinKeys = view.joinKeys.map((key) => key.name);
  const partitioning = (made: OnlinePartitioning | undefined): Promise<OnlinePartitioning> =>
    choosePartitioning(view, source, settings, made);
  // Another process may change, create or drop the table at the same moment.
  return await retryConflicts(
    catalog,
    () => ensureOnce(deps, layout, joinKeys, partitioning),
    hasCode('COMMIT_CONFLICT', 'TABLE_ALREADY_EXISTS', 'TABLE_NOT_FOUND'),
  );
}

/**
 * The online table as {@link ensureOnlineTable} would find or make it, and nothing is made: a new one has no location, and columns that
 * would be added are missing.
 * @throws as {@link ensureOnlineTable}
 */
export async function outlineOnlineTable(
  catalog: Catalog,
  view: ResolvedView,
  source: Table,
  settings: OnlineSettings = DEFAULT_ONLINE_SETTINGS,
): Promise<OnlineTable> {
  const layout = onlineLayout(view, settings);
  const { identifier } = layout;
  const found = (await catalog.tableExists(identifier)) ? await catalog.loadTable(identifier) : undefined;
  const made = found === undefined ? undefined : partitioningOf(found.metadata);
  const kept: PartitionedLayout = { ...layout, ...(await choosePartitioning(view, source, settings, made)) };
  if (found !== undefined) {
    const { metadata, metadataLocation } = found;
    const joinKeys = view.joinKeys.map((key) => key.name);
    const change = compareOnlineTable(metadata, kept, joinKeys);
    if (change.kind === 'incompatible')
      throw incompatibleOnlineTable(formatTableName(identifier), identifier.name, change.reason);
    return { layout: kept, metadata, metadataLocation, change: change.kind === 'none' ? 'none' : 'evolved' };
  }
  const metadata = newTableMetadata({ schema: layout.schema, location: '', tableUuid: '', nowMs: 0n });
  return { layout: kept, metadata, metadataLocation: '', change: 'created' };
}

/** Hours split the files of each bucket: a table of both has a part of the buckets. */
const BUCKETS_FOR_ONE_WITH_HOURS = 16;
const FEWEST_BUCKETS_WITH_HOURS = 4;

/** As the view says; else as the table is; else, for a new table or another strategy, as the settings and the entities of the source ask for. */
async function choosePartitioning(
  view: ResolvedView,
  source: Table,
  settings: OnlineSettings,
  made: OnlinePartitioning | undefined,
): Promise<OnlinePartitioning> {
  const { onlinePartitionStrategy, onlineBuckets } = view;
  const strategy: PartitionStrategy =
    onlinePartitionStrategy ?? made?.strategy ?? settings.partitionStrategy ?? 'entity_hash';
  if (strategy === 'timestamp') return { strategy, buckets: onlineBuckets ?? BUCKETS_OF_WORK };
  const kept = made?.strategy === strategy ? made.buckets : undefined;
  const buckets = onlineBuckets ?? kept ?? settings.buckets;
  if (buckets !== undefined) return { strategy, buckets };
  const asked = await bucketsForEntities(source, view);
  if (strategy === 'entity_hash') return { strategy, buckets: asked };
  return { strategy, buckets: Math.max(FEWEST_BUCKETS_WITH_HOURS, asked / BUCKETS_FOR_ONE_WITH_HOURS) };
}

async function ensureOnce(
  deps: RenameDeps,
  layout: OnlineLayout,
  joinKeys: readonly string[],
  partitioning: (made: OnlinePartitioning | undefined) => Promise<OnlinePartitioning>,
): Promise<OnlineTable> {
  const { identifier } = layout;
  const { catalog } = deps;
  const isMade = (): Promise<boolean> => catalog.tableExists(identifier);
  if (!((await isMade()) || ((await followRename(deps, identifier.name)) && (await isMade()))))
    return await create(catalog, { ...layout, ...(await partitioning(undefined)) }, joinKeys);
  const base = await catalog.loadTable(identifier);
  const { metadata, metadataLocation } = base;
  requireUnmoved({ ...base, catalog });
  const kept: PartitionedLayout = { ...layout, ...(await partitioning(partitioningOf(metadata))) };
  const change = compareOnlineTable(metadata, kept, joinKeys);
  if (change.kind === 'incompatible')
    throw incompatibleOnlineTable(formatTableName(identifier), identifier.name, change.reason);
  if (change.kind === 'none') return { layout: kept, metadata, metadataLocation, change: 'none' };
  const loaded = await commitUnmoved(catalog, base, evolution(metadata, change));
  return { layout: kept, metadata: loaded.metadata, metadataLocation: loaded.metadataLocation, change: 'evolved' };
}

async function create(catalog: Catalog, layout: PartitionedLayout, joinKeys: readonly string[]): Promise<OnlineTable> {
  await ensureNamespace(catalog, layout.identifier.namespace);
  const { schema } = layout;
  const request = withTableDefaults({
    schema,
    partitionSpec: onlinePartitionSpec(layout, schema),
    sortOrder: onlineSortOrder(layout, schema),
    properties: new Map([
      [JOIN_KEYS_PROPERTY, JSON.stringify(joinKeys)],
      // Online reads decode a row group at a time.
      [ROW_GROUP_LIMIT, String(MAX_PART_ROWS)],
    ]),
  });
  const loaded = await catalog.createTable(layout.identifier, request);
  return { layout, metadata: loaded.metadata, metadataLocation: loaded.metadataLocation, change: 'created' };
}

function evolution(
  metadata: TableMetadata,
  change: Extract<OnlineTableChange, { kind: 'evolve' }>,
): { requirements: TableRequirement[]; updates: TableUpdate[] } {
  const requirements: TableRequirement[] = [
    { type: 'assert-table-uuid', uuid: metadata.tableUuid },
    { type: 'assert-last-assigned-field-id', lastAssignedFieldId: metadata.lastColumnId },
    { type: 'assert-current-schema-id', currentSchemaId: metadata.currentSchemaId },
    { type: 'assert-default-spec-id', defaultSpecId: metadata.defaultSpecId },
  ];
  const updates: TableUpdate[] = [];
  if (change.schema !== null) {
    updates.push(
      { action: 'add-schema', schema: change.schema },
      // The table may have had the same columns before: then it keeps that schema's id.
      { action: 'set-current-schema', schemaId: LAST_ADDED },
    );
  }
  const { spec } = change;
  if (spec !== null) {
    if (!metadata.partitionSpecs.includes(spec)) updates.push({ action: 'add-spec', spec });
    updates.push({ action: 'set-default-spec', specId: spec.specId });
  }
  return { requirements, updates };
}
