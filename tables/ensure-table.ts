/** Tables that may not be there yet. */
import { type Catalog, type CreateTableRequest, ensureNamespace, type TableIdentifier } from '../catalogs/index.js';
import { isMoraineError } from '../errors/index.js';
import type { FileIO } from '../storage/index.js';
import { loadTable, type Table } from './table.js';

/** The table; null: nobody has made it. @throws as {@link loadTable} for anything else */
export async function findTable(catalog: Catalog, io: FileIO, identifier: TableIdentifier): Promise<Table | null> {
  try {
    return await loadTable(catalog, io, identifier);
  } catch (error) {
    if (isMoraineError(error, 'TABLE_NOT_FOUND', 'NAMESPACE_NOT_FOUND')) return null;
    throw error;
  }
}

/**
 * The table, created with its namespace where it is missing; another process may do the same meanwhile.
 * @param request what it is created with
 * @throws as `createTable` of a catalog, and {@link loadTable}
 */
export async function ensureTable(
  catalog: Catalog,
  io: FileIO,
  identifier: TableIdentifier,
  request: CreateTableRequest,
): Promise<Table> {
  const found = await findTable(catalog, io, identifier);
  if (found !== null) return found;
  await ensureNamespace(catalog, identifier.namespace);
  try {
    await catalog.createTable(identifier, request);
  } catch (error) {
    if (!isMoraineError(error, 'TABLE_ALREADY_EXISTS')) throw error;
  }
  return await loadTable(catalog, io, identifier);
}
