/** A Feast repository made into the files of a Moraine project. */
import { type ConfigInput, configFromValue, type MoraineConfig } from '../config/index.js';
import type { TableSchema } from './definition-value.js';
import { type Finding, Findings } from './finding.js';
import { type ImportedStores, importStores } from './import-config.js';
import { type ImportedDefinitions, importDefinitions } from './import-definitions.js';
import { listOthers } from './list-others.js';
import { renderConfig } from './render-config.js';
import { renderDefinitions } from './render-definitions.js';
import type { FeastRepository } from './repository.js';
import { locateSources } from './view-sources.js';

/** The result of an import: nothing is written. */
export interface FeastImport {
  readonly config: ConfigInput;
  readonly definitions: ImportedDefinitions;
  readonly findings: readonly Finding[];
  /** Content of each file by its name. */
  readonly files: ReadonlyMap<string, string>;
}

/** How an import reaches the world. */
export interface FeastImportOptions {
  /** Absolute path of the folder that the files are for: paths in `moraine.yaml` start there. */
  readonly folder: string;
  /** Reads the schemas of tables by their names, under the configuration that the import makes. */
  readonly readSchemas: (config: MoraineConfig, tables: readonly string[]) => Promise<ReadonlyMap<string, TableSchema>>;
}

/** Turns a Feast repository into `moraine.yaml` and `features.yaml`, and lists what has no counterpart. */
export async function importFeast(repository: FeastRepository, options: FeastImportOptions): Promise<FeastImport> {
  const findings = new Findings();
  const stores = importStores(repository, findings);
  const sources = locateSources(repository, stores);
  const config = configOf(stores, sources.defaultCatalog);
  const tables = [...sources.sources.values()].flatMap((source) => ('table' in source ? [source.table] : []));
  const schemas = await options.readSchemas(configFromValue(config, options.folder), [...new Set(tables)]);
  const definitions = importDefinitions(repository, sources, schemas, findings);
  listOthers(repository, findings);
  const { project } = repository.config;
  const files = new Map([
    ['moraine.yaml', renderConfig(config, stores.storageOptions, { project, folder: options.folder })],
    ['features.yaml', renderDefinitions(definitions, project)],
  ]);
  return { config, definitions, findings: findings.list, files };
}

/** Paths are absolute. */
function configOf({ catalogs, online }: ImportedStores, defaultCatalog: string | undefined): ConfigInput {
  const entries = [...catalogs.catalogs].map(([name, { uri, warehouse }]) => [
    name,
    { type: 'sql' as const, uri, warehouse },
  ]);
  return {
    ...(defaultCatalog === undefined ? {} : { catalog: defaultCatalog }),
    ...(entries.length === 0 ? {} : { catalogs: Object.fromEntries(entries) as ConfigInput['catalogs'] }),
    ...(Object.keys(online).length === 0 ? {} : { online }),
    definitions: ['features.yaml'],
  };
}
