/** A Feast repository: its configuration and the registry that `feast apply` wrote. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { MoraineError } from '../errors/index.js';
import { readFileRegistry } from './file-registry.js';
import type { FeastRegistry } from './registry.js';
import { type FeastRepositoryConfig, parseRepositoryConfig } from './repository-config.js';
import { readSqlRegistry } from './sql-registry.js';
import { sqliteFile } from './sqlite-uri.js';

const CONFIG_NAME = 'feature_store.yaml';

/** A Feast repository, read. */
export interface FeastRepository {
  /** Absolute path of the folder: relative paths in the configuration start here. */
  readonly folder: string;
  readonly config: FeastRepositoryConfig;
  readonly registry: FeastRegistry;
}

/**
 * Reads a Feast repository. Nothing in it is run: definitions come from the registry, not from its Python files.
 *
 * @param folder with a `feature_store.yaml`, after `feast apply`
 * @throws `INPUT_UNREADABLE` if the configuration or registry cannot be read; `UNSUPPORTED_FEATURE` for a registry elsewhere
 */
export function readFeastRepository(
  folder: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): FeastRepository {
  const root = resolve(folder);
  const file = join(root, CONFIG_NAME);
  const config = parseRepositoryConfig(readText(file, root), file, env);
  return { folder: root, config, registry: readRegistry(root, config) };
}

function readText(file: string, folder: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const missing = ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');
    const reason = missing ? `${folder} has no ${CONFIG_NAME}; name the folder of a Feast repository` : String(error);
    throw new MoraineError('INPUT_UNREADABLE', reason, { cause: error });
  }
}

function readRegistry(folder: string, { registry, project }: FeastRepositoryConfig): FeastRegistry {
  const { type, path } = registry;
  if (type === 'file' && !/^(?!file:)[a-z][a-z0-9+.-]*:\/\//i.test(path)) {
    return readFileRegistry(resolve(folder, path.replace(/^file:\/\//, '')), project);
  }
  const sqlite = type === 'sql' ? sqliteFile(path, folder) : undefined;
  if (sqlite !== undefined) return readSqlRegistry(sqlite, project);
  throw new MoraineError('UNSUPPORTED_FEATURE', elsewhere(type));
}

/** The path is not named: it may hold a password. */
function elsewhere(type: string): string {
  const copy =
    "from feast import FeatureStore; open('registry.db', 'wb').write(FeatureStore('.').registry.proto().SerializeToString())";
  return `the registry (registry_type ${type}) is not a file of this machine; write a copy with \`python -c "${copy}"\` in the repository, and name it in ${CONFIG_NAME} as registry: registry.db`;
}
