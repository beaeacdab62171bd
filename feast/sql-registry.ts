/** A registry in SQL on SQLite: one table for each kind, with the serialized definition in each row (Feast, `infra/registry/sql.py`). */
import { existsSync } from 'node:fs';
import Database from 'libsql';
import { MoraineError } from '../errors/index.js';
import { type FeastRegistry, registryOfProject } from './registry.js';
import { decodeFeast, type FeastNamed } from './registry-proto.js';

/** Tables of the registry and, of each, the column of the name; that of the serialized definition is like it. */
const NAMES = {
  entities: 'entity_name',
  data_sources: 'data_source_name',
  feature_views: 'feature_view_name',
  stream_feature_views: 'feature_view_name',
  on_demand_feature_views: 'feature_view_name',
  label_views: 'feature_view_name',
  feature_services: 'feature_service_name',
  saved_datasets: 'saved_dataset_name',
  validation_references: 'validation_reference_name',
  permissions: 'permission_name',
} as const;
type RegistryTable = keyof typeof NAMES;

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
  const named = (table: RegistryTable) => tables.read(table, (bytes) => decodeFeast('NamedOnly', bytes).spec);
  return registryOfProject(
    {
      entities: tables.read('entities', (bytes) => decodeFeast('Entity', bytes).spec),
      dataSources: tables.read('data_sources', (bytes) => decodeFeast('DataSource', bytes)),
      featureViews: tables.read('feature_views', (bytes) => decodeFeast('FeatureView', bytes).spec),
      streamFeatureViews: tables.read('stream_feature_views', (bytes) => decodeFeast('StreamFeatureView', bytes).spec),
      featureServices: tables.read('feature_services', (bytes) => decodeFeast('FeatureService', bytes).spec),
      onDemandFeatureViews: named('on_demand_feature_views'),
      labelViews: named('label_views'),
      savedDatasets: named('saved_datasets'),
      validationReferences: tables.read('validation_references', (bytes) => decodeFeast('ValidationReference', bytes)),
      permissions: named('permissions'),
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

  /** The definitions of every project. A row says which project it is of: what is serialized in it may not. */
  read<T extends object>(table: RegistryTable, decode: (bytes: Uint8Array) => T | null): readonly (T & FeastNamed)[] {
    if (!this.has(table)) return [];
    const [nameColumn, column] = [NAMES[table], NAMES[table].replace(/_name$/, '_proto')];
    const sql = `SELECT project_id AS project, ${nameColumn} AS name, ${column} AS proto FROM ${table}`;
    const rows = this.#database.prepare(sql).all() as { project: string; name: string; proto: unknown }[];
    return rows.map(({ project, name, proto }) => {
      // `libsql` returns blobs as ArrayBuffers.
      const isBlob = proto instanceof ArrayBuffer || proto instanceof Uint8Array;
      const definition = isBlob ? decode(new Uint8Array(proto)) : null;
      if (definition === null) throw new Error(`row ${name} of ${table} has no definition in ${column}`);
      return { ...definition, project, name };
    });
  }
}
