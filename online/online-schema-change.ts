/** How an existing online table becomes what its view now needs. Pure. */
import { largest, MoraineError } from '../errors/index.js';
import { acceptsType, sameType } from '../features/index.js';
import {
  assignFreshIds,
  currentSchema,
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
  typeToString,
} from '../iceberg/index.js';
import { type OnlineLayout, onlinePartitionSpec, type PartitionedLayout } from './online-layout.js';
import { partitioningOf } from './online-partitioning.js';

/** Table property: names of the join keys, as a JSON array, in the order of the encoding. */
export const JOIN_KEYS_PROPERTY = 'moraine.join-keys';

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
  /** Rows are identified in another way: no row, pushed or not, could be kept. @see incompatibleOnlineTable */
  | { readonly kind: 'incompatible'; readonly reason: string };

/** Compares a table with the layout and join keys that its view now has. */
export function compareOnlineTable(
  metadata: TableMetadata,
  layout: PartitionedLayout,
  joinKeys: readonly string[],
): OnlineTableChange {
  const reason = incompatibility(metadata, layout, joinKeys);
  if (reason !== null) return { kind: 'incompatible', reason };
  const current = currentSchema(metadata);
  const schema = evolveSchema(metadata, current, layout);
  const spec = specOf(metadata, schema ?? current, layout);
  const change = spec.specId === metadata.defaultSpecId ? null : spec;
  return schema === null && change === null ? { kind: 'none' } : { kind: 'evolve', schema, spec: change };
}

/**
 * Why rows of a layout and join keys can never be rows of a table, as a clause about the table; null if they can, perhaps after an evolution.
 * @throws METADATA_CORRUPT if the table has no current schema
 */
export function incompatibility(
  metadata: TableMetadata,
  layout: OnlineLayout,
  joinKeys: readonly string[],
): string | null {
  const current = currentSchema(metadata);
  const before = joinKeysOfTable(metadata);
  if (before === null) return 'it records no join keys';
  if (JSON.stringify(before) !== JSON.stringify(joinKeys))
    return `its join keys are ${before.join(', ')}, those of the view ${joinKeys.join(', ')}`;
  const wanted = new Map(layout.schema.fields.map((field) => [field.name, field.type]));
  for (const name of [layout.keyColumn, ...joinKeys]) {
    const type = current.fields.find((field) => field.name === name)?.type;
    const wantedType = wanted.get(name);
    if (type === undefined || wantedType === undefined) return `it has no column '${name}'`;
    if (!acceptsType(wantedType, type)) {
      return `its join key '${name}' is ${typeToString(type)}, that of the view ${typeToString(wantedType)}`;
    }
  }
  return partitioningOf(metadata) === undefined ? 'it is not partitioned by its key or its event time' : null;
}

/**
 * The error of a view whose rows can never be rows of its online table. The table is not dropped for it: clients may have pushed rows that no source has.
 * @param table the online table's name
 */
export function incompatibleOnlineTable(table: string, view: string, reason: string): MoraineError {
  return new MoraineError(
    'ONLINE_TABLE_INCOMPATIBLE',
    `The online table ${table} cannot hold rows of feature view '${view}' as it is defined now: ${reason}.`,
    {
      details: { table, view },
      remedy: `Run \`moraine online teardown ${view} --yes\`, which drops the table with all rows that were pushed to it, and apply and materialize the view again. To keep the table, give the view another name.`,
    },
  );
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
