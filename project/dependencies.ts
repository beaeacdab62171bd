/** Dependencies of other rooms, made from a project. */
import { join } from 'node:path';
import {
  type Catalog,
  databaseFile,
  formatTableName,
  parseTableName,
  type TableIdentifier,
} from '../catalogs/index.js';
import type { CatalogConfig } from '../config/index.js';
import { type ErrorCode, isMoraineError, MoraineError } from '../errors/index.js';
import { DatasetRegistry, type HistoricalDeps, objectKey, type SaveDeps } from '../features/index.js';
import {
  type CompactDeps,
  dropRemedy,
  type GuardedPlace,
  type MaintenanceDeps,
  type MoveDeps,
} from '../maintenance/index.js';
import type { MaterializationDeps } from '../materialization/index.js';
import { namesBuckets } from '../storage/index.js';
import { findTable, loadTable, type Table } from '../tables/index.js';
import { catalogTables, catalogViews } from './catalog-tables.js';
import { enginesOf } from './engines.js';
import type { Project } from './project.js';

/** Dependencies of maintenance, from a project. */
export function maintenanceDeps(project: Project): MaintenanceDeps {
  const onlineNamespace = project.config.online.namespace.split('.');
  return {
    loadTable: (name) => project.loadTable(name),
    tables: () => allTables(project),
    isConfigured: async (catalog) =>
      project.config.catalogs.has(catalog.name) && (await project.catalog(catalog.name)).id === catalog.id,
    guardedPlaces: async () => guardedPlaces(project),
    registry: async () => (await project.registry()).read(),
    datasets: async () => (await datasetDeps(project)).datasets.list(),
    onlineTable: async (name) =>
      await findTable(await project.catalog(), project.io, { namespace: onlineNamespace, name }),
    nowMs: () => BigInt(Date.now()),
  };
}

/** Dependencies of moving a table to a catalog, from a project. @throws `INVALID_ARGUMENT` for an unknown catalog */
export async function moveDeps(project: Project, catalog: string): Promise<MoveDeps> {
  return {
    target: await project.catalog(catalog),
    engine: () => project.engine(),
    tables: () => allTables(project, 'No table moves'),
    guardedPlaces: async () => guardedPlaces(project),
  };
}

/** Places that maintenance must not sweep, whatever location a table claims. */
function guardedPlaces({ config }: Project): readonly GuardedPlace[] {
  return [
    ...config.storage.roots
      .filter((root) => !namesBuckets(root))
      .map((location) => ({ name: 'a storage root', location })),
    { name: 'the folder of the project', location: config.directory },
    { name: 'the repository of the project', location: join(config.directory, '.git'), isClosed: true },
    ...(config.configFile === null ? [] : [{ name: 'the configuration', location: config.configFile }]),
    { name: 'the folder of local state', location: config.stateFolder },
    { name: 'the folder of temporary files', location: config.engine.tempDirectory },
    ...config.definitions.map((location) => ({ name: 'definitions', location })),
    ...[...config.catalogs].flatMap(([name, catalog]) => {
      if (catalog.type === 'rest' || catalog.type === 'trino') return [];
      const file = catalog.type === 'sql' ? databaseFile(catalog.uri) : null;
      return [
        { name: `the warehouse of catalog ${name}`, location: catalog.warehouse },
        ...(file === null ? [] : [{ name: `the database of catalog ${name}`, location: file }]),
      ];
    }),
  ];
}

/** Whether tables outside the storage roots are none of the project's business: those of others are in Glue, in metastores and behind Trino, too. */
export const hasTablesOfOthers = ({ type }: CatalogConfig): boolean => ['glue', 'hive', 'trino'].includes(type);

/** Every table of every configured catalog, and of catalogs of other names in their databases. */
async function* allTables(project: Project, consequence = 'Nothing is deleted'): AsyncGenerator<Table> {
  const seen = new Set<string>();
  const siblings: Catalog[] = [];
  for (const [name, config] of project.config.catalogs) {
    const catalog = await answered(name, consequence, async () => {
      const opened = await project.catalog(name);
      siblings.push(...(await opened.siblings()));
      return opened;
    });
    seen.add(catalog.id);
    yield* tablesOf(catalog, project.io, {
      consequence,
      elsewhere: hasTablesOfOthers(config) ? ['LOCATION_REFUSED'] : [],
      isConfigured: true,
    });
  }
  for (const sibling of siblings) {
    if (seen.has(sibling.id)) continue;
    seen.add(sibling.id);
    yield* tablesOf(sibling, project.io, { consequence, elsewhere: ['LOCATION_REFUSED'], isConfigured: false });
  }
}

/** Asks a catalog whose tables must all be known. */
async function answered<T>(name: string, consequence: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (!isMoraineError(error, 'CATALOG_UNAVAILABLE')) throw error;
    const message = `${consequence} while it is not known which files the tables of catalog ${name} have: ${error.message} If ${name} is no longer used, take it out of moraine.yaml.`;
    throw new MoraineError(error.code, message, { cause: error });
  }
}

