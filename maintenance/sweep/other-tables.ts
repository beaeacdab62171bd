/** Files of other tables and of saved datasets. They stay, wherever they lie. */
import { isMoraineError, MoraineError } from '../../errors/index.js';
import type { Table } from '../../tables/index.js';
import type { MaintenanceDeps } from '../deps.js';
import { dropRemedy, isSame, tableName } from '../table-name.js';
import { type CanonicalPaths, prefixMismatch } from './canonical-paths.js';
import { filesOfTable } from './table-files.js';

/**
 * Calls `keep` for every file of every other table and of every saved dataset. A table that cannot be read ends this: its files might be
 * among those that are about to be deleted.
 * @throws MoraineError naming the table that cannot be read
 */
export async function keepFilesOfOthers(
  table: Table,
  { tables, datasets, isConfigured }: Pick<MaintenanceDeps, 'tables' | 'datasets' | 'isConfigured'>,
  paths: CanonicalPaths,
  keep: (path: string, reason: string) => void,
): Promise<void> {
  for (const { record } of await datasets()) {
    if (!('file' in record.location)) continue;
    for (const path of await comparable(paths, record.location.file)) keep(path, `dataset ${record.name} is in it`);
  }
  for await (const other of tables()) {
    if (isSame(table, other)) continue;
    const reason = `table ${tableName(other)} has it`;
    try {
      for await (const { location } of filesOfTable(other)) {
        for (const path of await comparable(paths, location)) keep(path, reason);
      }
    } catch (error) {
      throw unreadable(other, error, other.catalog !== undefined && (await isConfigured(other.catalog)));
    }
  }
}

/** Others may have files elsewhere: those cannot be among this table's. */
async function comparable(paths: CanonicalPaths, location: string): Promise<readonly string[]> {
  try {
    return await paths.all(location);
  } catch (error) {
    if (isMoraineError(error, 'LOCATION_REFUSED')) return [];
    throw error;
  }
}

function unreadable(table: Table, cause: unknown, hasName: boolean): MoraineError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const code = isMoraineError(cause) ? cause.code : 'INTERNAL';
  const name = tableName(table);
  const remedy = hasName && isMoraineError(cause) && !cause.retryable ? dropRemedy(name) : '';
  const message = `Nothing is deleted while it is not known which files table ${name} has: ${reason}${remedy}`;
  return new MoraineError(code, message, { cause });
}

/** The places of a file of the table itself, as {@link CanonicalPaths.all}. @throws MoraineError `LOCATION_REFUSED`, which ends a sweep */
export async function ownPlaces(table: Table, paths: CanonicalPaths, location: string): Promise<readonly string[]> {
  try {
    return await paths.all(location);
  } catch (error) {
    if (isMoraineError(error, 'LOCATION_REFUSED')) throw prefixMismatch(tableName(table), location, error);
    throw error;
  }
}
