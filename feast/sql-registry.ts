/** A registry in SQL on SQLite: one table for each kind, with the serialized definition in each row (Feast, `infra/registry/sql.py`). */
import { existsSync } from 'node:fs';
import Database from 'libsql';
import { MoraineError } from '../errors/index.js';
import { type FeastRegistry, registryOfProject } from './registry.js';
import { decodeFeast } from './registry-proto.js';

/** Tables of the registry and, of each, the column of the serialized definition. */
const COLUMNS = {
  entities: 'entity_proto',
  data_sources: 'data_source_proto',
  feature_views: 'feature_view_proto',
  stream_feature_views: 'feature_view_proto',
  on_demand_feature_views: 'feature_view_proto',
  label_views: 'feature_view_proto',
  feature_services: 'feature_service_proto',
  saved_datasets: 'saved_dataset_proto',
  validation_references: 'validation_reference_proto',
  permissions: 'permission_proto',
} as const;
type RegistryTable = keyof typeof COLUMNS;

/** @throws `INPUT_UNREADABLE` if the file is missing, is no SQLite file, or has no tables of a registry */
export function readSqlRegistry(path: string, project: string): FeastRegistry {
  if (!existsSync(path)) {
    throw new MoraineError(
      'INPUT_UNREADABLE',
      `cannot read the registry ${path}: there is no such file; run \`feast apply\` in the repository first`,
    );
  }
  try {
    const database = new Database(path);
    try {
      return readTables(new RegistryTables(database), path, project);
    } finally {
      database.close();
    }
  } catch (error) {
    if (error instanceof MoraineError) throw error;
    throw new MoraineError('INPUT_UNREADABLE', `${path} is no Feast registry: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function readTables(tables: RegistryTables, path: string, project: string): FeastRegistry {
  if (!tables.has('feature_views') || !tables.has('entities')) {
    throw new MoraineError(
      'INPUT_UNREADABLE',
      `${path} is no Feast registry: it has no table feature_views or entities`,
    );
  }
  const specs = <T>(items: readonly { readonly spec: T | null }[]): readonly T[] =>
    items.flatMap((item) => (item.spec === null ? [] : [item.spec]));
  return registryOfProject(
    {
      entities: specs(tables.rows('entities').map((bytes) => decodeFeast('Entity', bytes))),
      dataSources: tables.rows('data_sources').map((bytes) => decodeFeast('DataSource', bytes)),
      featureViews: specs(tables.rows('feature_views').map((bytes) => decodeFeast('FeatureView', bytes))),
      streamFeatureViews: specs(
        tables.rows('stream_feature_views').map((bytes) => decodeFeast('StreamFeatureView', bytes)),
      ),
      featureServices: specs(tables.rows('feature_services').map((bytes) => decodeFeast('FeatureService', bytes))),
      onDemandFeatureViews: specs(tables.names('on_demand_feature_views')),
      labelViews: specs(tables.names('label_views')),
      savedDatasets: specs(tables.names('saved_datasets')),
      validationReferences: tables
        .rows('validation_references')
        .map((bytes) => decodeFeast('ValidationReference', bytes)),
      permissions: specs(tables.names('permissions')),
    },
    project,
  );
}

/** Older versions of Feast have fewer tables. */
class RegistryTables {
  readonly #database: Database.Database;
  readonly #present: ReadonlySet<string>;

  constructor(database: Database.Database) {
    this.#database = database;
    const names = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all() as { name: string }[];
    this.#present = new Set(names.map((row) => row.name));
  }

  has(table: RegistryTable): boolean {
    return this.#present.has(table);
  }

  /** The serialized definitions of every project. */
  rows(table: RegistryTable): readonly Uint8Array[] {
    if (!this.has(table)) return [];
    const rows = this.#database.prepare(`SELECT ${COLUMNS[table]} AS proto FROM ${table}`).all();
    return (rows as { readonly proto: unknown }[]).map(({ proto }) => {
      // `libsql` returns blobs as ArrayBuffers.
      if (proto instanceof ArrayBuffer || proto instanceof Uint8Array) return new Uint8Array(proto);
      throw new Error(`a row of ${table} has no ${COLUMNS[table]}`);
    });
  }

  names(table: RegistryTable) {
    return this.rows(table).map((bytes) => decodeFeast('NamedOnly', bytes));
  }
}
