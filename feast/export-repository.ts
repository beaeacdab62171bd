/** A repository that Feast opens as it is: `registry.db` and `feature_store.yaml`. */
import { randomUUID } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { stringify } from 'yaml';
import { MoraineError } from '../errors/index.js';

export interface RepositoryExport {
  /** Name of the project in Feast. */
  readonly project: string;
  /** Address of `moraine serve`. */
  readonly url: string;
  /** Whether the service asks for API keys: Feast then sends that of the variable MORAINE_API_KEY. */
  readonly hasKeys: boolean;
  readonly registry: Uint8Array;
}

/** Feast takes no others (feast/repo_operations.py, is_valid_name). */
const PROJECT_NAME = /^[A-Za-z0-9][A-Za-z0-9_]*$/;

/** @throws INVALID_ARGUMENT */
export function requireFeastProjectName(name: string): void {
  if (PROJECT_NAME.test(name)) return;
  throw new MoraineError(
    'INVALID_ARGUMENT',
    `Feast has no project names such as ${JSON.stringify(name)}: use letters, digits and underscores.`,
  );
}

/**
 * Writes both files into a folder that is there; each is replaced at once.
 * @returns their absolute paths
 */
export async function writeFeastRepository(
  folder: string,
  { project, url, hasKeys, registry }: RepositoryExport,
): Promise<readonly string[]> {
  requireFeastProjectName(project);
  const files = [resolve(folder, 'registry.db'), resolve(folder, 'feature_store.yaml')] as const;
  const config = {
    project,
    provider: 'local',
    registry: { path: 'registry.db', cache_ttl_seconds: 5 },
    online_store: { type: 'remote', path: url },
    ...(hasKeys ? { auth: { type: 'oidc', token_env_var: 'MORAINE_API_KEY' } } : {}),
    entity_key_serialization_version: 3,
  };
  await replaceFile(files[0], registry);
  await replaceFile(files[1], `# Written by \`moraine feast export\`.\n${stringify(config)}`);
  return files;
}

/** Who reads the file finds the old content or the new one, however many write it: containers on one volume may have the same process ids. */
export async function replaceFile(path: string, content: string | Uint8Array): Promise<void> {
  const written = `${path}.${randomUUID()}.tmp`;
  try {
    await writeFile(written, content, { flag: 'wx' });
    await rename(written, path);
  } catch (error) {
    await rm(written, { force: true });
    const reason = error instanceof Error ? error.message : String(error);
    throw new MoraineError('INVALID_ARGUMENT', `The file ${path} cannot be written: ${reason}.`, { cause: error });
  }
}
