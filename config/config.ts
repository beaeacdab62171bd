/** A configuration with every default filled in and every path absolute. */

import type { HostAndPort } from './host-and-port.js';

/** A catalog: names to tables. */
export type CatalogConfig =
  | SqlCatalogConfig
  | RestCatalogConfig
  | GlueCatalogConfig
  | HiveCatalogConfig
  | TrinoCatalogConfig
  | MemoryCatalogConfig;

/** The SQL catalog, with the tables of Java's JdbcCatalog and PyIceberg. */
export interface SqlCatalogConfig {
  readonly type: 'sql';
  readonly name: string;
  /** Absolute path of the SQLite file, or `postgresql://..`, which may hold a password. */
  readonly uri: string;
  /** Absolute path of the folder below which new tables are placed, `s3://BUCKET/PREFIX` or `gs://BUCKET/PREFIX`. */
  readonly warehouse: string;
}

/** A server of the REST catalog specification. */
export interface RestCatalogConfig {
  readonly type: 'rest';
  readonly name: string;
  /** `https://host/path`. */
  readonly uri: string;
  /** What the server calls the warehouse. */
  readonly warehouse?: string;
  /** Options by the names that PyIceberg gives them: `credential` and others. Some are secrets. */
  readonly options: Readonly<Record<string, string>>;
}

/** The catalog of AWS Glue. */
export interface GlueCatalogConfig {
  readonly type: 'glue';
  readonly name: string;
  /** `s3://BUCKET/PREFIX`, below which new tables are placed. */
  readonly warehouse: string;
  /** Options by the names that PyIceberg gives them: `glue.region` and others. Some are secrets. */
  readonly options: Readonly<Record<string, string>>;
}

/** The catalog of a Hive metastore. */
export interface HiveCatalogConfig {
  readonly type: 'hive';
  readonly name: string;
  /** `thrift://HOST:PORT`, or several with commas between them. */
  readonly uri: string;
  /** Absolute path of the folder below which new tables are placed, `s3://BUCKET/PREFIX` or `gs://BUCKET/PREFIX`. */
  readonly warehouse: string;
  /** `ugi`: the user that is said to call; `hive.metastore.client.socket.timeout`: how long an answer may take. */
  readonly options: Readonly<Record<string, string>>;
}

/** A catalog of Trino, whose tables are read and not written. */
export interface TrinoCatalogConfig {
  readonly type: 'trino';
  readonly name: string;
  /** `https://HOST:PORT/CATALOG` */
  readonly uri: string;
  /** `trino.user` and others. Some are secrets. */
  readonly options: Readonly<Record<string, string>>;
}

/** A catalog whose names are gone with the process. */
export interface MemoryCatalogConfig {
  readonly type: 'memory';
  readonly name: string;
  /** Absolute path of the folder below which new tables are placed, `s3://BUCKET/PREFIX` or `gs://BUCKET/PREFIX`. */
  readonly warehouse: string;
}

export interface StorageConfig {
  /** Absolute paths of the only folders, `s3://BUCKET/PREFIX` and `gs://BUCKET/PREFIX` in which tables may have files. */
  readonly roots: readonly string[];
  /** Prefixes of locations, each with the absolute path of the folder that it means here. */
  readonly locations: ReadonlyMap<string, string>;
  /**
   * Options of the object store that has the roots of no other store, by the names that PyIceberg gives them: `s3.endpoint` and others.
   * Some are secrets.
   */
  readonly options: Readonly<Record<string, string>>;
  /** Object stores with options of their own. */
  readonly stores: readonly StoreConfig[];
  readonly cache: StorageCacheConfig;
}

/** An object store with options of its own. */
export interface StoreConfig {
  /** Where it stands in the configuration, for messages: `storage.stores.NAME`, `catalogs.NAME.options`. */
  readonly name: string;
  /** Some of the storage roots. */
  readonly roots: readonly string[];
  readonly options: Readonly<Record<string, string>>;
}

/** Files of an object store that are kept on this machine. */
export interface StorageCacheConfig {
  /** Absolute path of the folder; processes of one user may share it. */
  readonly directory: string;
  readonly maxBytes: number;
}

