/** Tables that Moraine keeps for itself: they appear when something is first written to them. */
import { type Catalog, type TableIdentifier, withTableDefaults } from '../../catalogs/index.js';
import type { Schema } from '../../iceberg/index.js';
import type { FileIO } from '../../storage/index.js';
import { ensureTable, findTable, type Table } from '../../tables/index.js';

/** Where such a table is. */
export interface SystemTable {
  readonly catalog: Catalog;
  readonly io: FileIO;
  readonly table: TableIdentifier;
}

/** The table, or null as long as nothing was written. */
export function loadSystemTable({ catalog, io, table }: SystemTable): Promise<Table | null> {
  return findTable(catalog, io, table);
}

/** The table, created with its namespace where it is missing; another process may do the same meanwhile. */
export function ensureSystemTable({ catalog, io, table }: SystemTable, schema: Schema): Promise<Table> {
  return ensureTable(catalog, io, table, withTableDefaults({ schema }));
}
