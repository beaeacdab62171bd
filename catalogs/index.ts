/** Catalogs: one `Catalog` interface and its implementations. */
export type { Catalog, CommitRequest, CreateTableRequest, LoadedTable, TableIdentifier } from './catalog.js';
