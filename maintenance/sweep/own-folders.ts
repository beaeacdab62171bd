/**
 * The folders that a table may have files deleted in. Metadata may name any folder: one that the table shares with another table, or
 * that holds a storage root or the project, holds files that the table's metadata cannot vouch for.
 */
import { isMoraineError, MoraineError } from '../../errors/index.js';
import type { FileIO } from '../../storage/index.js';
import type { Table } from '../../tables/index.js';
import type { GuardedPlace, MaintenanceDeps } from '../deps.js';
import { isSame, tableName } from '../table-name.js';

/** Table properties that name folders besides the table's location. */
const FOLDER_PROPERTIES = ['write.data.path', 'write.metadata.path'];

const isWithin = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`);

/** The message for a table whose folders are not its own. */
type Refusal = (table: string, reason: string) => string;

export class OwnFolders {
  readonly #table: Table;
  readonly #folders: readonly string[];
  readonly #refusal: Refusal;

  private constructor(table: Table, folders: readonly string[], refusal: Refusal) {
    this.#table = table;
    this.#folders = folders;
    this.#refusal = refusal;
  }

  /**
   * The table's location, and its `write.data.path` and `write.metadata.path` as far as they lie below a storage root.
   * @param refusal of what needs folders of the table's own; by default of deleting files
   */
  static async of(table: Table, refusal: Refusal = nothingDeleted): Promise<OwnFolders> {
    return new OwnFolders(table, await foldersOf(table), refusal);
  }

  /** The canonical paths of those that lie in none of the others: the table's location first, if it is among them. */
  get outermost(): readonly string[] {
    return this.#folders.filter(
      (folder) => !this.#folders.some((other) => other !== folder && isWithin(folder, other)),
    );
  }

  /** Whether a canonical path lies in one of them. */
  hold(path: string): boolean {
    return this.#folders.some((folder) => isWithin(path, folder));
  }

  /** @throws MoraineError `FOLDER_SHARED` if a folder of the other table overlaps one of these, naming both tables */
  async requireApart(other: Table): Promise<void> {
    if (isSame(this.#table, other)) return;
    const foreign = await foldersOf(other);
    for (const folder of this.#folders) {
      for (const path of foreign) {
        if (isWithin(path, folder)) throw this.#shared(folder, path, `a folder of table ${tableName(other)}`);
        if (isWithin(folder, path)) throw this.#within(folder, path, `a folder of table ${tableName(other)}`);
      }
    }
  }

  /** @throws MoraineError `FOLDER_SHARED` if one of the folders holds the place, is it, or lies in a closed one */
  async requireWithout({ name, location, isClosed }: GuardedPlace): Promise<void> {
    const path = await pathBelowRoots(this.#table.io, location);
    if (path === null) return;
    for (const folder of this.#folders) {
      if (isWithin(path, folder)) throw this.#shared(folder, path, name);
      if (isClosed === true && isWithin(folder, path)) throw this.#within(folder, path, name);
    }
  }

  #shared(folder: string, path: string, name: string): MoraineError {
    const relation = path === folder ? `is also ${name}` : `holds ${JSON.stringify(path)}, ${name}`;
    return this.#refused(`its folder ${JSON.stringify(folder)} ${relation}`);
  }

  #within(folder: string, path: string, name: string): MoraineError {
    return this.#refused(`its folder ${JSON.stringify(folder)} lies in ${JSON.stringify(path)}, ${name}`);
  }

  #refused(reason: string): MoraineError {
    const table = tableName(this.#table);
    return new MoraineError('FOLDER_SHARED', this.#refusal(table, reason), { details: { table } });
  }
}

function nothingDeleted(table: string, reason: string): string {
  return `No file of table ${table} is deleted: ${reason}. Only a table with folders of its own is cleaned up: correct its location and its properties ${FOLDER_PROPERTIES.join(' and ')}, or drop the name that should not be there.`;
}

/**
 * The folders of a table, after they were held against every other table and every guarded place.
 * @param onTable told of every table of the catalogs
 * @throws MoraineError `FOLDER_SHARED`; what reading the other tables' metadata throws
 */
export async function requireOwnFolders(
  { tables, guardedPlaces }: Pick<MaintenanceDeps, 'tables' | 'guardedPlaces'>,
  table: Table,
  onTable: (each: Table) => void = () => undefined,
  refusal?: Refusal,
): Promise<OwnFolders> {
  const own = await OwnFolders.of(table, refusal);
  for (const place of await guardedPlaces()) await own.requireWithout(place);
  for await (const each of tables()) {
    onTable(each);
    await own.requireApart(each);
  }
  return own;
}

async function foldersOf({ io, metadata }: Table): Promise<readonly string[]> {
  const named = FOLDER_PROPERTIES.flatMap((name) => metadata.properties.get(name) ?? []);
  const paths = await Promise.all([metadata.location, ...named].map((location) => pathBelowRoots(io, location)));
  return [...new Set(paths.filter((path) => path !== null))];
}

/** Null: outside the storage roots, where nothing is deleted. */
async function pathBelowRoots(io: FileIO, location: string): Promise<string | null> {
  try {
    return await io.canonical(location);
  } catch (error) {
    if (isMoraineError(error, 'LOCATION_REFUSED')) return null;
    throw error;
  }
}
