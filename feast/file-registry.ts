/** A registry kept as one file: a serialized `feast.core.Registry`. */
import { readFileSync, statSync } from 'node:fs';
import { MoraineError } from '../errors/index.js';
import { type FeastRegistry, registryOfProject } from './registry.js';
import { decodeFeast } from './registry-proto.js';

/** A registry larger than this is not a registry: Feast reads and writes it as a whole with every change. */
const MAX_REGISTRY_BYTES = 512 * 1024 * 1024;
/** The only version that Feast has written since 0.10 (`registry.py`, REGISTRY_SCHEMA_VERSION). */
const SCHEMA_VERSION = '1';

/** @throws `INPUT_UNREADABLE`; `LIMIT_EXCEEDED` */
export function readFileRegistry(path: string, project: string): FeastRegistry {
  const registry = decode(path, readBytes(path));
  const specs = <T>(items: readonly { readonly spec: T | null }[]): readonly T[] =>
    items.flatMap((item) => (item.spec === null ? [] : [item.spec]));
  return registryOfProject(
    {
      entities: specs(registry.entities),
      dataSources: registry.data_sources,
      featureViews: specs(registry.feature_views),
      streamFeatureViews: specs(registry.stream_feature_views),
      featureServices: specs(registry.feature_services),
      onDemandFeatureViews: specs(registry.on_demand_feature_views),
      labelViews: specs(registry.label_views),
      savedDatasets: specs(registry.saved_datasets),
      validationReferences: registry.validation_references,
      permissions: specs(registry.permissions),
    },
    project,
  );
}

function readBytes(path: string): Uint8Array {
  try {
    const { size } = statSync(path);
    if (size > MAX_REGISTRY_BYTES) {
      throw new MoraineError(
        'LIMIT_EXCEEDED',
        `the registry ${path} has ${size} bytes, more than the limit of ${MAX_REGISTRY_BYTES}; is it a Feast registry?`,
      );
    }
    return readFileSync(path);
  } catch (error) {
    if (error instanceof MoraineError) throw error;
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const reason = missing ? 'there is no such file; run `feast apply` in the repository first' : String(error);
    throw new MoraineError('INPUT_UNREADABLE', `cannot read the registry ${path}: ${reason}`, { cause: error });
  }
}

function decode(path: string, bytes: Uint8Array) {
  let registry: ReturnType<typeof decodeFeast<'Registry'>>;
  try {
    registry = decodeFeast('Registry', bytes);
  } catch (error) {
    throw new MoraineError('INPUT_UNREADABLE', `${path} is no Feast registry: ${(error as Error).message}`, {
      cause: error,
    });
  }
  if (registry.registry_schema_version === SCHEMA_VERSION) return registry;
  const found = JSON.stringify(registry.registry_schema_version.slice(0, 20));
  throw new MoraineError(
    'INPUT_UNREADABLE',
    `${path} is no Feast registry of schema version ${SCHEMA_VERSION} (it says ${found}); run \`feast apply\` with Feast 0.10 or newer`,
  );
}
