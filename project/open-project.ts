import type { Catalog } from '../catalogs/index.js';
import { parseTableName, restPrincipal } from '../catalogs/index.js';
import { type ConfigInput, configFromValue, loadConfig, type MoraineConfig } from '../config/index.js';
import type { Engine } from '../engine/index.js';
import { isMoraineError, MoraineError, nearestNames } from '../errors/index.js';
import type { Registry } from '../features/index.js';
import { isStoreLocation, PrefixMap } from '../locations/index.js';
import {
  addressOptions,
  type FileIO,
  hasCredentials,
  openStorage,
  StorageGrants,
  storeOptionsAt,
} from '../storage/index.js';
import { loadTable } from '../tables/index.js';
import type { Project, ResolvedTableName } from './project.js';
import { tableNotFound } from './table-not-found.js';

export interface OpenProjectOptions {
  /** Where to look for `moraine.yaml`, here or above; the working directory unless given. */
  readonly cwd?: string;
  /** The configuration file itself. */
  readonly configFile?: string;
  /** The configuration as a value, instead of a file; its relative paths start at `cwd`. */
  readonly config?: ConfigInput | MoraineConfig;
  /** Folders besides the storage roots that the query engine may read: those of input and output files. */
  readonly fileFolders?: readonly string[];
  /** Whether missing storage roots are made when first used; true unless given. */
  readonly createRoots?: boolean;
}

/**
 * Opens a project. Nothing is read or created but the configuration until a part is asked for.
 *
 * @throws `CONFIG_NOT_FOUND`, `CONFIG_INVALID`
 */
