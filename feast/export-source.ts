/** Tables as data sources of Feast. Secrets are left out: PyIceberg takes them from its own configuration. */
import type { TableIdentifier } from '../catalogs/index.js';
import { type CatalogConfig, isSecretCatalogOption } from '../config/index.js';
import type { FeatureSource } from '../features/index.js';
import type { FeastFields } from './registry-proto.js';

/** A table, the catalog that has it, and the options of the store that it lies in. */
export interface SourceTable {
  readonly catalog: CatalogConfig;
  readonly identifier: TableIdentifier;
  readonly storage: Readonly<Record<string, string>>;
}

const BATCH_FILE = 1;
const PUSH_SOURCE = 9;
const BATCH_ICEBERG = 13;

/** Feast's IcebergSource where PyIceberg can open the catalog; else a file source that names the table, which Feast cannot read. */
export function exportSource(
  source: FeatureSource,
  { catalog, identifier, storage }: SourceTable,
  project: string,
): FeastFields {
  const common = {
    name: source.table,
    project,
    timestamp_field: source.timestampField,
    created_timestamp_column: source.createdTimestampField ?? '',
    field_mapping: pairs(source.fieldMapping),
  };
  if (catalog.type === 'memory' || catalog.type === 'trino') {
    const data_source_class_type = 'feast.infra.offline_stores.file_source.FileSource';
    return { ...common, type: BATCH_FILE, data_source_class_type, file_options: { uri: source.table } };
  }
  const configuration = {
    catalog_type: catalog.type,
    catalog_name: catalog.name,
    endpoint: endpointOf(catalog),
    warehouse: catalog.warehouse ?? '',
    namespace: identifier.namespace.join('.'),
    table: identifier.name,
    token_env_var: tokenVariableOf(catalog),
    credential_vending: true,
    catalog_properties: withoutSecrets({ ...storage, ...('options' in catalog ? catalog.options : {}) }),
  };
  return {
    ...common,
    type: BATCH_ICEBERG,
    data_source_class_type: 'feast.infra.data_sources.contrib.iceberg_catalog.iceberg_source.IcebergSource',
    custom_options: { configuration: Buffer.from(JSON.stringify(configuration)) },
  };
}

/** Feast's PushSource over the source of a view. */
export function exportPushSource(name: string, batch: FeastFields): FeastFields {
  const { project, timestamp_field, created_timestamp_column, field_mapping } = batch;
  const data_source_class_type = 'feast.data_source.PushSource';
  const columns = { timestamp_field, created_timestamp_column, field_mapping };
  return { name, project, type: PUSH_SOURCE, data_source_class_type, ...columns, batch_source: batch };
}

/** The variable of the environment that Feast takes the token of a REST catalog from; null where it asks for none. */
function tokenVariableOf(catalog: CatalogConfig): string | null {
  if (catalog.type !== 'rest') return null;
  const { token, credential } = catalog.options;
  if (token === undefined && credential === undefined) return null;
  return `MORAINE_${catalog.name.replace(/[^A-Za-z0-9]+/g, '_').toUpperCase()}_TOKEN`;
}

/** The `uri` of PyIceberg, without a password. */
function endpointOf(catalog: Exclude<CatalogConfig, { readonly type: 'memory' | 'trino' }>): string {
  if (catalog.type === 'glue') return '';
  if (!URL.canParse(catalog.uri)) return catalog.type === 'sql' ? `sqlite:///${catalog.uri}` : catalog.uri;
  const uri = new URL(catalog.uri);
  if (uri.password === '' && !uri.searchParams.has('password')) return catalog.uri;
  uri.password = '';
  uri.searchParams.delete('password');
  return uri.href;
}

/** An access key is of no use without its secret: PyIceberg takes both from the same place. */
const withoutSecrets = (options: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(options).filter(([name]) => !isSecretCatalogOption(name) && !name.endsWith('.access-key-id')),
  );

/** A map as the repeated entries that it is on the wire. */
export function pairs(map: ReadonlyMap<string, string> | undefined): FeastFields[] {
  return [...(map ?? [])].map(([key, value]) => ({ key, value }));
}
