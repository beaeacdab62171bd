/** `feature_store.yaml`: the keys that an import reads. Source: Feast, `repo_config.py`. */
import { z } from 'zod';
import { parseYamlSource } from '../config/index.js';
import { MoraineError } from '../errors/index.js';
import { expandVariables } from './expand-variables.js';

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);
/** Options whose keys are not ours to know: values are text where they are scalars, else left aside. */
const options = z.preprocess(
  (value) => (typeof value === 'object' && value !== null ? new Map(Object.entries(value)) : value),
  z.map(z.string(), z.unknown()),
);
const store = z.preprocess(
  (value) => (typeof value === 'string' ? { type: value } : value),
  z.looseObject({
    type: z.string().optional(),
    catalog_type: scalar.optional(),
    catalog_name: scalar.optional(),
    uri: scalar.optional(),
    warehouse: scalar.optional(),
    namespace: scalar.optional(),
    storage_options: options.nullish(),
    partition_strategy: scalar.optional(),
    partition_count: z.int().optional(),
    read_timeout_ms: z.int().optional(),
  }),
);
const registry = z.preprocess(
  (value) => (typeof value === 'string' ? { path: value } : value),
  z.looseObject({ registry_type: z.string().default('file'), path: z.string().default('data/registry.db') }),
);
const repositoryConfig = z.looseObject({
  project: z.string().min(1),
  registry: registry.default({ registry_type: 'file', path: 'data/registry.db' }),
  offline_store: store.nullish(),
  online_store: store.nullish(),
});

/** An offline or online store's options, with variables replaced by their values where those are known. */
export interface FeastStore {
  readonly type: string;
  readonly catalogType: string | undefined;
  readonly catalogName: string | undefined;
  readonly uri: string | undefined;
  readonly warehouse: string | undefined;
  readonly namespace: string | undefined;
  /** As written: a reference to a variable stays one. */
  readonly storageOptions: ReadonlyMap<string, string>;
  readonly partitionStrategy: string | undefined;
  readonly partitionCount: number | undefined;
  readonly readTimeoutMs: number | undefined;
  /** Names of options that are not known here. */
  readonly otherOptions: readonly string[];
}

/** `feature_store.yaml`, read. */
export interface FeastRepositoryConfig {
  readonly project: string;
  readonly registry: { readonly type: string; readonly path: string };
  readonly offlineStore: FeastStore | undefined;
  readonly onlineStore: FeastStore | undefined;
  /** Top-level keys that are not known here. */
  readonly otherKeys: readonly string[];
}

/** Keys that say nothing of what is imported. */
const WITHOUT_MEANING = new Set([
  'project',
  'project_description',
  'provider',
  'registry',
  'offline_store',
  'online_store',
  'entity_key_serialization_version',
  'coerce_tz_aware',
  'repo_path',
]);

/**
 * Reads `feature_store.yaml`.
 *
 * @param file the path that messages name
 * @param env for `$NAME` and `${NAME}`, which Feast replaces in the whole file
 * @throws `INPUT_UNREADABLE` naming what is wrong
 */
export function parseRepositoryConfig(
  text: string,
  file: string,
  env: Readonly<Record<string, string | undefined>>,
): FeastRepositoryConfig {
  const source = parseYamlSource(text);
  const [problem] = source.problems;
  if (problem !== undefined) {
    throw new MoraineError('INPUT_UNREADABLE', `${file}:${problem.line}: ${problem.message}`);
  }
  const parsed = repositoryConfig.safeParse(source.value);
  if (!parsed.success) {
    const lines = parsed.error.issues.map((issue) => {
      const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part));
      return `${file}:${source.lineAt(path)}: ${path.join('.')}: ${issue.message}`;
    });
    throw new MoraineError('INPUT_UNREADABLE', lines.join('\n'), { details: { file } });
  }
  const { data } = parsed;
  const expand = (value: string): string => expandVariables(value, env);
  return {
    project: expand(data.project),
    registry: { type: data.registry.registry_type, path: expand(data.registry.path) },
    offlineStore: storeOf(data.offline_store, expand),
    onlineStore: storeOf(data.online_store, expand),
    otherKeys: Object.keys(data).filter((key) => !WITHOUT_MEANING.has(key)),
  };
}

function storeOf(
  value: z.infer<typeof store> | null | undefined,
  expand: (text: string) => string,
): FeastStore | undefined {
  if (value === null || value === undefined) return undefined;
  const text = (item: z.infer<typeof scalar> | undefined): string | undefined =>
    item === undefined || item === null ? undefined : expand(String(item));
  const options = [...(value.storage_options ?? new Map<string, unknown>())];
  return {
    type: expand(value.type ?? ''),
    catalogType: text(value.catalog_type),
    catalogName: text(value.catalog_name),
    uri: text(value.uri),
    warehouse: text(value.warehouse),
    namespace: text(value.namespace),
    storageOptions: new Map(
      options.map(([key, item]) => [key, scalar.safeParse(item).success ? String(item) : JSON.stringify(item)]),
    ),
    partitionStrategy: text(value.partition_strategy),
    partitionCount: value.partition_count,
    readTimeoutMs: value.read_timeout_ms,
    otherOptions: Object.keys(value).filter((key) => !KNOWN_OPTIONS.has(key)),
  };
}

const KNOWN_OPTIONS = new Set([
  'type',
  'catalog_type',
  'catalog_name',
  'uri',
  'warehouse',
  'namespace',
  'storage_options',
  'partition_strategy',
  'partition_count',
  'read_timeout_ms',
]);
