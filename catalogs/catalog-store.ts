/** What a catalog needs of the place that keeps its names: a database, AWS Glue, a Hive metastore. */
import type { TableMetadata } from '../iceberg/index.js';

/** A table's key: its namespace in one text, as the store writes it, and its name. */
export interface TableKey {
  readonly namespace: string;
  readonly name: string;
}

/** What a name points at: a metadata file, and what it holds. */
export interface TablePointer {
  readonly metadataLocation: string;
  readonly metadata: TableMetadata;
}

/** How a store writes names. */
export interface StoreNames {
  /** The levels of a namespace as one text. @throws MoraineError `INVALID_ARGUMENT` for one that the store cannot have */
  namespaceKey(levels: readonly string[]): string;
  levels(namespaceKey: string): readonly string[];
  /** @throws MoraineError `INVALID_ARGUMENT` */
  checkTable(name: string): void;
}

/** A compare-and-swap of one pointer. */
export interface PointerSwap {
  readonly key: TableKey;
  readonly from: string;
  readonly to: TablePointer;
}

/**
 * Names, and the metadata files that they point at. Every change is one atomic step that is tried once: `CATALOG_UNAVAILABLE` says that
 * nothing of it was done, `COMMIT_STATE_UNKNOWN` that nobody knows.
 */
export interface CatalogStore {
  /** Where it is kept. */
  readonly database: string;
  /** The name that this catalog has there. */
  readonly catalog: string;
  readonly names: StoreNames;
  /** Null: there is no such table. */
  metadataLocation(key: TableKey): Promise<string | null>;
  /** The names of the tables, in order. */
  tableNames(namespace: string): Promise<readonly string[]>;
  /** False if the name is taken. */
  insertTable(key: TableKey, table: TablePointer): Promise<boolean>;
  /** The compare-and-swap of a commit: false if the table no longer points at `from`. */
  swapTable(key: TableKey, from: string, to: TablePointer): Promise<boolean>;
  /** Several compare-and-swaps as one step: false, and nothing is done, if one of the tables no longer points at its `from`. */
  swapTables?(swaps: readonly PointerSwap[]): Promise<boolean>;
  /** False if there is no such table. */
  deleteTable(key: TableKey): Promise<boolean>;
  /** Null if the new name is taken, false if there is no such table. */
  renameTable(from: TableKey, to: TableKey): Promise<boolean | null>;
  namespaceExists(namespace: string): Promise<boolean>;
  /** Every namespace, in order. */
  namespaces(): Promise<readonly string[]>;
  /** None for a namespace that does not exist. */
  namespaceProperties(namespace: string): Promise<ReadonlyMap<string, string>>;
  /** False if the namespace exists. All properties or none. */
  insertNamespace(namespace: string, properties: ReadonlyMap<string, string>): Promise<boolean>;
  /** Deletes a namespace unless it, or one below it, is in use; false if it was not deleted. */
  deleteNamespace(namespace: string): Promise<boolean>;
  /** The stores of the other catalogs that have tables in the same database. */
  siblings(): Promise<readonly CatalogStore[]>;
  /** The metadata files that the tables of the whole database are at now; null: it has too many to be asked on each commit. */
  metadataLocations(): Promise<readonly string[] | null>;
  /** Whether another table of the database has its metadata below a folder. */
  isFolderOfOther(key: TableKey, folder: string): Promise<boolean>;
  close(): Promise<void>;
}
