/** How an existing online table becomes what its view now needs. Pure. */
import { largest } from '../errors/index.js';
import { acceptsType, sameType } from '../features/index.js';
import {
  assignFreshIds,
  highestFieldId,
  type NestedField,
  type PartitionSpec,
  parseJson,
  type Schema,
  type TableMetadata,
} from '../iceberg/index.js';
import { type BucketedLayout, type OnlineLayout, onlinePartitionSpec } from './online-layout.js';

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
  | { readonly kind: 'none'; readonly buckets: number }
  /** Columns are added, dropped or widened (columns that stay keep their field ids), or the number of buckets changed. */
  | {
      readonly kind: 'evolve';
      readonly buckets: number;
      readonly schema: Schema | null;
      readonly spec: PartitionSpec | null;
    }
  /** Rows are identified in another way: no row, pushed or not, can be kept. */
  | { readonly kind: 'recreate'; readonly reason: string };

/**
 * Compares a table with the layout and join keys that its view now has.
 * @param wantedBuckets undefined: the table keeps its number of buckets
 */
export function compareOnlineTable(
  metadata: TableMetadata,
  layout: OnlineLayout,
  joinKeys: readonly string[],
  wantedBuckets: number | undefined,
): OnlineTableChange {
  const current = metadata.schemas.find((schema) => schema.schemaId === metadata.currentSchemaId);
  if (current === undefined) return { kind: 'recreate', reason: 'it has no schema' };
  const keyChange = changedKey(metadata, current, layout, joinKeys);
  if (keyChange !== null) return { kind: 'recreate', reason: keyChange };
  const before = bucketsOf(metadata);
  if (before === undefined) return { kind: 'recreate', reason: 'it is not partitioned by a bucket of its key' };
  const schema = evolveSchema(metadata, current, layout);
  const buckets = wantedBuckets ?? before;
  const spec = buckets === before ? null : otherBuckets(metadata, schema ?? current, { ...layout, buckets });
  return schema === null && spec === null ? { kind: 'none', buckets } : { kind: 'evolve', buckets, schema, spec };
}

/** The number of buckets that new files of a table have; undefined if it is not partitioned by a bucket. */
export function bucketsOf(metadata: TableMetadata): number | undefined {
  const spec = metadata.partitionSpecs.find((candidate) => candidate.specId === metadata.defaultSpecId);
  const transform = spec?.fields[0]?.transform;
  return transform?.kind === 'bucket' ? transform.numBuckets : undefined;
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

function otherBuckets(metadata: TableMetadata, schema: Schema, layout: BucketedLayout): PartitionSpec {
  const specId = largest(metadata.partitionSpecs.map((spec) => spec.specId)) + 1;
  const fields = onlinePartitionSpec(layout, schema).fields;
  return { specId, fields: fields.map((field) => ({ ...field, fieldId: metadata.lastPartitionId + 1 })) };
}
