/** Layout of the online table of a view: its name, columns, partitioning and order. Pure. */
import type { TableIdentifier } from '../catalogs/index.js';
import { type PartitionStrategy, type ResolvedView, throwProblems } from '../features/index.js';
import {
  assignFreshIds,
  highestFieldId,
  type IcebergType,
  type NestedField,
  type PartitionSpec,
  type Schema,
  type SortOrder,
} from '../iceberg/index.js';
import { ONLINE_COLUMNS } from './online-columns.js';
import { type OnlinePartitioning, partitionFields } from './online-partitioning.js';
import { onlineProblems } from './online-problems.js';

/** Where online tables live, and how many buckets a new one has if its view does not say. */
export interface OnlineSettings {
  readonly namespace: readonly string[];
  /** Undefined: as the entities of the source ask for. */
  readonly buckets?: number | undefined;
  /** Strategy of new tables whose views name none; `entity_hash` by default. */
  readonly partitionStrategy?: PartitionStrategy | undefined;
}

export const DEFAULT_ONLINE_SETTINGS: OnlineSettings = { namespace: ['moraine_online'] };

/** The columns by which rows are bucketed and sorted: the single join key itself, or `_entity_key`. */
export type KeyStrategy = 'column' | 'encoded';

/** Name, key and columns of a view's online table. */
export interface OnlineLayout {
  readonly identifier: TableIdentifier;
  readonly keyStrategy: KeyStrategy;
  /** Name of the column that is bucketed and sorted by. */
  readonly keyColumn: string;
  /** With ids of its own, to be replaced by the table's. */
  readonly schema: Schema;
}

/** A layout with the partitioning of new files. */
export interface PartitionedLayout extends OnlineLayout, OnlinePartitioning {}

/** Types that every engine buckets alike: `bucket[N]` of the column itself prunes everywhere. */
const BUCKET_KEY_KINDS: ReadonlySet<string> = new Set([
  'int',
  'long',
  'string',
  'date',
  'timestamp',
  'timestamptz',
  'uuid',
  'decimal',
  'binary',
]);

/**
 * The layout of a view's online table.
 * @throws DEFINITION_INVALID listing every reason why the view cannot have one
 */
export function onlineLayout(view: ResolvedView, settings: OnlineSettings = DEFAULT_ONLINE_SETTINGS): OnlineLayout {
  const problems = onlineProblems(view);
  if (problems.length > 0) throwProblems(problems);
  const [key] = view.joinKeys;
  const keyStrategy: KeyStrategy =
    view.joinKeys.length === 1 && key !== undefined && BUCKET_KEY_KINDS.has(key.type.kind) ? 'column' : 'encoded';
  return {
    identifier: { namespace: settings.namespace, name: view.name },
    keyStrategy,
    keyColumn: keyStrategy === 'column' && key !== undefined ? key.name : ONLINE_COLUMNS.entityKey,
    schema: layoutSchema(view, keyStrategy),
  };
}

/** The partition spec of a layout on a schema that has its columns. */
export function onlinePartitionSpec(layout: PartitionedLayout, schema: Schema): PartitionSpec {
  const columns = {
    keyId: fieldId(layout.keyColumn, schema),
    eventTimeId: fieldId(ONLINE_COLUMNS.eventTimestamp, schema),
  };
  const names = { key: layout.keyColumn, eventTime: ONLINE_COLUMNS.eventTimestamp };
  const fields = partitionFields(layout, columns, names);
  return { specId: 0, fields: fields.map((field, index) => ({ ...field, fieldId: 1000 + index })) };
}

/** Files are sorted by key, so that a point lookup reads one row group. */
export function onlineSortOrder(layout: OnlineLayout, schema: Schema): SortOrder {
  return {
    orderId: 1,
    fields: [
      {
        sourceId: fieldId(layout.keyColumn, schema),
        transform: { kind: 'identity' },
        direction: 'asc',
        nullOrder: 'nulls-first',
      },
    ],
  };
}

/** How rows are laid out, as text: another text means that every file must be written anew. */
export function partitioningText({ strategy, buckets, keyColumn }: PartitionedLayout): string {
  const [bucket, hour] = [`bucket[${buckets}](${keyColumn})`, `hour(${ONLINE_COLUMNS.eventTimestamp})`];
  if (strategy === 'entity_hash') return bucket;
  return strategy === 'timestamp' ? hour : `${bucket}, ${hour}`;
}

function fieldId(name: string, schema: Schema): number {
  const field = schema.fields.find((candidate) => candidate.name === name);
  if (field === undefined) throw new TypeError(`The online table has no column ${name}`);
  return field.id;
}

function layoutSchema(view: ResolvedView, keyStrategy: KeyStrategy): Schema {
  const named: readonly (readonly [string, IcebergType])[] = [
    ...(keyStrategy === 'encoded' ? [[ONLINE_COLUMNS.entityKey, { kind: 'string' }] as const] : []),
    ...view.joinKeys.map((key) => [key.name, key.type] as const),
    ...view.features.map((feature) => [feature.name, feature.type] as const),
    [ONLINE_COLUMNS.eventTimestamp, view.timestamp.type],
    // The same type whether or not the view has the column yet, so that it can get one later.
    [ONLINE_COLUMNS.createdTimestamp, view.created?.type ?? view.timestamp.type],
    [ONLINE_COLUMNS.pushed, { kind: 'boolean' }],
  ];
  // Ids inside nested types come from the source; top-level ids go above them so that all differ, then all are given afresh.
  const nested = highestFieldId({
    schemaId: 0,
    identifierFieldIds: [],
    fields: named.map(([name, type]) => column(0, name, type)),
  });
  const fields = named.map(([name, type], index) => column(nested + 1 + index, name, type));
  return assignFreshIds({ schemaId: 0, identifierFieldIds: [], fields });
}

function column(id: number, name: string, type: IcebergType): NestedField {
  return { id, name, required: false, type };
}
