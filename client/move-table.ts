import { type MovedTable, type MoveOptions, moveTable } from '../maintenance/index.js';
import { moveDeps, type Project } from '../project/index.js';

/** A move of a table, and where to. */
export interface MoveTableOptions extends MoveOptions {
  /** Name of the catalog that the table goes to. */
  readonly to: string;
}

/**
 * Moves a table to another catalog, under the same name there: copies its files and rewrites the locations in them. Its uuid, snapshots, refs
 * and properties stay. The old name can be read and refuses writes from then on. A move that was cut short goes on when it is asked for again.
 *
 * @param name `[CATALOG/]NS.TABLE`
 * @throws `TABLE_NOT_FOUND`, `INVALID_ARGUMENT`, `UNSUPPORTED_FEATURE`, `TABLE_ALREADY_EXISTS`, `TABLE_MOVED`, `FOLDER_SHARED`,
 *   `FILE_ALREADY_EXISTS`, `FILE_NOT_FOUND`, `LOCATION_REFUSED`, `COMMIT_STATE_UNKNOWN`
 */
export async function moveTableTo(
  project: Project,
  name: string,
  { to, ...options }: MoveTableOptions,
): Promise<MovedTable> {
  const deps = await moveDeps(project, to);
  return await moveTable(deps, await project.loadTable(name), options);
}
