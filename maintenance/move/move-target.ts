/** The place that a table moves to, looked at before anything is written. */
import {
  type Catalog,
  ensureNamespace,
  formatTableName,
  isMetadataFile,
  metadataFolder,
  readTableMetadata,
  withoutTrailingSlash,
} from '../../catalogs/index.js';
import { MoraineError } from '../../errors/index.js';
import { comparableLocation, type Location, printableLocation, type Relocation } from '../../locations/index.js';
import { listFiles } from '../../storage/index.js';
import { type MovedTo, movedTo, requireUnmoved, type Table } from '../../tables/index.js';
import type { MaintenanceDeps } from '../deps.js';
import { requireOwnFolders } from '../sweep/own-folders.js';
import { tableName } from '../table-name.js';
import { relocatedTable } from './relocated-table.js';

/** The other tables and places of the project. */
export type MoveNeighbours = Pick<MaintenanceDeps, 'tables' | 'guardedPlaces'>;

/** @throws MoraineError `INVALID_ARGUMENT`, `UNSUPPORTED_FEATURE` for catalogs between which no table moves */
export function checkCatalogs(source: Table, target: Catalog): void {
  if (source.metadata.tableUuid === '') {
    const message = `Table ${tableName(source)} has no uuid, by which a move knows its own work: upgrade it first (moraine table upgrade).`;
    throw new MoraineError('UNSUPPORTED_FEATURE', message);
  }
  const from = source.catalog;
  if (from?.id === target.id) {
    const message = `Table ${tableName(source)} is in catalog ${target.name} already: --to names another catalog.`;
    throw new MoraineError('INVALID_ARGUMENT', message);
  }
  for (const catalog of [from, target]) {
    if (catalog?.isReadOnly === true) {
      const message = `Table ${tableName(source)} cannot move from or to catalog ${catalog.name}, which is read through Trino and cannot be changed: a move marks the old name and registers the new one. Configure the catalog that Trino itself uses (REST, Glue, Hive, PostgreSQL), and name that.`;
      throw new MoraineError('UNSUPPORTED_FEATURE', message);
    }
    if (catalog?.hasTableRefs !== false) continue;
    const message = `Catalog ${catalog.name} keeps the history of its tables itself (Nessie), and gives and takes one snapshot: a move would lose the others. Append the rows to a new table there instead.`;
    throw new MoraineError('UNSUPPORTED_FEATURE', message);
  }
  if (target.registersTables !== false && target.decidesLocations !== true) return;
  const message = `Catalog ${target.name} makes its tables itself: its server does not register a table whose files are there already.`;
  throw new MoraineError('UNSUPPORTED_FEATURE', message);
}

/**
 * Where the table goes: as an earlier attempt has begun it, as asked for, or where the catalog puts tables of the name.
 * @throws MoraineError `TABLE_MOVED` if it is on its way to another place; `INVALID_ARGUMENT` for another location than the attempt's
 */
export async function placeOf(source: Table, target: Catalog, asked: Location | undefined): Promise<MovedTo> {
  const table = formatTableName(source.identifier, target.name);
  const begun = movedTo(source.metadata);
  if (begun !== null) {
    if (begun.table !== table) requireUnmoved(source);
    if (asked === undefined || comparableLocation(asked) === comparableLocation(begun.location)) return begun;
    const message = `The move of table ${tableName(source)} was begun to ${printableLocation(begun.location)}: leave --location out, or name that.`;
    throw new MoraineError('INVALID_ARGUMENT', message);
  }
  await ensureNamespace(target, source.identifier.namespace);
  const location = asked ?? (await target.newTableLocation(source.identifier));
  return { table, location: withoutTrailingSlash(location) };
}

/**
 * Makes sure that the new folder can be written and is nobody else's.
 * @throws MoraineError `LOCATION_REFUSED` outside the storage roots; `UNSUPPORTED_FEATURE` where files would be replaced; `FOLDER_SHARED`; `FILE_ALREADY_EXISTS` for the metadata of another table,
 *   or of commits that were made in the new place
 */
export async function checkFolder(
  neighbours: MoveNeighbours,
  source: Table,
  target: Catalog,
  relocation: Relocation,
): Promise<void> {
  await target.reach?.(source.identifier, `${relocation.to}/metadata/moved.metadata.json`);
  // Two moves choose the same names.
  await source.io.requireExclusiveCreation(relocation.to);
  const moved = relocatedTable(source, target, relocation);
  const refusal = (_: string, reason: string): string =>
    `Table ${tableName(source)} cannot move to ${printableLocation(relocation.to)}: ${reason}. Choose another folder with --location.`;
  await requireOwnFolders(neighbours, moved, () => undefined, refusal);
  await refuseOtherMetadata(source, moved, relocation);
}

async function refuseOtherMetadata(source: Table, moved: Table, relocation: Relocation): Promise<void> {
  const { io, metadata } = source;
  const log = metadata.metadataLog.map(({ metadataFile }) => metadataFile);
  const own = new Set(
    await Promise.all([source.metadataLocation, ...log].map((file) => io.canonical(relocation.of(file)))),
  );
  for await (const { location } of listFiles(io, metadataFolder(moved.metadata))) {
    if (!isMetadataFile(location) || own.has(location)) continue;
    const { tableUuid } = await readTableMetadata(io, location);
    const why =
      tableUuid === metadata.tableUuid
        ? 'was committed there after an earlier move. The table of that move is back with moraine table register; to move it once more, choose another folder with --location'
        : 'is of another table. Choose another folder with --location';
    const message = `Table ${tableName(source)} cannot move to ${printableLocation(relocation.to)}: ${printableLocation(location)} ${why}.`;
    throw new MoraineError('FILE_ALREADY_EXISTS', message, { details: { location } });
  }
}