interface UnreadTables {
  /** Of a table that cannot be read, for people. */
  readonly consequence: string;
  /** Codes of tables that cannot be opened, and need not be: their files are in other places. */
  readonly elsewhere: readonly ErrorCode[];
  /** Whether commands can name the tables. */
  readonly isConfigured: boolean;
}

async function* tablesOf(
  catalog: Catalog,
  io: Project['io'],
  { consequence, elsewhere, isConfigured }: UnreadTables,
): AsyncGenerator<Table> {
  for (const identifier of await answered(catalog.name, consequence, () => listed(catalog))) {
    try {
      yield await loadTable(catalog, io, identifier);
    } catch (error) {
      if (isMoraineError(error, 'TABLE_NOT_FOUND', ...elsewhere)) continue; // dropped meanwhile, for one
      const name = formatTableName(identifier, catalog.name);
      if (!isMoraineError(error)) throw error;
      const remedy = isConfigured && !error.retryable ? dropRemedy(name) : '';
      const message = `${consequence} while table ${name} cannot be read: ${error.message}${remedy}`;
      throw new MoraineError(error.code, message, { cause: error });
    }
  }
}

async function listed(catalog: Catalog): Promise<readonly TableIdentifier[]> {
  const names: TableIdentifier[] = [];
  for await (const identifier of catalogTables(catalog)) names.push(identifier);
  return names;
}

interface NamedTable {
  readonly catalog: Catalog;
  readonly identifier: TableIdentifier;
}

/** Takes the failure of a catalog, whose names are then left out. */
export type OnSilentCatalog = (catalog: string, error: MoraineError) => void;

/** The name of every table of every configured catalog. Unless `onSilent` is given, a catalog that fails ends the list. */
export function tableNames(project: Project, onSilent?: OnSilentCatalog): AsyncGenerator<NamedTable> {
  return namesOf(project, catalogTables, onSilent);
}

/** The names of the tables that can be changed: those that Trino alone reaches are left out, and it is not asked. */
export function changeableTableNames(project: Project): AsyncGenerator<NamedTable> {
  const isChangeable = ({ type }: CatalogConfig): boolean => type !== 'trino';
  return namesOf(project, catalogTables, undefined, isChangeable);
}

/** The name of every view of every configured catalog. */
export function viewNames(project: Project, onSilent?: OnSilentCatalog): AsyncGenerator<NamedTable> {
  return namesOf(project, catalogViews, onSilent);
}

async function* namesOf(
  project: Project,
  list: (catalog: Catalog) => AsyncIterable<TableIdentifier>,
  onSilent?: OnSilentCatalog,
  isAsked: (catalog: CatalogConfig) => boolean = () => true,
): AsyncGenerator<NamedTable> {
  for (const [name, config] of project.config.catalogs) {
    if (!isAsked(config)) continue;
    try {
      const catalog = await project.catalog(name);
      for await (const identifier of list(catalog)) yield { catalog, identifier };
    } catch (error) {
      if (onSilent === undefined || !isMoraineError(error)) throw error;
      onSilent(name, error);
    }
  }
}

/** Dependencies of compaction, from a project. */
export async function compactDeps(project: Project): Promise<CompactDeps> {
  const registry = await project.registry();
  return {
    io: project.io,
    engine: await project.engine(),
    loadTable: (name) => project.loadTable(name),
    definitions: async () => (await registry.read()).definitions,
  };
}

/** Dependencies of retrieving, saving and replaying datasets, from a project. The table of datasets lies beside the registry of definitions. */
export async function datasetDeps(project: Project): Promise<HistoricalDeps & SaveDeps> {
  const { namespace } = parseTableName(project.config.registry.table).identifier;
  const deps = await materializationDeps(project);
  const { catalog, io, engine } = deps;
  return {
    ...deps,
    datasets: new DatasetRegistry({ catalog, io, engine, table: { namespace, name: 'datasets' } }),
    resolveTarget: (name) => project.resolveTable(name),
  };
}

/** Dependencies of materialization, online reads and retrieval, from a project: online tables and registry live in its default catalog. */
export async function materializationDeps(project: Project): Promise<MaterializationDeps> {
  const { config, io } = project;
  const registry = await project.registry();
  return {
    catalog: await project.catalog(),
    io,
    engine: await project.engine(),
    settings: {
      namespace: config.online.namespace.split('.'),
      buckets: config.online.buckets,
      partitionStrategy: config.online.partitionStrategy,
    },
    definitions: async () => (await registry.read()).definitions,
    formerNames: async (view) => (await registry.read()).formerNames.get(objectKey('featureView', view)) ?? [],
    loadSource: (name) => project.loadTable(name),
    engines: await enginesOf(project),
    reach: (table) => project.reach(table),
  };
}
