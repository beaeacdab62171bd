/** The stores of a Feast repository as the configuration of a Moraine project. */
import { type ConfigInput, isCatalogOption, isStorageOption } from '../config/index.js';
import { PARTITION_STRATEGIES } from '../features/index.js';
import { CatalogSet, type ImportedCatalog } from './catalog-set.js';
import type { Findings } from './finding.js';
import type { CatalogReference } from './iceberg-source.js';
import type { FeastRepository } from './repository.js';
import type { FeastStore } from './repository-config.js';

const MOST_BUCKETS = 65_536;
const LONGEST_TIMEOUT_MS = 3_600_000;

/** Storage options of one place of the repository that nothing uses: its tables are in folders. */
export interface StorageOptions {
  readonly place: string;
  readonly options: ReadonlyMap<string, string>;
}

/** The configuration as far as the stores tell; the sources may add catalogs. */
export interface ImportedStores {
  readonly catalogs: CatalogSet;
  /** The offline store's catalog, which sources without one of their own are in. */
  readonly offlineCatalog: ImportedCatalog | undefined;
  readonly online: NonNullable<ConfigInput['online']>;
  readonly storageOptions: readonly StorageOptions[];
}

/** Reads both stores; what they have that Moraine has not is reported. */
export function importStores(repository: FeastRepository, findings: Findings): ImportedStores {
  const { offlineStore, onlineStore, otherKeys } = repository.config;
  const catalogs = new CatalogSet(repository.folder);
  const offlineCatalog = offlineStore === undefined ? undefined : importOffline(offlineStore, catalogs, findings);
  const online = onlineStore === undefined ? {} : importOnline(onlineStore, catalogs, offlineCatalog, findings);
  for (const key of otherKeys) {
    findings.leftOut('setting of feature_store.yaml', key, {
      reason: 'Moraine has no such setting',
      remedy: 'See docs/migrating-from-feast.md for what takes its place.',
    });
  }
  const storageOptions: StorageOptions[] = [];
  for (const [place, store] of [
    ['offline_store', offlineStore],
    ['online_store', onlineStore],
  ] as const) {
    const options = store?.storageOptions ?? new Map<string, string>();
    const catalog = catalogs.catalogs.get(store?.catalogName ?? 'default');
    if (options.size === 0) continue;
    if (catalog === undefined || !catalogs.isRemote(catalog)) storageOptions.push({ place, options });
    else reportUnknown(place, options, catalog, findings);
  }
  for (const { place, options } of storageOptions) {
    findings.leftOut(`${place} option`, 'storage_options', {
      reason: `tables are read from folders of this machine; ${[...options.keys()].join(', ')} have no meaning there`,
      remedy:
        'They stand as comments in moraine.yaml, secrets as references to environment variables: their values were not copied.',
    });
  }
  return { catalogs, offlineCatalog, online, storageOptions };
}

/** What a REST catalog needs that a repository does not say: where its tables may be, and a token that is taken from a variable when it is opened. */
export function reportCatalogs({ withoutPlace, withoutStore, storage, tokens }: CatalogSet, findings: Findings): void {
  for (const name of withoutPlace) {
    findings.changed('catalog', name, {
      reason: `its server decides where its tables are; storage.roots says ${(storage?.roots ?? []).join(', ')}`,
      remedy: 'Name the folders or buckets of its tables in storage.roots of moraine.yaml.',
    });
  }
  for (const name of withoutStore) {
    findings.leftOut('storage_options', name, {
      reason: 'they differ from those of another catalog, and it is not known which buckets they are for',
      remedy: `Write storage.stores.${name}: { roots: [s3://BUCKET], options: .. } in moraine.yaml.`,
    });
  }
  for (const [name, variable] of tokens) {
    findings.leftOut('token_env_var', name, {
      reason: `a configuration that names a variable cannot be loaded where ${variable} is not set`,
      remedy: `Set options of the catalog in moraine.yaml: { token: "\${${variable}}" }.`,
    });
  }
}

function reportUnknown(
  place: string,
  options: ReadonlyMap<string, string>,
  { input }: ImportedCatalog,
  findings: Findings,
): void {
  const unknown = [...options.keys()].filter(
    (key) => !isStorageOption(key) && !isCatalogOption(input.type ?? 'sql', key),
  );
  if (unknown.length === 0) return;
  findings.leftOut(`${place} option`, 'storage_options', {
    reason: `Moraine has no option ${unknown.join(', ')}`,
    remedy: 'See docs/storage.md and docs/catalogs.md for the options that there are.',
  });
}

