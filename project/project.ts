import type { Catalog, TableIdentifier } from '../catalogs/index.js';
import type { MoraineConfig } from '../config/index.js';
import type { Engine } from '../engine/index.js';
import type { Registry } from '../features/index.js';
import type { FileIO } from '../storage/index.js';
import type { Table } from '../tables/index.js';

/** A table's name and the catalog that has (or would have) it. */
export interface ResolvedTableName {
  readonly catalog: Catalog;
  readonly identifier: TableIdentifier;
}

/** An open project. Catalogs and the engine are opened when first asked for, and closed by {@link Project.close}. */
export interface Project {
  readonly config: MoraineConfig;
  /** Storage, restricted to `storage.roots`. */
  readonly io: FileIO;
  /**
   * A catalog by its name in the configuration; the default one unless named.
   *
   * @throws `INVALID_ARGUMENT` listing the catalogs if there is none of that name
   */
  catalog(name?: string): Promise<Catalog>;
  /** The one query engine of this process. */
  engine(): Promise<Engine>;
  /**
   * The catalog and identifier of `[CATALOG/]NS.TABLE`. Whether the table exists is not looked at.
   *
   * @throws `INVALID_ARGUMENT` if the name cannot be read or names an unknown catalog
   */
  resolveTable(name: string): Promise<ResolvedTableName>;
  /**
   * A table as it is now, by its name `[CATALOG/]NS.TABLE`.
   *
   * @throws `TABLE_NOT_FOUND` with the nearest names, and as {@link Project.resolveTable}
   */
  loadTable(name: string): Promise<Table>;
  /**
   * Makes sure that the files of a table can be opened that is known from a plan, where its catalog gives access table by table.
   *
   * @param file a file in the table's folder; the table need not be made yet
   * @throws as {@link Project.loadTable}
   */
  reach(table: string, file?: string): Promise<void>;
  /**
   * The identity by which a Temporal server tells this project from others: 12 hexadecimal digits, kept with the registry. An empty registry
   * is made where there is none.
   *
   * @throws `TABLE_ALREADY_EXISTS` if the catalog has lost a registry that is still on storage
   */
  identity(): Promise<string>;
  /** The same; null if there is not yet a registry. */
  knownIdentity(): Promise<string | null>;
  /** The registry of definitions, in the default catalog. */
  registry(): Promise<Registry>;
  /** Closes what was opened and removes the engine's temporary files. May be called twice. */
  close(): Promise<void>;
}
