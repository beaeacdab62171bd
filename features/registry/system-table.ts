/** Tables that Moraine keeps for itself: they appear when something is first written to them. */
import { type Catalog, ensureNamespace, type TableIdentifier, withTableDefaults } from '../../catalogs/index.js';
import { isMoraineError } from '../../errors/index.js';
import type { Schema } from '../../iceberg/index.js';
import type { FileIO } from '../../storage/index.js';
import { loadTable, type Table } from '../../tables/index.js';

/** Where such a table is. */
export interface SystemTable {
  readonly catalog: Catalog;
  readonly io: FileIO;
  readonly table: TableIdentifier;
}

/** The table, or null as long as nothing was written. */
export async function loadSystemTable({ catalog, io, table }: SystemTable): Promise<Table | null> {
  try {
    return await loadTable(catalog, io, table);
  } catch (error) {
    if (isMoraineError(error, 'TABLE_NOT_FOUND', 'NAMESPACE_NOT_FOUND')) return null;
    throw error;
  }
}

/** The table, created with its namespace where it is missing; another process may do the same meanwhile. */
export async function ensureSystemTable(where: SystemTable, schema: Schema): Promise<Table> {
  const found = await loadSystemTable(where);
  if (found !== null) return found;
  const { catalog, io, table } = where;
  await ensureNamespace(catalog, table.namespace);
  try {
    await catalog.createTable(table, withTableDefaults({ schema }));
  } catch (error) {
    if (!isMoraineError(error, 'TABLE_ALREADY_EXISTS')) throw error;
  }
  return await loadTable(catalog, io, table);
}
