/** Tables whose files lie elsewhere than their locations say, and the lines for `storage.locations` that find them. */
import { access } from 'node:fs/promises';
import { type Catalog, formatTableName, type TableIdentifier } from '../catalogs/index.js';
import { isMoraineError } from '../errors/index.js';
import { comparableLocation, isStoreLocation, type Location, type LocationPrefix } from '../locations/index.js';
import { catalogTables } from './catalog-tables.js';
import { hasTablesOfOthers } from './dependencies.js';
import type { Project } from './project.js';

/** The findings about the tables of all catalogs. */
export interface MovedLocations {
  /** Prefixes that are not mapped yet, each with the folder that has its files. */
  readonly proposed: readonly LocationPrefix[];
  /** Tables whose metadata was found neither at its location nor below the project's folders. */
  readonly lost: readonly { readonly table: string; readonly location: Location }[];
  /** Tables outside the storage roots, in catalogs that have tables of others, too: they are not read. */
  readonly elsewhere: readonly string[];
}

/**
 * Looks for the metadata file of every table: where it is said to be, and else below the storage roots.
 * @throws as reading a catalog; a table that is damaged in other ways is none of this function's business
 */
export async function findMovedLocations(project: Project): Promise<MovedLocations> {
  const proposed = new Map<Location, LocationPrefix>();
  const lost: { table: string; location: Location }[] = [];
  const elsewhere: string[] = [];
  const folders = project.config.storage.roots.filter((root) => !isStoreLocation(root));
  for (const [name, config] of project.config.catalogs) {
    const catalog = await project.catalog(name);
    for await (const identifier of catalogTables(catalog)) {
      const missing = await missingLocation(catalog, identifier);
      if (missing === null) continue;
      const { location, isElsewhere } = missing;
      const table = `${name}/${formatTableName(identifier)}`;
      const found = await findBelow(folders, location);
      if (found !== null) proposed.set(found.prefix, found);
      else if (isElsewhere && hasTablesOfOthers(config)) elsewhere.push(table);
      else lost.push({ table, location });
    }
  }
  return { proposed: [...proposed.values()], lost, elsewhere };
}

/** A table whose metadata cannot be read. */
interface Missing {
  /** Where its metadata is said to be. */
  readonly location: Location;
  /** Whether that is outside the storage roots, where nothing is looked at. */
  readonly isElsewhere: boolean;
}

/** Null: the metadata is there, or something else is the matter. */
async function missingLocation(catalog: Catalog, identifier: TableIdentifier): Promise<Missing | null> {
  try {
    await catalog.loadTable(identifier, { snapshots: 'refs' });
    return null;
  } catch (error) {
    if (!isMoraineError(error, 'LOCATION_REFUSED', 'FILE_NOT_FOUND')) return null;
    const { location } = error.details;
    return typeof location === 'string' ? { location, isElsewhere: error.code === 'LOCATION_REFUSED' } : null;
  }
}

/** The shortest prefix without which the location names a file below one of the folders. */
async function findBelow(folders: readonly string[], location: Location): Promise<LocationPrefix | null> {
  const plain = comparableLocation(location);
  const scheme = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.exec(plain)?.[0] ?? '/';
  const segments = plain.slice(scheme.length).split('/');
  for (let dropped = 1; dropped < segments.length; dropped++) {
    const rest = segments.slice(dropped).join('/');
    for (const folder of folders) {
      if (await exists(`${folder}/${rest}`)) return { prefix: scheme + segments.slice(0, dropped).join('/'), folder };
    }
  }
  return null;
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
