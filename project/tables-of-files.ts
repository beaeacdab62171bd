/** The tables that files belong to. */
import { formatTableName, type TableIdentifier } from '../catalogs/index.js';
import { isMoraineError } from '../errors/index.js';
import { comparableLocation } from '../locations/index.js';
import { dataFolder } from '../staging/index.js';
import { mapConcurrently } from '../storage/index.js';
import { catalogTables } from './catalog-tables.js';
import type { Project } from './project.js';

/** A table, and the folders that are its own. */
export interface TablePlace {
  readonly table: string;
  readonly folders: readonly string[];
}

/** For each folder the table whose location, or data folder, is the nearest at or above it. Those of no table are left out. */
export function nearestTables(places: readonly TablePlace[], folders: readonly string[]): ReadonlyMap<string, string> {
  const owned = places.flatMap(({ table, folders: own }) =>
    own.map((folder) => ({ table, folder: comparableLocation(folder).replace(/\/+$/, '') })),
  );
  const found = folders.map((folder) => {
    const asked = comparableLocation(folder);
    const around = owned.filter((place) => `${asked}/`.startsWith(`${place.folder}/`));
    const [nearest] = around.toSorted((a, b) => b.folder.length - a.folder.length);
    return [folder, nearest?.table] as const;
  });
  return new Map(found.filter((pair): pair is readonly [string, string] => pair[1] !== undefined));
}

/**
 * The names of the tables that folders with data files belong to, among those of all configured catalogs. Tables that cannot be read, and
 * catalogs that do not answer, have none.
 */
export async function tablesOfFiles(
  project: Project,
  folders: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const places: TablePlace[] = [];
  for (const name of project.config.catalogs.keys()) {
    const catalogName = name === project.config.defaultCatalog ? undefined : name;
    const tables = await namesOf(project, name);
    const read = await mapConcurrently(tables, async (identifier) => {
      const table = formatTableName(identifier, catalogName);
      const metadata = await unlessFailed(async () => (await project.loadTable(table)).metadata);
      return metadata === undefined ? [] : [{ table, folders: [metadata.location, dataFolder(metadata)] }];
    });
    places.push(...read.flat());
  }
  return nearestTables(places, folders);
}

async function namesOf(project: Project, name: string): Promise<readonly TableIdentifier[]> {
  const list = async (): Promise<readonly TableIdentifier[]> => {
    const names: TableIdentifier[] = [];
    for await (const identifier of catalogTables(await project.catalog(name))) names.push(identifier);
    return names;
  };
  return (await unlessFailed(list)) ?? [];
}

async function unlessFailed<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (isMoraineError(error)) return undefined;
    throw error;
  }
}
