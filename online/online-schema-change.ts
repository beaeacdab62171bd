/** How an existing online table becomes what its view now needs. Pure. */
import { largest } from '../errors/index.js';
import { acceptsType, sameType } from '../features/index.js';
import {
  assignFreshIds,
  defaultSpec,
  evolvePartitionSpec,
  highestFieldId,
  type NestedField,
  type PartitionField,
  type PartitionSpec,
  parseJson,
  type Schema,
  sameTransform,
  type TableMetadata,
} from '../iceberg/index.js';
import { type OnlineLayout, onlinePartitionSpec, type PartitionedLayout } from './online-layout.js';
import { partitioningOf } from './online-partitioning.js';

/** Table property: names of the join keys, as a JSON array, in the order of the encoding. */
export const JOIN_KEYS_PROPERTY = 'moraine.join-keys';

/**
 * Table property: why the table was made anew with other join keys. It counts while the table has no snapshot: until then the rows of the
 * view are missing, rather than absent.
 */
export const REBUILD_PROPERTY = 'moraine.rebuild-required';

/** Names of the join keys that a table records, in order; null if it records none. */
export function joinKeysOfTable({ properties }: TableMetadata): readonly string[] | null {
  const text = properties.get(JOIN_KEYS_PROPERTY);
  if (text === undefined) return null;
  try {
    const json = parseJson(text);
    return Array.isArray(json) && json.every((key) => typeof key === 'string') ? json : null;
  } catch {
    return null;
  }
}

/** Whether a table that was made anew still waits for the first rows under its join keys. */
export function awaitsRebuild({ properties, currentSnapshotId }: TableMetadata): boolean {
  return currentSnapshotId === null && properties.has(REBUILD_PROPERTY);
}

/** The change that the table needs before rows of the layout can be written. */
export type OnlineTableChange =
  | { readonly kind: 'none' }
  /** Columns are added, dropped or widened (columns that stay keep their field ids), or new files are partitioned in another way. */
  | {
      readonly kind: 'evolve';
      readonly schema: Schema | null;
      /** The new default; null: it stays. */
      readonly spec: PartitionSpec | null;
    }
  /** Rows are identified in another way: no row, pushed or not, can be kept. */
  | { readonly kind: 'recreate'; readonly reason: string };

/** Compares a table with the layout and join keys that its view now has. */
export function compareOnlineTable(
  metadata: TableMetadata,
  layout: PartitionedLayout,
  joinKeys: readonly string[],
): OnlineTableChange {
  const current = metadata.schemas.find((schema) => schema.schemaId === metadata.currentSchemaId);
  if (current === undefined) return { kind: 'recreate', reason: 'it has no schema' };
  const keyChange = changedKey(metadata, current, layout, joinKeys);
  if (keyChange !== null) return { kind: 'recreate', reason: keyChange };
  if (partitioningOf(metadata) === undefined)
    return { kind: 'recreate', reason: 'it is not partitioned by its key or its event time' };
  const schema = evolveSchema(metadata, current, layout);
  const spec = specOf(metadata, schema ?? current, layout);
  const change = spec.specId === metadata.defaultSpecId ? null : spec;
  return schema === null && change === null ? { kind: 'none' } : { kind: 'evolve', schema, spec: change };
}

function changedKey(
  metadata: TableMetadata,
  current: Schema,
  layout: OnlineLayout,
  joinKeys: readonly string[],
): string | null {
  const before = metadata.properties.get(JOIN_KEYS_PROPERTY);
  if (before !== JSON.stringify(joinKeys)) return `its join keys were ${before ?? 'not recorded'}`;
  const wanted = new Map(layout.schema.fields.map((field) => [field.name, field.type]));
  for (const name of [layout.keyColumn, ...joinKeys]) {
    const type = current.fields.find((field) => field.name === name)?.type;
    const wantedType = wanted.get(name);
    if (type === undefined || wantedType === undefined || !acceptsType(wantedType, type)) {
      return `its join key '${name}' had another type`;
    }
  }
  return null;
}

/** The layout's columns, each with the id it already has if its stored values can be read as the new type; null if nothing changes. */
function evolveSchema(metadata: TableMetadata, current: Schema, layout: OnlineLayout): Schema | null {
  const known = new Map(current.fields.map((field) => [field.name, field]));
  let nextId = metadata.lastColumnId + 1;
  const fields = layout.schema.fields.map((wanted): NestedField => {
    const before = known.get(wanted.name);
    if (before !== undefined && sameType(wanted.type, before.type)) return before;
    if (before !== undefined && acceptsType(wanted.type, before.type)) return { ...before, type: wanted.type };
    const fresh = assignFreshIds({ schemaId: 0, fields: [wanted], identifierFieldIds: [] }, nextId);
    nextId = highestFieldId(fresh) + 1;
    return fresh.fields[0] ?? wanted;
  });
  if (fields.length === current.fields.length && fields.every((field) => current.fields.includes(field))) return null;
  const schemaId = largest(metadata.schemas.map((schema) => schema.schemaId)) + 1;
  return { schemaId, fields, identifierFieldIds: [] };
}

/** The table's own spec with the layout's fields, whatever their names, or one that is to be added. */
function specOf(metadata: TableMetadata, schema: Schema, layout: PartitionedLayout): PartitionSpec {
  const { partitionSpecs, defaultSpecId } = metadata;
  const { fields } = onlinePartitionSpec(layout, schema);
  const alike = (a: PartitionField, b: PartitionField | undefined): boolean =>
    a.sourceId === b?.sourceId && sameTransform(a.transform, b.transform);
  const [known] = partitionSpecs
    .filter(
      (spec) =>
        spec.fields.length === fields.length && fields.every((field, index) => alike(field, spec.fields[index])),
    )
    .sort((a, b) => Number(b.specId === defaultSpecId) - Number(a.specId === defaultSpecId));
  const remove = defaultSpec(metadata).fields.map(({ name }) => name);
  return known ?? evolvePartitionSpec(metadata, { remove, add: fields });
}
