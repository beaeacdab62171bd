/**
 * The table of a saved dataset. It is made, filled in one snapshot and recorded under the key of the save, which its own property holds: a
 * save that was cut short anywhere is finished by repeating it, and no other save touches its table.
 */
import { createHash } from 'node:crypto';
import {
  type Catalog,
  ensureNamespace,
  formatTableName,
  type TableIdentifier,
  withTableDefaults,
} from '../../catalogs/index.js';
import { isMoraineError, MoraineError } from '../../errors/index.js';
import type { Schema } from '../../iceberg/index.js';
import type { FileIO } from '../../storage/index.js';
import { commitAppend, findRun, loadTable, type NewFiles, reachFaultPoint, type Table } from '../../tables/index.js';
import { DATASET_PROPERTY, type DatasetRecord, recordFromJson, recordToJson } from './dataset-record.js';

/** Property of a dataset's table that holds the key of the save that made it. */
export const DATASET_RUN_PROPERTY = 'moraine.dataset-run';

/** Places where a test may kill the process that saves a dataset, in the order in which it passes them. */
export const DATASET_FAULT_POINTS = ['dataset-table-created', 'dataset-rows-committed'] as const;

/** A catalog and the name that a dataset's table has, or will have, in it. */
export interface DatasetTarget {
  readonly catalog: Catalog;
  readonly identifier: TableIdentifier;
}

/** The key of a save, equal for the same work: SHA-256 of its record, whatever snapshot of the dataset's table that names. */
export function saveKey(record: DatasetRecord): string {
  const location = 'table' in record.location ? { ...record.location, snapshotId: 0n } : record.location;
  return createHash('sha256')
    .update(recordToJson({ ...record, location }))
    .digest('hex');
}

/**
 * The table of a save: made now with its namespace, or by an attempt before.
 * @param table `location`: where its files are, unless the catalog decides that; `properties`: further ones
 * @throws TABLE_ALREADY_EXISTS for a table that another save or anybody else has made
 */
export async function ensureDatasetTable(
  io: FileIO,
  { catalog, identifier }: DatasetTarget,
  key: string,
  table: { readonly schema: Schema; readonly location?: string; readonly properties?: ReadonlyMap<string, string> },
): Promise<Table> {
  await ensureNamespace(catalog, identifier.namespace);
  try {
    const properties = new Map([...(table.properties ?? []), [DATASET_RUN_PROPERTY, key] as const]);
    const { location, ...rest } = table;
    const place = location === undefined || catalog.decidesLocations === true ? {} : { location };
    await catalog.createTable(identifier, withTableDefaults({ ...rest, ...place, properties }));
  } catch (error) {
    if (!isMoraineError(error, 'TABLE_ALREADY_EXISTS')) throw error;
  }
  reachFaultPoint('dataset-table-created');
  const made = await loadTable(catalog, io, identifier);
  requireOwn(made, key);
  return made;
}

/** The table that an attempt before has made, or null. @throws TABLE_ALREADY_EXISTS as {@link ensureDatasetTable} */
export async function findDatasetTable(
  io: FileIO,
  { catalog, identifier }: DatasetTarget,
  key: string,
): Promise<Table | null> {
  if (!(await catalog.namespaceExists(identifier.namespace)) || !(await catalog.tableExists(identifier))) return null;
  const made = await loadTable(catalog, io, identifier);
  requireOwn(made, key);
  return made;
}

function requireOwn({ metadata, identifier }: Table, key: string): void {
  const owner = metadata.properties.get(DATASET_RUN_PROPERTY);
  if (owner === key) return;
  const name = formatTableName(identifier);
  const remedy =
    owner === undefined
      ? 'Choose another name.'
      : 'It was made by another save: choose another name, or drop it if `moraine features datasets` does not list it.';
  throw new MoraineError('TABLE_ALREADY_EXISTS', `Table ${name} exists already. ${remedy}`);
}

/** The record that an attempt of this save has committed with the rows; null: none has. */
export function committedRecord({ metadata }: Table, key: string): DatasetRecord | null {
  const text = metadata.properties.get(DATASET_PROPERTY);
  return text === undefined || findRun(metadata, { key }) === null ? null : recordFromJson(text);
}

/**
 * Commits the rows and their record in one snapshot, once for each key.
 * @param record of the dataset, by its table's snapshot
 * @returns the record as it was committed, by this attempt or one before
 * @throws COMMIT_STATE_UNKNOWN, COMMIT_CONFLICT, TABLE_NOT_FOUND
 */
export async function commitDatasetRows(
  table: Table,
  key: string,
  files: NewFiles,
  record: (snapshotId: bigint) => DatasetRecord,
): Promise<DatasetRecord> {
  const { metadata, snapshotId } = await commitAppend(table, {
    ...files,
    run: { key },
    properties: (_base, newId) => new Map([[DATASET_PROPERTY, recordToJson(record(newId))]]),
  });
  reachFaultPoint('dataset-rows-committed');
  return committedRecord({ ...table, metadata }, key) ?? record(snapshotId);
}
