/** The columns of an online table by what they are for. Pure. */
import { MoraineError } from '../errors/index.js';
import {
  currentSchema,
  currentSnapshot,
  findSnapshot,
  type NestedField,
  type Schema,
  type Snapshot,
  schemaOfSnapshot,
  type TableMetadata,
} from '../iceberg/index.js';
import type { EntityKeyPart } from './entity-key.js';
import { ONLINE_COLUMNS } from './online-columns.js';
import { joinKeysOfTable } from './online-schema-change.js';
import { currentAncestors } from './table-progress.js';

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
 * The snapshot that wrote values last; null: there is none. One that only wrote rows or lists of files anew (specification, operation `replace`) has the table's
 * columns of then in its schema, and no value of those that came since.
 */
function writtenSnapshot(metadata: TableMetadata): Snapshot | null {
  const chain = currentAncestors(metadata);
  return chain.find(({ summary }) => summary.get('operation') !== 'replace') ?? chain.at(-1) ?? null;
}

function writtenSchema(metadata: TableMetadata): Schema {
  const snapshot = writtenSnapshot(metadata);
  return snapshot === null ? currentSchema(metadata) : schemaOfSnapshot(metadata, snapshot);
}

/** The columns that values were written of, each as the current snapshot has it: another engine may have renamed one, and snapshots after that have the name. */
export function storedSchema(metadata: TableMetadata): Schema {
  const [written, snapshot] = [writtenSchema(metadata), currentSnapshot(metadata)];
  const latest = snapshot === null ? written : schemaOfSnapshot(metadata, snapshot);
  const byId = new Map(latest.fields.map((field) => [field.id, field]));
  const fields = written.fields.map((field) => byId.get(field.id) ?? field);
  const isUnclear = new Set(fields.map(({ name }) => name)).size < fields.length;
  return isUnclear ? written : { ...latest, fields };
}

/**
 * The columns that rows have values of. A run that has begun may have changed the table's own already, and has written no value of them.
 * @param joinKeys those of the view, for a table that does not record its own
 * @throws METADATA_CORRUPT if the table is not an online table
 */
export function storedColumns(
  metadata: TableMetadata,
  joinKeys: readonly string[],
  viewName: string,
): { readonly schema: Schema; readonly columns: OnlineColumns } {
  const schema = storedSchema(metadata);
  return { schema, columns: onlineColumns(schema, joinKeysOfTable(metadata) ?? joinKeys, viewName) };
}

/**
 * Whether a table has columns that it did not have when a snapshot was committed: rows of then have no value of them.
 * @param snapshotId if it has expired, the one that wrote values last stands for it
 */
export function hasColumnsSince(metadata: TableMetadata, snapshotId: bigint): boolean {
  const snapshot = findSnapshot(metadata, snapshotId) ?? writtenSnapshot(metadata);
  return snapshot !== null && lacksColumns(schemaOfSnapshot(metadata, snapshot), currentSchema(metadata));
}

/**
 * Whether a table has got or lost columns since values were written: who writes its rows anew by its own columns takes the values of those that are lost, which
 * reads are still answered with.
 */
export function hasOtherColumns(metadata: TableMetadata): boolean {
  const [written, current] = [writtenSchema(metadata), currentSchema(metadata)];
  return lacksColumns(written, current) || lacksColumns(current, written);
}

/** Names of columns that a run has made anew, since their type cannot become that of the source, and that no row has a value of yet. */
export function columnsMadeAnew(metadata: TableMetadata): readonly string[] {
  const written = new Map(writtenSchema(metadata).fields.map(({ name, id }) => [name, id]));
  return currentSchema(metadata).fields.flatMap(({ name, id }) => ((written.get(name) ?? id) === id ? [] : [name]));
}

/** Whether a schema lacks a column of another one. */
function lacksColumns(schema: Schema, other: Schema): boolean {
  const known = new Set(schema.fields.map(({ id }) => id));
  return other.fields.some(({ id }) => !known.has(id));
}