/** Bounds of the query engine of one process. */
export interface EngineConfig {
  readonly memoryLimitBytes: number;
  readonly threads: number;
  /** Absolute path of the folder for intermediate results that do not fit in memory. */
  readonly tempDirectory: string;
  /** Who reduces source rows to those that may win; `auto`: Trino, if the files after pruning have more than `trinoAboveBytes`. */
  readonly type: 'duckdb' | 'trino' | 'auto';
  readonly trinoAboveBytes: number;
}

/** A Trino that reads the tables of catalogs. */
export interface TrinoConfig {
  /** Scheme, host and port, without a slash at the end. */
  readonly uri: string;
  /** Names of catalogs in Trino by their names here; others have the same name in both. */
  readonly catalogs: ReadonlyMap<string, string>;
  /** Namespace of the tables that rows are staged in, in the catalog of the source. */
  readonly staging: readonly string[];
  /** `trino.user` and others. Some are secrets. */
  readonly options: Readonly<Record<string, string>>;
  /** Session properties by name. */
  readonly session: Readonly<Record<string, string>>;
  /** Bytes that the staged rows of one reduction may have. */
  readonly maxStagedBytes: number;
}

/**
 * Where the Temporal server is. Everything that is not here comes from Temporal's own environment variables and
 * configuration file (`@temporalio/envconfig`).
 */
export interface TemporalConfig {
  readonly address?: string;
  readonly namespace?: string;
  /** A profile of Temporal's own configuration file. */
  readonly profile?: string;
  /** Absolute path of Temporal's own configuration file, if not in its default place. */
  readonly configFile?: string;
  readonly apiKey?: string;
  readonly tls?: boolean;
  readonly taskQueue: string;
  /** Address of the server's web UI, without a slash at the end. */
  readonly uiAddress?: string;
  /** Absolute path of the file with the keys that encrypt payloads. */
  readonly encryptionKeyFile?: string;
  readonly deployment?: DeploymentConfig;
}

/** The version that workers of this configuration belong to; without it they are not versioned. */
export interface DeploymentConfig {
  readonly name: string;
  readonly buildId: string;
}

/** Bounds of a worker process. */
export interface WorkerConfig {
  /** Where health and metrics are served; nowhere unless given. */
  readonly health?: HostAndPort;
  /** Activities at a time that ask, plan and commit. */
  readonly lightActivities: number;
  /** Activities at a time that read and write data files. */
  readonly heavyActivities: number;
  /** Pieces that a materialization or training set of many rows is split into, for workers to share; unless given, rows and memory decide. */
  readonly shards?: number;
  /** How long activities may go on after the signal to stop. */
  readonly shutdownGraceSeconds: number;
  /** Folders whose files, and those below, the workflow `ingest` may read; absolute paths. */
  readonly ingestFolders: readonly string[];
  /** Kafka clusters whose topics the workflow `ingest` may read, by the name that its input gives. */
  readonly ingestKafka: ReadonlyMap<string, KafkaClusterConfig>;
}

/** How a Kafka cluster is reached. */
export interface KafkaClusterConfig {
  /** `HOST:PORT` of some brokers. */
  readonly brokers: readonly string[];
  /** Absolute paths of files in PEM; true: TLS with the authorities that Node knows. */
  readonly tls?: boolean | { readonly ca?: string; readonly cert?: string; readonly key?: string };
  /** The password is a secret. */
  readonly sasl?: {
    readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
    readonly username: string;
    readonly password: string;
  };
}

export interface OnlineConfig {
  /** Namespace of the online tables. */
  readonly namespace: string;
  /** Buckets of a new online table whose view does not say; undefined: as the entities of its source ask for. */
  readonly buckets: number | undefined;
  /** How the files of a new online table are laid out whose view does not say. */
  readonly partitionStrategy: 'entity_hash' | 'timestamp' | 'hybrid';
  /** Time that an online read may take, in milliseconds. */
  readonly readTimeoutMs: number;
  /** Time that it may wait for its turn, in milliseconds. */
  readonly queueTimeoutMs: number;
  /** Memory for decoded rows of online tables. */
  readonly cacheBytes: number;
}

