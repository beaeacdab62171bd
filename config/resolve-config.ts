/** Fills in defaults and makes paths absolute. */
import { availableParallelism, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { parseByteSize } from './byte-size.js';
import { sharedOptions } from './catalog-options.js';
import { splitOptions, storageOfCatalogs } from './catalog-storage.js';
import type {
  CatalogConfig,
  KafkaClusterConfig,
  MaintenanceConfig,
  MoraineConfig,
  OnlineConfig,
  ServerConfig,
  StorageCacheConfig,
  StoreConfig,
  TemporalConfig,
  TlsConfig,
  TrinoConfig,
  WorkerConfig,
} from './config.js';
import type { ConfigInput } from './config-schema.js';
import { parseHostAndPort } from './host-and-port.js';
import { resolveStorageOptions } from './storage-options.js';

/** A folder becomes absolute; a place in an object store is one already. */
const tablePlace = (text: string, path: (text: string) => string): string =>
  /^(s3[an]?|gs):/.test(text) ? text.replace(/\/+$/, '') : path(text);

const GIBIBYTE = 2 ** 30;
const DEFAULT_CATALOG = 'local';

/** @param place the folder that relative paths start from, and the file if there is one */
export function resolveConfig(
  input: ConfigInput,
  place: { readonly directory: string; readonly configFile: string | null },
): MoraineConfig {
  const path = (text: string): string => resolve(place.directory, text.replace(/^file:(\/\/)?(?=\/)/, ''));
  const stateFolder = path(input.stateFolder ?? '.moraine');
  const catalogs = resolveCatalogs(input, stateFolder, path);
  const defaultCatalog = input.catalog ?? catalogs.keys().next().value ?? DEFAULT_CATALOG;
  const named =
    input.storage?.roots?.map((root) => tablePlace(root, path)) ??
    [...catalogs.values()].flatMap((catalog) =>
      'warehouse' in catalog && catalog.type !== 'rest' ? [catalog.warehouse] : [],
    );
  const ofCatalogs = storageOfCatalogs(input, named);
  const stores = [...resolveStores(input.storage?.stores ?? {}, path), ...ofCatalogs.stores];
  const roots = [...named, ...stores.flatMap((store) => store.roots)];
  const { memoryLimit, threads, tempDirectory, type = 'duckdb', trinoAbove } = input.engine ?? {};
  return {
    ...place,
    stateFolder,
    defaultCatalog,
    catalogs,
    storage: {
      roots: [...new Set(roots)],
      locations: resolveLocations(input, path),
      options: ofCatalogs.options ?? resolveStorageOptions(input.storage?.options ?? {}),
      stores,
      cache: resolveCache(input.storage?.cache ?? {}, stateFolder, path),
    },
    engine: {
      memoryLimitBytes: sizeOf(memoryLimit) ?? defaultMemory(),
      threads: threads ?? availableParallelism(),
      tempDirectory: tempDirectory === undefined ? join(stateFolder, 'tmp') : path(tempDirectory),
      type,
      trinoAboveBytes: sizeOf(trinoAbove) ?? DEFAULT_TRINO_ABOVE_BYTES,
    },
    trino: resolveTrino(input.trino),
    temporal: resolveTemporal(input.temporal ?? {}, path),
    worker: resolveWorker(input.worker ?? {}, path),
    online: resolveOnline(input.online ?? {}),
    server: resolveServer(input.server ?? {}, path),
    logging: { namespace: input.logging?.namespace ?? 'moraine_logs' },
    maintenance: (input.maintenance ?? []).map(resolveMaintenance),
    registry: { table: input.registry?.table ?? 'moraine.registry' },
    definitions: (input.definitions ?? []).map(path),
  };
}

function resolveOptions(options: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(options).map(([name, value]) => [name, String(value)]));
}

function resolveStores(
  stores: NonNullable<NonNullable<ConfigInput['storage']>['stores']>,
  path: (text: string) => string,
): readonly StoreConfig[] {
  return Object.entries(stores).map(([name, { roots, options = {} }]) => ({
    name: `storage.stores.${name}`,
    roots: roots.map((root) => tablePlace(root, path)),
    options: resolveStorageOptions(options),
  }));
}

/** Up to so many bytes after pruning `auto` leaves to DuckDB. */
const DEFAULT_TRINO_ABOVE_BYTES = 1024 * GIBIBYTE;
/** The namespace of the tables that rows are staged in. */
const DEFAULT_TRINO_STAGING = 'moraine_staging';
const DEFAULT_STAGED_BYTES = 100 * GIBIBYTE;

const sizeOf = (size: string | number | undefined): number | undefined =>
  size === undefined ? undefined : parseByteSize(String(size));

