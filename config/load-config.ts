import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { MoraineError } from '../errors/index.js';
import { isSecretCatalogOption } from './catalog-options.js';
import { catalogStorageProblem } from './catalog-storage.js';
import type { MoraineConfig } from './config.js';
import { problemsOf } from './config-problems.js';
import { type ConfigInput, configSchema } from './config-schema.js';
import type { Environment } from './expand-environment.js';
import { CONFIG_FILE_NAME, findConfigFile } from './find-config.js';
import { resolveConfig } from './resolve-config.js';
import { SECRET_OPTIONS } from './storage-options.js';
import { parseYamlSource, type SourceProblem, type YamlSource } from './yaml-source.js';

export interface LoadConfigOptions {
  /** Where to look for `moraine.yaml`, here or above; the working directory unless given. */
  readonly cwd?: string;
  /** The file itself. */
  readonly configFile?: string;
  /** Variables for `${NAME}`; the process's unless given. */
  readonly env?: Environment;
}

/**
 * Finds and reads `moraine.yaml`. Paths in it are relative to it; `${NAME}` and `${NAME:-default}` are replaced in values.
 *
 * @throws `CONFIG_NOT_FOUND`; `CONFIG_INVALID` naming every mistake with its line
 */
export function loadConfig(options: LoadConfigOptions = {}): MoraineConfig {
  const cwd = resolve(options.cwd ?? '.');
  const file = options.configFile === undefined ? findConfigFile(cwd) : resolve(cwd, options.configFile);
  if (file === undefined) {
    throw new MoraineError('CONFIG_NOT_FOUND', `no ${CONFIG_FILE_NAME} in ${cwd} or any folder above it`, {
      details: { folder: cwd },
    });
  }
  return parseConfig(readConfigText(file), { file, env: options.env ?? process.env });
}

function readConfigText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const reason = missing ? 'there is no such file' : (error as Error).message;
    throw new MoraineError('CONFIG_NOT_FOUND', `cannot read the configuration ${file}: ${reason}; check --config`, {
      details: { file },
      cause: error,
    });
  }
}

/**
 * Reads a configuration from its text.
 *
 * @param source `file` is the absolute path that messages name and that relative paths start beside
 * @throws `CONFIG_INVALID` naming every mistake with its line
 */
export function parseConfig(
  text: string,
  source: { readonly file: string; readonly env?: Environment },
): MoraineConfig {
  const yaml = parseYamlSource(text, source.env ?? {});
  if (yaml.problems.length > 0) throw invalid(source.file, yaml.problems);
  const parsed = parsedValue(yaml);
  if (!parsed.success) {
    throw invalid(
      source.file,
      parsed.error.issues.flatMap((issue) => problemsOf(issue, yaml.lineAt)),
    );
  }
  const catalogProblem = checkCatalogs(parsed.data);
  if (catalogProblem !== undefined) {
    throw invalid(source.file, [{ line: yaml.lineAt([catalogProblem.key]), message: catalogProblem.message }]);
  }
  const secrets = [...writtenSecrets(yaml, parsed.data), ...writtenPasswords(yaml, parsed.data)];
  if (secrets.length > 0) throw invalid(source.file, secrets);
  return resolveConfig(parsed.data, { directory: dirname(source.file), configFile: source.file });
}

/** What a variable gave is a number or a boolean only where no text can be. */
function parsedValue({ value, withPlainValues }: YamlSource): ReturnType<typeof configSchema.safeParse> {
  const asTexts = configSchema.safeParse(value);
  if (asTexts.success) return asTexts;
  const isOfAnotherType = ({ code }: { readonly code?: string }): boolean => /^invalid_(type|union)$/.test(code ?? '');
  const plain = withPlainValues(asTexts.error.issues.filter(isOfAnotherType).map(({ path }) => path));
  return plain === undefined ? asTexts : configSchema.safeParse(plain);
}