/** A store's own catalog, as PyIceberg would be given it. Undefined for a store that is not of Iceberg. */
function catalogOf(store: FeastStore, place: string): CatalogReference | undefined {
  if (!isIceberg(store)) return undefined;
  return {
    type: store.catalogType ?? 'sql',
    name: store.catalogName ?? 'default',
    uri: store.uri,
    warehouse: store.warehouse,
    place,
    properties: store.storageOptions,
  };
}

function isIceberg(store: FeastStore): boolean {
  return /iceberg/i.test(store.type.slice(store.type.lastIndexOf('.') + 1));
}

function importOffline(store: FeastStore, catalogs: CatalogSet, findings: Findings): ImportedCatalog | undefined {
  reportOtherOptions('offline_store option', store, findings);
  const reference = catalogOf(store, 'offline_store');
  if (reference === undefined) return undefined;
  const catalog = catalogs.add(reference);
  if ('name' in catalog) return catalog;
  findings.leftOut('offline store', store.type, catalog);
  return undefined;
}

function importOnline(
  store: FeastStore,
  catalogs: CatalogSet,
  offlineCatalog: ImportedCatalog | undefined,
  findings: Findings,
): ImportedStores['online'] {
  reportOtherOptions('online_store option', store, findings);
  const reference = catalogOf(store, 'online_store');
  if (reference === undefined) {
    findings.changed('online store', store.type, {
      reason:
        'Moraine serves features from Iceberg tables that it materializes itself; values in that store are not read',
      remedy: 'Run `moraine materialize VIEW` for each view with `online: true`.',
    });
    return {};
  }
  const catalog = catalogs.add(reference);
  if (!('name' in catalog) || (offlineCatalog !== undefined && catalog.name !== offlineCatalog.name)) {
    findings.changed('online_store option', 'catalog_type, catalog_name, uri, warehouse', {
      reason: 'name' in catalog ? 'online tables are kept in the default catalog' : catalog.reason,
      remedy: 'Online tables will be made in the default catalog of moraine.yaml; materialize the views again.',
    });
  }
  return {
    ...(store.namespace === undefined ? {} : { namespace: store.namespace }),
    ...partitioningOf(store, findings),
    ...timeoutOf(store, findings),
  };
}

/** Feast's names of strategies are ours. */
function partitioningOf(
  store: FeastStore,
  findings: Findings,
): Pick<ImportedStores['online'], 'partitionStrategy' | 'buckets'> {
  const { partitionStrategy = 'entity_hash' } = store;
  const strategy = PARTITION_STRATEGIES.find((one) => one === partitionStrategy);
  if (strategy === undefined) {
    findings.changed('online_store option', 'partition_strategy', {
      reason: `there is no strategy ${partitionStrategy}; online tables are partitioned by a hash of the entity key`,
      remedy: 'Set online.partitionStrategy in moraine.yaml, or onlinePartitionStrategy of a view.',
    });
  }
  return {
    ...(strategy === undefined || strategy === 'entity_hash' ? {} : { partitionStrategy: strategy }),
    ...bucketsOf(store, findings),
  };
}

function bucketsOf(
  { partitionStrategy, partitionCount }: FeastStore,
  findings: Findings,
): Pick<ImportedStores['online'], 'buckets'> {
  if (partitionCount === undefined || partitionStrategy === 'timestamp') return {};
  if (partitionCount >= 1 && partitionCount <= MOST_BUCKETS) return { buckets: partitionCount };
  findings.leftOut('online_store option', 'partition_count', {
    reason: `${partitionCount} is not from 1 to ${MOST_BUCKETS}`,
    remedy: 'Set online.buckets in moraine.yaml.',
  });
  return {};
}

function timeoutOf(store: FeastStore, findings: Findings): { readonly readTimeoutMs?: number } {
  const { readTimeoutMs } = store;
  if (readTimeoutMs === undefined) return {};
  if (readTimeoutMs >= 1 && readTimeoutMs <= LONGEST_TIMEOUT_MS) return { readTimeoutMs };
  findings.leftOut('online_store option', 'read_timeout_ms', {
    reason: `${readTimeoutMs} is not from 1 to ${LONGEST_TIMEOUT_MS}`,
    remedy: 'Set online.readTimeoutMs in moraine.yaml.',
  });
  return {};
}

/** Options of stores of other kinds are theirs alone; of an Iceberg store's, what is not known is said. */
function reportOtherOptions(kind: string, store: FeastStore, findings: Findings): void {
  if (!isIceberg(store)) return;
  for (const option of store.otherOptions) {
    findings.leftOut(kind, option, {
      reason: 'Moraine has no such option',
      remedy: 'See docs/migrating-from-feast.md for what takes its place.',
    });
  }
}
