/** Tables between Moraine and Trino: made for one attempt, written by one of the two, read by the other, and dropped with their files. */
import { randomUUID } from 'node:crypto';
import { type Catalog, ensureNamespace, type TableIdentifier, withTableDefaults } from '../../catalogs/index.js';
import type { Connection } from '../../engine/index.js';
import { isMoraineError } from '../../errors/index.js';
import type { Schema } from '../../iceberg/index.js';
import type { Location } from '../../locations/index.js';
import { stageRows } from '../../staging/index.js';
import { type FileIO, listFiles } from '../../storage/index.js';
import { commitAppend, loadTable, type Table } from '../../tables/index.js';
import type { WorkAttempt } from '../reduce-context.js';
import { type StagingKind, stagingName } from './staging-name.js';

/** Where staging tables are. */
export interface StagingPlace {
  readonly catalog: Catalog;
  readonly io: FileIO;
  readonly namespace: readonly string[];
}

/** Makes an empty table of format version 2. */
export async function makeStagingTable(
  place: StagingPlace,
  kind: StagingKind,
  schema: Schema,
  attempt?: WorkAttempt,
): Promise<Table> {
  const { catalog, io, namespace } = place;
  await ensureNamespace(catalog, namespace);
  const identifier = { namespace, name: stagingName(kind, Date.now(), attempt, randomUUID()) };
  await catalog.createTable(identifier, withTableDefaults({ schema, formatVersion: 2 }));
  return await loadTable(catalog, io, identifier);
}

/** Commits the rows of a statement to a table that was just made. */
export async function fillStagingTable(connection: Connection, table: Table, select: string): Promise<void> {
  const files = await stageRows(connection, table, { select, namePrefix: randomUUID() });
  if (files.length > 0) await commitAppend(table, { files });
}

/**
 * Drops a table with the files in its folder. Its data files go first: whoever is killed on the way leaves a table that is found, or metadata
 * alone.
 */
export async function dropStagingTable(place: StagingPlace, { identifier, metadata }: Table): Promise<void> {
  const folder = metadata.location;
  await deleteFiles(place.io, folder, (file) => !file.startsWith(`${folder}/metadata/`));
  await place.catalog.dropTable(identifier).catch((error: unknown) => {
    if (!isMoraineError(error, 'TABLE_NOT_FOUND')) throw error;
  });
  await deleteFiles(place.io, folder, () => true);
}

async function deleteFiles(io: FileIO, folder: Location, isMeant: (file: Location) => boolean): Promise<void> {
  const files: Location[] = [];
  for await (const { location } of listFiles(io, folder)) if (isMeant(location)) files.push(location);
  if (files.length > 0) await io.delete(...files);
}

/** The tables of the namespace whose names fit. */
export async function stagingTables(
  { catalog, namespace }: StagingPlace,
  fits: (name: string) => boolean,
): Promise<readonly TableIdentifier[]> {
  if (!(await catalog.namespaceExists(namespace))) return [];
  return (await catalog.listTables(namespace)).filter(({ name }) => fits(name));
}

/** Drops each of the tables, as far as that can be done: what stays is never read, and dropped with what others have left. */
export async function dropStagingTables(place: StagingPlace, tables: readonly Table[]): Promise<void> {
  for (const table of tables) await dropStagingTable(place, table).catch(() => undefined);
}

/** The same for tables by their names, as far as they are still there. */
export async function dropNamed(place: StagingPlace, tables: readonly TableIdentifier[]): Promise<void> {
  for (const identifier of tables) {
    const table = await loadTable(place.catalog, place.io, identifier).catch(() => undefined);
    if (table !== undefined) await dropStagingTables(place, [table]);
  }
}
