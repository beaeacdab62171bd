/** A Feast repository made into the files of a Moraine project. */
import { join } from 'node:path';
import { parseTableName } from '../catalogs/index.js';
import { type ConfigInput, type MoraineConfig, namedVariables, parseConfig } from '../config/index.js';
import type { TableSchema } from './definition-value.js';
import { endpointOfFiles, type FindTables, withTablesOfFiles } from './file-sources.js';
import { type Finding, Findings } from './finding.js';
import { type ImportedStores, importStores, reportCatalogs } from './import-config.js';
import { type ImportedDefinitions, importDefinitions } from './import-definitions.js';
import { listOthers } from './list-others.js';
import { renderConfig } from './render-config.js';
import { renderDefinitions } from './render-definitions.js';
import type { FeastRepository } from './repository.js';
import { locateSources, type ViewSource, type ViewSources } from './view-sources.js';

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
  /** Variables that the configuration names; those of the process unless given. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly findTables: FindTables;
  /** Reads the schemas of tables by their names, under the configuration that the import makes. */
  readonly readSchemas: (config: MoraineConfig, tables: readonly string[]) => Promise<ReadonlyMap<string, TableSchema>>;
}

/** Turns a Feast repository into `moraine.yaml` and `features.yaml`, and lists what has no counterpart. */
export async function importFeast(repository: FeastRepository, options: FeastImportOptions): Promise<FeastImport> {
  const findings = new Findings();
  const stores = importStores(repository, findings);
  const named = locateSources(repository, stores);
  stores.catalogs.offer('s3.endpoint', endpointOfFiles(repository));
  const { folder, env } = options;
  const place = { project: repository.config.project, folder };
  const textOf = (): string => renderConfig(configOf(stores, named.defaultCatalog), stores.storageOptions, place);
  const text = textOf();
  const loaded = parseConfig(text, { file: join(folder, 'moraine.yaml'), env: environmentOf(text, stores, env) });
  const located = await withTablesOfFiles(repository, named, loaded, options.findTables, findings);
  const tables = [...located.sources.values()].flatMap((source) => ('table' in source ? [source.table] : []));
  const schemas = await options.readSchemas(loaded, [...new Set(tables)]);
  const sources = withoutSilentCatalogs(located, schemas, stores);
  reportCatalogs(stores.catalogs, findings);
  const definitions = importDefinitions(repository, sources, schemas, findings);
  listOthers(repository, findings);
  const files = new Map([
    ['moraine.yaml', textOf()],
    ['features.yaml', renderDefinitions(definitions, place.project)],
  ]);
  const config = configOf(stores, located.defaultCatalog);
  return { config, definitions, findings: findings.list, files };
}

/** The variables that a configuration names: those of the repository's secrets have their values, and one that nobody has set, some value. */
function environmentOf(
  text: string,
  { catalogs }: ImportedStores,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Readonly<Record<string, string | undefined>> {
  const named = namedVariables(text).map((name) => [name, 'https://unset.invalid']);
  return { ...Object.fromEntries(named), ...env, ...Object.fromEntries(catalogs.secrets.values) } as Record<
    string,
    string
  >;
}

/**
 * Catalogs besides the default one that do not answer are left out with their views: nothing could be applied, and nothing maintained, while
 * one of a project's catalogs is silent.
 */
function withoutSilentCatalogs(
  { sources, defaultCatalog }: ViewSources,
  schemas: ReadonlyMap<string, TableSchema>,
  { catalogs }: ImportedStores,
): ViewSources {
  const checked = [...sources].map(([view, source]): [string, ViewSource] => {
    if (!('table' in source)) return [view, source];
    const { catalog } = parseTableName(source.table);
    const schema = schemas.get(source.table);
    if (catalog === undefined || schema === undefined || !('reason' in schema) || schema.isSilent !== true)
      return [view, source];
    catalogs.remove(catalog);
    const remedy = 'Let it answer from here, set the variables that its options need, then import again.';
    return [
      view,
      {
        reason: `its catalog ${catalog} cannot be asked for its table: ${schema.reason.replace(/[.\s]+$/, '')}`,
        remedy,
      },
    ];
  });
  return { sources: new Map(checked), defaultCatalog };
}

/** Paths are absolute. */
function configOf({ catalogs, online }: ImportedStores, defaultCatalog: string | undefined): ConfigInput {
  const entries = [...catalogs.catalogs].map(([name, { input }]) => [name, input]);
  const { storage } = catalogs;
  return {
    ...(defaultCatalog === undefined ? {} : { catalog: defaultCatalog }),
    ...(entries.length === 0 ? {} : { catalogs: Object.fromEntries(entries) as ConfigInput['catalogs'] }),
    ...(storage === undefined ? {} : { storage }),
    ...(Object.keys(online).length === 0 ? {} : { online }),
    definitions: ['features.yaml'],
  };
}