/** Secrets that stand in the file itself, which people share and commit. */
function writtenSecrets(
  { isLiteral, lineAt }: YamlSource,
  { catalogs = {}, storage, trino, worker }: ConfigInput,
): SourceProblem[] {
  const places = [['storage'], ...Object.keys(storage?.stores ?? {}).map((name) => ['storage', 'stores', name])];
  const ofStorage = places.flatMap((place) => SECRET_OPTIONS.map((name) => [...place, 'options', name]));
  const ofCatalogs = Object.entries(catalogs).flatMap(([catalog, { options = {} }]) =>
    Object.keys(options)
      .filter(isSecretCatalogOption)
      .map((name) => ['catalogs', catalog, 'options', name]),
  );
  const ofTrino = Object.keys(trino?.options ?? {})
    .filter(isSecretCatalogOption)
    .map((name) => ['trino', 'options', name]);
  const clusters = Object.keys(worker?.ingestKafka ?? {});
  const ofKafka = clusters.map((name) => ['worker', 'ingestKafka', name, 'sasl', 'password']);
  const all = [...ofStorage, ...ofCatalogs, ...ofTrino, ...ofKafka, ['temporal', 'apiKey']];
  return all.filter(isLiteral).map((path) => {
    const message = `${path.join('.')}: a secret must not stand in the file; take it from the environment, as in ${path.at(-1)}: \${MY_SECRET}`;
    return { line: lineAt(path), message };
  });
}

/** Before the host, or as a parameter. */
const PASSWORD_IN_URI = /^postgres[^/]*:\/\/(?:[^@/]*:[^@/]+@|[^?]*\?(?:.*&)?password=[^&])/;

function writtenPasswords({ isLiteral, lineAt }: YamlSource, { catalogs = {} }: ConfigInput): SourceProblem[] {
  return Object.entries(catalogs).flatMap(([name, { uri = '' }]) => {
    const path = ['catalogs', name, 'uri'] as const;
    if (!PASSWORD_IN_URI.test(uri) || !isLiteral(path)) return [];
    const message = `catalogs.${name}.uri: a password must not stand in the file; take it from the environment, as in uri: postgresql://user:\${MY_PASSWORD}@host/database`;
    return [{ line: lineAt(path), message }];
  });
}

/**
 * Fills in the defaults of a configuration given as a value.
 *
 * @throws `CONFIG_INVALID` naming every mistake with its key
 */
export function configFromValue(value: ConfigInput, directory: string): MoraineConfig {
  const parsed = configSchema.safeParse(value);
  if (!parsed.success) {
    const problems = parsed.error.issues.flatMap((issue) => problemsOf(issue, () => 0));
    throw new MoraineError(
      'CONFIG_INVALID',
      `the configuration is not valid: ${problems.map((p) => p.message).join('; ')}`,
    );
  }
  const catalogProblem = checkCatalogs(parsed.data);
  if (catalogProblem !== undefined) throw new MoraineError('CONFIG_INVALID', catalogProblem.message);
  return resolveConfig(parsed.data, { directory: resolve(directory), configFile: null });
}

function checkCatalogs(input: ConfigInput): { readonly key: string; readonly message: string } | undefined {
  const { catalog, catalogs } = input;
  if (catalogs === undefined) return undefined;
  const names = Object.keys(catalogs);
  if (names.length === 0) return { key: 'catalogs', message: 'catalogs: there must be at least one' };
  const server = Object.entries(catalogs).find(([, { type }]) => type === 'rest')?.[0];
  if (server !== undefined && input.storage?.roots === undefined) {
    const message = `storage.roots: is needed beside the REST catalog ${server}: name the folders or buckets in which it may put tables`;
    return { key: 'catalogs', message };
  }
  const storageProblem = catalogStorageProblem(input);
  if (storageProblem !== undefined) return { key: 'catalogs', message: storageProblem };
  if (catalog === undefined || Object.hasOwn(catalogs, catalog)) return undefined;
  return { key: 'catalog', message: `catalog: ${catalog} is not one of the catalogs: ${names.join(', ')}` };
}

function invalid(file: string, problems: readonly SourceProblem[]): MoraineError {
  const ordered = [...problems].sort((a, b) => a.line - b.line);
  const lines = ordered.map((problem) => `${file}:${problem.line}: ${problem.message}`);
  return new MoraineError('CONFIG_INVALID', lines.join('\n'), { details: { file, line: ordered[0]?.line ?? 0 } });
}