/** What the HTTP service needs to be reached by TLS. */
export interface TlsConfig {
  /** Absolute path of the certificate, with those of its authorities after it, in PEM. */
  readonly cert: string;
  /** Absolute path of its private key, in PEM, without a passphrase. */
  readonly key: string;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
}

/** The HTTP service. */
export interface ServerConfig {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Absolute path of the file of API keys; without it no key is needed. */
  readonly keyFile?: string;
  /** Without it the service speaks plain HTTP. */
  readonly tls?: TlsConfig;
  /** How long ago definitions and tables may have been looked at last, in milliseconds. */
  readonly maxStalenessMs: number;
  /** Time that a read may wait for its turn, in milliseconds. */
  readonly queueTimeoutMs: number;
  /** Time in which a request must have arrived, in milliseconds. */
  readonly requestTimeoutMs: number;
  /** Time in which a client must take some more of an answer, in milliseconds. */
  readonly sendTimeoutMs: number;
  /** Time that requests in flight have to finish when the service closes, in milliseconds. */
  readonly shutdownTimeoutMs: number;
  /** Entities of one request. */
  readonly maxEntities: number;
  /** Milliseconds that a write waits for others, to be one commit with them. */
  readonly groupCommitMs: number;
  /** Writes that may wait to be committed. */
  readonly maxQueuedWrites: number;
  /** Bytes of the bodies of writes that wait to be committed. */
  readonly maxQueuedBytes: number;
  /** Retrievals at a time, each in a process of its own. */
  readonly maxRetrievals: number;
  /** Entities of one batch of predictions. */
  readonly maxBatchEntities: number;
  /** Milliseconds that a batch with views that are not online may take. */
  readonly batchTimeoutMs: number;
  /** Batches with views that are not online at a time, each in a process of its own. */
  readonly maxBatches: number;
  /** Feature services whose answers are logged, each with the share of its requests, from 0 to 1. */
  readonly logFeatures: ReadonlyMap<string, { readonly sampleRate: number }>;
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';
}

export interface RegistryConfig {
  /** `NS.TABLE` of the table of definitions, in the default catalog. */
  readonly table: string;
}

export interface LoggingConfig {
  /** Namespace of the tables of served features, in the default catalog. */
  readonly namespace: string;
}

/** Maintenance policy of the tables that match a pattern; the first matching entry applies. */
export interface MaintenanceConfig {
  /** `*` stands for any part of the name `[CATALOG/]NS.TABLE`. */
  readonly tables: string;
  /** Compaction of tables whose figures (see `moraine table health`) are as bad as this. */
  readonly compact?: {
    readonly strategy: 'binpack' | 'sort' | 'latest';
    readonly amplification: number;
    readonly deleteRatio: number;
  };
  /** As the options of `moraine maintain`; an empty one takes the defaults. */
  readonly maintain?: {
    readonly olderThan?: string;
    readonly retainLast?: number;
    readonly orphansOlderThan?: string;
    readonly deleteOutside?: boolean;
    readonly metadataVersions?: number;
  };
  /** Bytes that the compactions of one run may read together. */
  readonly budgetBytes: number;
}

/** `moraine.yaml`, read. */
export interface MoraineConfig {
  /** Absolute path of the file, or null for a configuration given as a value. */
  readonly configFile: string | null;
  /** Absolute path of the folder that relative paths start from. */
  readonly directory: string;
  /** Absolute path of the folder of local state: a development server's data, temporary files. */
  readonly stateFolder: string;
  readonly defaultCatalog: string;
  readonly catalogs: ReadonlyMap<string, CatalogConfig>;
  readonly storage: StorageConfig;
  readonly engine: EngineConfig;
  /** Null: there is none. */
  readonly trino: TrinoConfig | null;
  readonly temporal: TemporalConfig;
  readonly worker: WorkerConfig;
  readonly online: OnlineConfig;
  readonly server: ServerConfig;
  readonly logging: LoggingConfig;
  readonly registry: RegistryConfig;
  readonly maintenance: readonly MaintenanceConfig[];
  /** Absolute paths of the files that `apply` reads when none is named. */
  readonly definitions: readonly string[];
}
