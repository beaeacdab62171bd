/** The columns of an online table by what they are for. Pure. */
import { MoraineError } from '../errors/index.js';
import {
  currentSchema,
  currentSnapshot,
  findSnapshot,
  type NestedField,
  type Schema,
  schemaOfSnapshot,
  type TableMetadata,
} from '../iceberg/index.js';
import type { EntityKeyPart } from './entity-key.js';
import { ONLINE_COLUMNS } from './online-columns.js';
import { joinKeysOfTable } from './online-schema-change.js';

/** The columns of an online table by what they are for. */
export interface OnlineColumns {
  readonly keys: readonly EntityKeyPart[];
  /** The column that is bucketed. */
  readonly lookup: NestedField;
  readonly eventTimestamp: NestedField;
  readonly createdTimestamp: NestedField;
  /** In the view's order. */
  readonly features: readonly NestedField[];
}

/** Sorts a table's columns by purpose. @throws METADATA_CORRUPT if the table is not an online table of the keys */
export function onlineColumns(schema: Schema, joinKeys: readonly string[], viewName: string): OnlineColumns {
  const find = (name: string): NestedField => {
    const field = schema.fields.find((candidate) => candidate.name === name);
    if (field !== undefined) return field;
    throw new MoraineError(
      'METADATA_CORRUPT',
      `The online table of '${viewName}' has no column '${name}': materialize the view again.`,
    );
  };
  const keyFields = joinKeys.map(find);
  const encoded = schema.fields.find((field) => field.name === ONLINE_COLUMNS.entityKey);
  const lookup = encoded ?? keyFields[0];
  if (lookup === undefined) throw new MoraineError('METADATA_CORRUPT', `The online table of '${viewName}' has no key.`);
  const others: ReadonlySet<string> = new Set([...joinKeys, ...Object.values(ONLINE_COLUMNS)]);
  return {
    keys: keyFields.map(({ name, type }) => ({ name, type })),
    lookup,
    eventTimestamp: find(ONLINE_COLUMNS.eventTimestamp),
    createdTimestamp: find(ONLINE_COLUMNS.createdTimestamp),
    features: schema.fields.filter((field) => !others.has(field.name)),
  };
}

/**
 * The columns of a table's current snapshot. A run that has begun may have changed the table's own already, and has written no value of them.
 * @param joinKeys those of the view, for a table that does not record its own
 * @throws METADATA_CORRUPT if the table is not an online table
 */
export function storedColumns(
  metadata: TableMetadata,
  joinKeys: readonly string[],
  viewName: string,
): { readonly schema: Schema; readonly columns: OnlineColumns } {
  const snapshot = currentSnapshot(metadata);
  const schema = snapshot === null ? currentSchema(metadata) : schemaOfSnapshot(metadata, snapshot);
  return { schema, columns: onlineColumns(schema, joinKeysOfTable(metadata) ?? joinKeys, viewName) };
}

/**
 * Whether a table has columns that it did not have when a snapshot was committed: rows of then have no value of them.
 * @param snapshotId if it has expired, the current one stands for it
 */
export function hasColumnsSince(metadata: TableMetadata, snapshotId: bigint): boolean {
  const snapshot = findSnapshot(metadata, snapshotId) ?? currentSnapshot(metadata);
  if (snapshot === null) return false;
  const known = new Set(schemaOfSnapshot(metadata, snapshot).fields.map(({ id }) => id));
  return currentSchema(metadata).fields.some(({ id }) => !known.has(id));
}