export async function openProject(options: OpenProjectOptions = {}): Promise<Project> {
  const config = configOf(options);
  const { roots, locations, options: storageOptions, stores, cache } = config.storage;
  const diskCache = { folder: cache.directory, maxBytes: cache.maxBytes };
  const prefixes = new PrefixMap([...locations].map(([prefix, folder]) => ({ prefix, folder })));
  const createRoots = options.createRoots ?? true;
  const grants = storageGrants(config);
  const io = await openStorage({ roots, options: storageOptions, stores, diskCache, createRoots, prefixes, grants });
  const catalogs = new CatalogSet(config, io, grants);
  const engine = new EngineSlot(config, options.fileFolders ?? []);
  const openRegistry = async (): Promise<Registry> => {
    const { Registry } = await import('../features/index.js');
    const { identifier } = parseTableName(config.registry.table);
    const catalog = await catalogs.open(config.defaultCatalog);
    return new Registry({ catalog, io, engine: () => engine.open(), table: identifier });
  };
  const registry = new Opened(openRegistry);
  const resolveTable = async (name: string): Promise<ResolvedTableName> => {
    const parsed = parseTableName(name);
    return { catalog: await catalogs.open(parsed.catalog ?? config.defaultCatalog), identifier: parsed.identifier };
  };
  return {
    config,
    io,
    catalog: (name) => catalogs.open(name ?? config.defaultCatalog),
    engine: () => engine.open(),
    resolveTable,
    loadTable: async (name) => {
      const resolved = await resolveTable(name);
      try {
        return await loadTable(resolved.catalog, io, resolved.identifier);
      } catch (error) {
        if (!isMoraineError(error, 'TABLE_NOT_FOUND')) throw error;
        throw await tableNotFound(resolved, config.defaultCatalog, error);
      }
    },
    reach: async (table, file) => {
      const { catalog, identifier } = await resolveTable(table);
      await catalog.reach?.(identifier, file);
    },
    identity: async () => (await registry.get()).projectId(),
    knownIdentity: async () => (await registry.get()).findProjectId(),
    registry: () => registry.get(),
    close: async () => {
      io.cache.clear();
      const results = await Promise.allSettled([catalogs.close(), engine.close()]);
      const failed = results.find((result) => result.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
    },
  };
}

function configOf(options: OpenProjectOptions): MoraineConfig {
  const { config, configFile, cwd } = options;
  if (config === undefined) {
    return loadConfig({ ...(cwd === undefined ? {} : { cwd }), ...(configFile === undefined ? {} : { configFile }) });
  }
  return isResolved(config) ? config : configFromValue(config, cwd ?? '.');
}

function isResolved(config: ConfigInput | MoraineConfig): config is MoraineConfig {
  return config.catalogs instanceof Map;
}

/** Where access to files is kept that REST catalogs give, unless the project has credentials of its own for every store. */
function storageGrants({ catalogs, storage }: MoraineConfig): StorageGrants | undefined {
  const servers = [...catalogs.values()].filter((catalog) => catalog.type === 'rest');
  const hasOwn = [storage, ...storage.stores].every(({ options }) => hasCredentials(options));
  if (servers.length === 0 || hasOwn) return undefined;
  const askers = servers.map(({ uri, warehouse = '', options: own }) => [uri, warehouse, restPrincipal(own ?? {})]);
  return new StorageGrants({
    scope: JSON.stringify(askers),
    addressAt: (location) => addressOptions(storeOptionsAt(storage, location)),
  });
}

/** The catalogs of a configuration, each opened at most once. */
class CatalogSet {
  readonly #config: MoraineConfig;
  readonly #io: FileIO;
  readonly #grants: StorageGrants | undefined;
  readonly #open = new Map<string, Promise<Catalog>>();

  constructor(config: MoraineConfig, io: FileIO, grants: StorageGrants | undefined) {
    this.#config = config;
    this.#io = io;
    this.#grants = grants;
  }

  open(name: string): Promise<Catalog> {
    let catalog = this.#open.get(name);
    if (catalog === undefined) {
      catalog = this.#openNew(name);
      this.#open.set(name, catalog);
      // A catalog that could not be opened may be asked for again.
      catalog.catch(() => this.#open.delete(name));
    }
    return catalog;
  }

  async #openNew(name: string): Promise<Catalog> {
    const config = this.#config.catalogs.get(name);
    if (config === undefined) {
      const names = [...this.#config.catalogs.keys()];
      const [near] = nearestNames(name, names, 1);
      const advice = near === undefined ? `the catalogs are ${names.join(', ')}` : `did you mean ${near}?`;
      throw new MoraineError('INVALID_ARGUMENT', `there is no catalog ${JSON.stringify(name)}; ${advice}`);
    }
    const { openGlueCatalog, openHiveCatalog, openMemoryCatalog, openRestCatalog, openSqlCatalog, openTrinoCatalog } =
      await import('../catalogs/index.js');
    switch (config.type) {
      case 'rest':
        return openRestCatalog({ ...config, grants: this.#grants });
      case 'glue':
        return openGlueCatalog({ ...config, io: this.#io });
      case 'hive':
        return openHiveCatalog({ ...config, io: this.#io });
      case 'trino':
        return openTrinoCatalog({ ...config, io: this.#io });
      case 'memory':
        return openMemoryCatalog({ ...config, io: this.#io });
      case 'sql':
        return openSqlCatalog({ ...config, io: this.#io });
    }
  }

  async close(): Promise<void> {
    const open = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(open.map(async (catalog) => (await catalog).close()));
  }
}

/** What is opened when first asked for, once. What could not be opened may be asked for again: a catalog or a disk comes back. */
class Opened<T> {
  readonly #open: () => Promise<T>;
  #opened: Promise<T> | undefined;

  constructor(open: () => Promise<T>) {
    this.#open = open;
  }

  get(): Promise<T> {
    this.#opened ??= this.#openOnce();
    return this.#opened;
  }

  #openOnce(): Promise<T> {
    const opened = this.#open();
    opened.catch(() => {
      if (this.#opened === opened) this.#opened = undefined;
    });
    return opened;
  }

  /** What is open; undefined: nothing, or it is taken already. */
  take(): Promise<T> | undefined {
    const opened = this.#opened;
    this.#opened = undefined;
    return opened;
  }
}

/** The query engine. */
class EngineSlot {
  readonly #config: MoraineConfig;
  readonly #fileFolders: readonly string[];
  readonly #engine = new Opened(() => this.#openNew());

  constructor(config: MoraineConfig, fileFolders: readonly string[]) {
    this.#config = config;
    this.#fileFolders = fileFolders;
  }

  open(): Promise<Engine> {
    return this.#engine.get();
  }

  async #openNew(): Promise<Engine> {
    const { openEngine } = await import('../engine/index.js');
    return openEngine({
      memoryLimitBytes: this.#config.engine.memoryLimitBytes,
      threads: this.#config.engine.threads,
      tempDirectory: this.#config.engine.tempDirectory,
      allowedDirectories: [
        ...this.#config.storage.roots.filter((root) => !isStoreLocation(root)),
        ...this.#fileFolders,
      ],
    });
  }

  async close(): Promise<void> {
    await (await this.#engine.take())?.close();
  }
}
