/** The catalog interface: names to metadata locations, and one atomic swap. */
import type {
  PartitionSpec,
  Schema,
  SortOrder,
  TableMetadata,
  TableRequirement,
  TableUpdate,
} from '../iceberg/index.js';
import type { Clock } from './clock.js';

/** A table's name: the namespace's levels and the table's own. */
export interface TableIdentifier {
  readonly namespace: readonly string[];
  readonly name: string;
}

/** A table as the catalog has it now. */
export interface LoadedTable {
  readonly identifier: TableIdentifier;
  readonly metadataLocation: string;
  readonly metadata: TableMetadata;
}

/** How much of a table is loaded. */
export interface LoadOptions {
  /** `refs`: who asks needs no snapshots but those of branches and tags, and the catalog may leave the others out. */
  readonly snapshots?: 'all' | 'refs';
}

/** A table as an engine says it is, which alone reaches the catalog. */
export interface LiveState {
  /** The current snapshot; null: the table has none. */
  readonly snapshotId: bigint | null;
  /** Locations of its data and delete files. */
  readonly files: ReadonlySet<string>;
}

/** Description of a new table. Field ids are assigned afresh. */
export interface CreateTableRequest {
  readonly schema: Schema;
  readonly partitionSpec?: PartitionSpec;
  readonly sortOrder?: SortOrder;
  readonly location?: string;
  readonly properties?: ReadonlyMap<string, string>;
  /** 2 by default. */
  readonly formatVersion?: 1 | 2 | 3;
}

/**
 * One commit: all updates or none, if every requirement holds. A catalog may apply them to a newer state than they were computed on.
 * Source: Iceberg REST catalog specification, `CommitTableRequest`.
 */
export interface CommitRequest {
  readonly requirements: readonly TableRequirement[];
  readonly updates: readonly TableUpdate[];
}

/** One table's part of a commit to several. */
export interface TableCommit extends CommitRequest {
  readonly identifier: TableIdentifier;
}

/**
 * A catalog. Every implementation passes the suite in `test/conformance/catalog-behavior.ts`.
 * Failures to reach it are `CATALOG_UNAVAILABLE`, but a commit whose answer is lost is `COMMIT_STATE_UNKNOWN`.
 */
export interface Catalog {
  readonly name: string;
  /** Tells catalogs apart, whatever they are called here: where it is kept, and its name there. */
  readonly id: string;
  /** What deletes files and snapshots of its tables, where that is not for clients to do. */
  readonly fileOwner?: string | undefined;
  /** Tables are loaded from it, and nothing else: every change is `UNSUPPORTED_FEATURE`. */
  readonly isReadOnly?: boolean;
  /** It puts tables where it likes: a table's location is known only once it is made. */
  readonly decidesLocations?: boolean;
  /** False: its tables have no branches and tags of their own, since the catalog has. */
  readonly hasTableRefs?: boolean;
  /** False: it makes tables itself, and takes none whose metadata file is written already. */
  readonly registersTables?: boolean;
  /** The clock of commits through this catalog; the system's by default. */
  readonly clock?: Clock;
  listNamespaces(parent?: readonly string[]): Promise<readonly (readonly string[])[]>;
  namespaceExists(namespace: readonly string[]): Promise<boolean>;
  /** `NAMESPACE_ALREADY_EXISTS` */
  createNamespace(namespace: readonly string[], properties?: ReadonlyMap<string, string>): Promise<void>;
  loadNamespaceProperties(namespace: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** `NAMESPACE_NOT_FOUND`, `NAMESPACE_NOT_EMPTY` */
  dropNamespace(namespace: readonly string[]): Promise<void>;
  listTables(namespace: readonly string[]): Promise<readonly TableIdentifier[]>;
  /** The views of a namespace, which are not read here. Catalogs without views of their own have no such method. */
  listViews?(namespace: readonly string[]): Promise<readonly TableIdentifier[]>;
  tableExists(identifier: TableIdentifier): Promise<boolean>;
  /**
   * The default location of `createTable`: a folder in which no other table has its metadata. It does not check whether a table of
   * the name exists. A server that gives each table a folder of a name of its own may take another one then. `NAMESPACE_NOT_FOUND`
   */
  newTableLocation(identifier: TableIdentifier): Promise<string>;
  /** `TABLE_ALREADY_EXISTS`, `NAMESPACE_NOT_FOUND`; `SCHEMA_INVALID`, also for types that the format version does not have */
  createTable(identifier: TableIdentifier, request: CreateTableRequest): Promise<LoadedTable>;
  /** Points a new name at an existing metadata file. */
  registerTable(identifier: TableIdentifier, metadataLocation: string): Promise<LoadedTable>;
  /**
   * Makes sure that a table's files can be opened where the catalog gives access to them table by table, as loading the table does. A step
   * of a run calls it for each table that it knows from a plan. Catalogs that give none have no such method.
   * @param file a file in its `metadata` or `staged` folder, which tells where the table is to be if it is not made yet
   */
  reach?(identifier: TableIdentifier, file?: string): Promise<void>;
  /**
   * The state of a table, to be compared with its files: a catalog that is only reached through an engine has this method.
   * `TABLE_NOT_FOUND`
   */
  liveState?(identifier: TableIdentifier): Promise<LiveState>;
  /** `TABLE_NOT_FOUND`; `UNSUPPORTED_FEATURE` for a view */
  loadTable(identifier: TableIdentifier, options?: LoadOptions): Promise<LoadedTable>;
  /**
   * Applies the updates to the table's current metadata if every requirement holds on it, writes the new metadata file
   * and swaps the pointer. Exactly one attempt, never resent. Once the swap has landed nothing that follows makes it fail: an error
   * other than `COMMIT_STATE_UNKNOWN` says that the commit did not land.
   * `COMMIT_CONFLICT` (a requirement failed, or the swap was lost), `TABLE_REPLACED` (another uuid), `COMMIT_STATE_UNKNOWN`.
   */
  commitTable(identifier: TableIdentifier, request: CommitRequest): Promise<LoadedTable>;
  /**
   * Commits to several tables at once: all commits land or none does. One attempt, never resent; none for an empty list. Catalogs that
   * cannot do it have no such method. `INVALID_ARGUMENT` for a table that is named twice, and as {@link commitTable}: an error other than
   * `COMMIT_STATE_UNKNOWN` says that no table changed.
   */
  commitTables?(commits: readonly TableCommit[]): Promise<void>;
  /** Forgets the name; files stay. */
  dropTable(identifier: TableIdentifier): Promise<void>;
  /** Forgets the name, and has the server delete the table's files. Where clients delete files there is no such method. */
  purgeTable?(identifier: TableIdentifier): Promise<void>;
  renameTable(from: TableIdentifier, to: TableIdentifier): Promise<void>;
  /** Catalogs of other names that the same database keeps. Their tables may have files anywhere. They are closed with this one. */
  siblings(): Promise<readonly Catalog[]>;
  close(): Promise<void>;
}