function resolveTrino(trino: ConfigInput['trino']): TrinoConfig | null {
  if (trino === undefined) return null;
  return {
    uri: trino.uri.replace(/\/+$/, ''),
    catalogs: new Map(Object.entries(trino.catalogs ?? {})),
    staging: (trino.staging ?? DEFAULT_TRINO_STAGING).split('.'),
    options: resolveOptions(trino.options ?? {}),
    session: resolveOptions(trino.session ?? {}),
    maxStagedBytes: sizeOf(trino.maxStagedSize) ?? DEFAULT_STAGED_BYTES,
  };
}

/** Files that are kept by default on the disk. */
const DEFAULT_CACHE_BYTES = 10 * GIBIBYTE;

function resolveCache(
  { directory, maxSize }: NonNullable<NonNullable<ConfigInput['storage']>['cache']>,
  stateFolder: string,
  path: (text: string) => string,
): StorageCacheConfig {
  return {
    directory: directory === undefined ? join(stateFolder, 'cache') : path(directory),
    maxBytes: sizeOf(maxSize) ?? DEFAULT_CACHE_BYTES,
  };
}

function resolveLocations(input: ConfigInput, path: (text: string) => string): ReadonlyMap<string, string> {
  return new Map(Object.entries(input.storage?.locations ?? {}).map(([prefix, folder]) => [prefix, path(folder)]));
}

const DEFAULT_BUDGET_BYTES = 10 * GIBIBYTE;

function resolveMaintenance(input: NonNullable<ConfigInput['maintenance']>[number]): MaintenanceConfig {
  const { tables, compact, maintain, budget } = input;
  const { strategy = 'binpack', amplification = 4, deleteRatio = 0.3 } = compact ?? {};
  const { olderThan, retainLast, orphansOlderThan, deleteOutside, metadataVersions } = maintain ?? {};
  return {
    tables,
    ...(compact === undefined ? {} : { compact: { strategy, amplification, deleteRatio } }),
    ...(maintain === undefined
      ? {}
      : {
          maintain: {
            ...(olderThan === undefined ? {} : { olderThan }),
            ...(retainLast === undefined ? {} : { retainLast }),
            ...(orphansOlderThan === undefined ? {} : { orphansOlderThan }),
            ...(deleteOutside === undefined ? {} : { deleteOutside }),
            ...(metadataVersions === undefined ? {} : { metadataVersions }),
          },
        }),
    budgetBytes: sizeOf(budget) ?? DEFAULT_BUDGET_BYTES,
  };
}

/** Half of the machine's memory, at most 4 GiB: other processes and the JavaScript heap need room as well. */
function defaultMemory(): number {
  return Math.min(4 * GIBIBYTE, Math.floor(totalmem() / 2));
}

function resolveCatalogs(
  input: ConfigInput,
  stateFolder: string,
  path: (text: string) => string,
): ReadonlyMap<string, CatalogConfig> {
  const entries = Object.entries(input.catalogs ?? { [input.catalog ?? DEFAULT_CATALOG]: {} });
  return new Map(entries.map(([name, catalog]) => [name, resolveCatalog(name, catalog, stateFolder, path)]));
}

function resolveCatalog(
  name: string,
  { type, uri, warehouse, options = {} }: NonNullable<ConfigInput['catalogs']>[string],
  stateFolder: string,
  path: (text: string) => string,
): CatalogConfig {
  const own = resolveOptions({ ...sharedOptions(type ?? 'sql', options), ...splitOptions(options).own });
  if (type === 'rest') {
    const named = warehouse === undefined ? {} : { warehouse };
    return { type, name, uri: uri ?? '', ...named, options: own };
  }
  if (type === 'trino') return { type, name, uri: uri ?? '', options: own };
  const place = tablePlace(warehouse ?? 'warehouse', path);
  if (type === 'memory') return { type, name, warehouse: place };
  const others = { name, warehouse: place, options: own };
  if (type === 'glue') return { type, ...others };
  if (type === 'hive') return { type, uri: uri ?? '', ...others };
  return {
    type: 'sql',
    name,
    uri: uri === undefined ? join(stateFolder, `${name}.catalog.db`) : databaseUri(uri, path),
    warehouse: place,
  };
}

/** `sqlite:///relative.db` and `sqlite:////absolute.db` as SQLAlchemy and PyIceberg read them, or a plain path. */
function databaseUri(uri: string, path: (text: string) => string): string {
  if (/^postgres(ql)?(\+\w+)?:/.test(uri)) return uri;
  return path(uri.startsWith('sqlite:///') ? uri.slice('sqlite:///'.length) : uri);
}

function resolveTemporal(input: NonNullable<ConfigInput['temporal']>, path: (text: string) => string): TemporalConfig {
  return {
    ...(input.address === undefined ? {} : { address: input.address }),
    ...(input.namespace === undefined ? {} : { namespace: input.namespace }),
    ...(input.profile === undefined ? {} : { profile: input.profile }),
    ...(input.configFile === undefined ? {} : { configFile: path(input.configFile) }),
    ...(input.apiKey === undefined ? {} : { apiKey: input.apiKey }),
    ...(input.tls === undefined ? {} : { tls: input.tls }),
    taskQueue: input.taskQueue ?? 'moraine',
    ...(input.uiAddress === undefined ? {} : { uiAddress: input.uiAddress.replace(/\/+$/, '') }),
    ...(input.encryption === undefined ? {} : { encryptionKeyFile: path(input.encryption.keyFile) }),
    ...(input.deployment === undefined ? {} : { deployment: input.deployment }),
  };
}

