/** The other tables of the catalogs: their files stay, wherever they lie. */
import { formatTableName } from '../catalogs/index.js';
import { isMoraineError, MoraineError } from '../errors/index.js';
import type { Table } from '../tables/index.js';
import { type CanonicalPaths, prefixMismatch } from './canonical-paths.js';
import { filesOfTable } from './table-files.js';

/** A table's name for people: with its catalog, if it has one. */
export function tableName({ identifier, catalog }: Table): string {
  return formatTableName(identifier, catalog?.name);
}

/** Whether two states are of the same table: its name in its catalog. */
function isSame(a: Table, b: Table): boolean {
  return a.catalog?.name === b.catalog?.name && tableName(a) === tableName(b);
}

/**
 * Calls `keep` for every file of every other table. A table that cannot be read ends this: its files might be among those
 * that are about to be deleted.
 * @param tables every table of every catalog
 * @throws MoraineError naming the table that cannot be read
 */
export async function keepFilesOfOthers(
  table: Table,
  tables: () => AsyncIterable<Table>,
  paths: CanonicalPaths,
  keep: (path: string, reason: string) => void,
): Promise<void> {
  for await (const other of tables()) {
    if (isSame(table, other)) continue;
    const reason = `table ${tableName(other)} has it`;
    try {
      for await (const { location } of filesOfTable(other)) {
        const path = await comparable(paths, location);
        if (path !== null) keep(path, reason);
      }
    } catch (error) {
      throw unreadable(other, error);
    }
  }
}

/** Another table may have files elsewhere: those cannot be among this table's. */
async function comparable(paths: CanonicalPaths, location: string): Promise<string | null> {
  try {
    return await paths.of(location);
  } catch (error) {
    if (isMoraineError(error, 'LOCATION_REFUSED')) return null;
    throw error;
  }
}

function unreadable(table: Table, cause: unknown): MoraineError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const code = isMoraineError(cause) ? cause.code : 'INTERNAL';
  const message = `Nothing is deleted while it is not known which files table ${tableName(table)} has: ${reason}`;
  return new MoraineError(code, message, { cause });
}

/** The canonical path of a file of the table itself. @throws MoraineError `LOCATION_REFUSED`, which ends a sweep */
export async function ownPath(table: Table, paths: CanonicalPaths, location: string): Promise<string> {
  try {
    return await paths.of(location);
  } catch (error) {
    if (isMoraineError(error, 'LOCATION_REFUSED')) throw prefixMismatch(tableName(table), location, error);
    throw error;
  }
}