function resolveWorker(input: NonNullable<ConfigInput['worker']>, path: (text: string) => string): WorkerConfig {
  const health = input.health === undefined ? undefined : parseHostAndPort(input.health);
  return {
    ...(health === undefined ? {} : { health }),
    lightActivities: input.lightActivities ?? 32,
    heavyActivities: input.heavyActivities ?? 4,
    ...(input.shards === undefined ? {} : { shards: input.shards }),
    shutdownGraceSeconds: input.shutdownGraceSeconds ?? 30,
    ingestFolders: (input.ingestFolders ?? []).map(path),
    ingestKafka: new Map(
      Object.entries(input.ingestKafka ?? {}).map(([name, cluster]) => [name, resolveKafkaCluster(cluster, path)]),
    ),
  };
}

type KafkaClusterInput = NonNullable<NonNullable<ConfigInput['worker']>['ingestKafka']>[string];

function resolveKafkaCluster(
  { brokers, tls, sasl }: KafkaClusterInput,
  path: (text: string) => string,
): KafkaClusterConfig {
  return {
    brokers,
    ...(tls === undefined ? {} : { tls: typeof tls === 'boolean' ? tls : resolveKafkaTls(tls, path) }),
    ...(sasl === undefined ? {} : { sasl }),
  };
}

function resolveKafkaTls(
  { ca, cert, key }: Exclude<NonNullable<KafkaClusterInput['tls']>, boolean>,
  path: (text: string) => string,
): Exclude<NonNullable<KafkaClusterConfig['tls']>, boolean> {
  return {
    ...(ca === undefined ? {} : { ca: path(ca) }),
    ...(cert === undefined ? {} : { cert: path(cert) }),
    ...(key === undefined ? {} : { key: path(key) }),
  };
}

const DEFAULT_ONLINE_CACHE_BYTES = 256 * 2 ** 20;
const DEFAULT_QUEUED_BYTES = 256 * 2 ** 20;

function resolveOnline({ cache, ...input }: NonNullable<ConfigInput['online']>): OnlineConfig {
  const { maxSize } = cache ?? {};
  return {
    namespace: input.namespace ?? 'moraine_online',
    buckets: input.buckets,
    partitionStrategy: input.partitionStrategy ?? 'entity_hash',
    readTimeoutMs: input.readTimeoutMs ?? 100,
    queueTimeoutMs: input.queueTimeoutMs ?? 1_000,
    cacheBytes: sizeOf(maxSize) ?? DEFAULT_ONLINE_CACHE_BYTES,
  };
}

function resolveTls(
  { cert, key, minVersion = 'TLSv1.2' }: NonNullable<NonNullable<ConfigInput['server']>['tls']>,
  path: (text: string) => string,
): TlsConfig {
  return { cert: path(cert), key: path(key), minVersion };
}

function resolveServer(input: NonNullable<ConfigInput['server']>, path: (text: string) => string): ServerConfig {
  const { maxQueuedBytes } = input;
  return {
    host: input.host ?? '127.0.0.1',
    port: input.port ?? 6566,
    ...(input.keys === undefined ? {} : { keyFile: path(input.keys) }),
    ...(input.tls === undefined ? {} : { tls: resolveTls(input.tls, path) }),
    maxStalenessMs: input.maxStalenessMs ?? 10_000,
    queueTimeoutMs: input.queueTimeoutMs ?? 50,
    requestTimeoutMs: input.requestTimeoutMs ?? 10_000,
    sendTimeoutMs: input.sendTimeoutMs ?? 60_000,
    // Kubernetes kills after 30 s.
    shutdownTimeoutMs: input.shutdownTimeoutMs ?? 25_000,
    maxEntities: input.maxEntities ?? 10_000,
    groupCommitMs: input.groupCommitMs ?? 200,
    maxQueuedWrites: input.maxQueuedWrites ?? 10_000,
    maxQueuedBytes: sizeOf(maxQueuedBytes) ?? DEFAULT_QUEUED_BYTES,
    maxRetrievals: input.maxRetrievals ?? 2,
    maxBatchEntities: input.maxBatchEntities ?? 10_000,
    batchTimeoutMs: input.batchTimeoutMs ?? 60_000,
    maxBatches: input.maxBatches ?? 2,
    logFeatures: new Map(
      Object.entries(input.logFeatures ?? {}).map(([service, { sampleRate }]) => [
        service,
        { sampleRate: sampleRate ?? 1 },
      ]),
    ),
    logLevel: input.logLevel ?? 'info',
  };
}
