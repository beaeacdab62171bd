/** Tables of each kind of catalog as sources of Feast: what PyIceberg needs to open them, and no secret. */
import { expect, test } from 'vitest';
import type { CatalogConfig } from '../../../config/index.js';
import { exportSource } from '../../../feast/export-source.js';
import { parseDefinitions } from '../../../features/index.js';

const STORE = {
  's3.endpoint': 'http://127.0.0.1:9000',
  's3.region': 'eu-1',
  's3.access-key-id': 'id',
  's3.secret-access-key': 'SECRET',
  's3.session-token': 'SECRET',
};
const PUBLIC_STORE = { 's3.endpoint': 'http://127.0.0.1:9000', 's3.region': 'eu-1' };

function exported(catalog: CatalogConfig, storage: Readonly<Record<string, string>> = {}): Record<string, unknown> {
  const view = { name: 'v', source: { table: 'a.b.t', timestampField: 'ts' }, features: ['f'] };
  const source = parseDefinitions([{ value: { featureViews: [view] } }]).featureViews.get('v')?.source;
  if (source === undefined) throw new Error('no view');
  return exportSource(source, { catalog, identifier: { namespace: ['a', 'b'], name: 't' }, storage }, 'p');
}

/** The JSON that Feast's IcebergSource reads (`iceberg_source.py`, from_proto). */
function configurationOf(catalog: CatalogConfig, storage = STORE): unknown {
  const { custom_options: options } = exported(catalog, storage) as {
    readonly custom_options: { readonly configuration: Uint8Array };
  };
  const text = Buffer.from(options.configuration).toString();
  expect(text).not.toContain('SECRET');
  return JSON.parse(text);
}

const COMMON = { namespace: 'a.b', table: 't', credential_vending: true, token_env_var: null };

test.each<[string, CatalogConfig, object]>([
  [
    'SQLite',
    { type: 'sql', name: 'main', uri: '/x/catalog.db', warehouse: 's3://lake/w' },
    {
      ...{ catalog_type: 'sql', catalog_name: 'main', endpoint: 'sqlite:////x/catalog.db', warehouse: 's3://lake/w' },
      catalog_properties: PUBLIC_STORE,
    },
  ],
  [
    'PostgreSQL',
    {
      type: 'sql',
      name: 'pg',
      uri: 'postgresql://me:SECRET@db:5432/iceberg?password=SECRET&sslmode=require',
      warehouse: '/w',
    },
    {
      ...{ catalog_type: 'sql', catalog_name: 'pg', endpoint: 'postgresql://me@db:5432/iceberg?sslmode=require' },
      ...{ warehouse: '/w', catalog_properties: PUBLIC_STORE },
    },
  ],
  [
    'REST with a token',
    {
      ...{ type: 'rest', name: 'my-lake', uri: 'https://me:SECRET@rest/path', warehouse: 'wh' },
      options: { token: 'SECRET', prefix: 'p', 'header.Authorization': 'SECRET', 'header.X-Tenant': 'x' },
    },
    {
      ...{ catalog_type: 'rest', catalog_name: 'my-lake', endpoint: 'https://me@rest/path', warehouse: 'wh' },
      token_env_var: 'MORAINE_MY_LAKE_TOKEN',
      catalog_properties: { ...PUBLIC_STORE, prefix: 'p', 'header.X-Tenant': 'x' },
    },
  ],
  [
    'REST without one',
    { type: 'rest', name: 'open', uri: 'http://rest', options: {} },
    {
      ...{ catalog_type: 'rest', catalog_name: 'open', endpoint: 'http://rest', warehouse: '' },
      catalog_properties: PUBLIC_STORE,
    },
  ],
  [
    'Glue',
    {
      ...{ type: 'glue', name: 'aws', warehouse: 's3://lake/w' },
      options: { 'glue.region': 'eu-1', 'glue.access-key-id': 'id', 'glue.secret-access-key': 'SECRET' },
    },
    {
      ...{ catalog_type: 'glue', catalog_name: 'aws', endpoint: '', warehouse: 's3://lake/w' },
      catalog_properties: { ...PUBLIC_STORE, 'glue.region': 'eu-1' },
    },
  ],
  [
    'Hive',
    { type: 'hive', name: 'hms', uri: 'thrift://a:1,thrift://b:2', warehouse: '/w', options: { ugi: 'me' } },
    {
      ...{ catalog_type: 'hive', catalog_name: 'hms', endpoint: 'thrift://a:1,thrift://b:2', warehouse: '/w' },
      catalog_properties: { ...PUBLIC_STORE, ugi: 'me' },
    },
  ],
])('a table in a catalog of %s', (_, catalog, expected) => {
  expect(configurationOf(catalog)).toEqual({ ...COMMON, ...expected });
  expect(exported(catalog)).toMatchObject({
    ...{ name: 'a.b.t', project: 'p', type: 13, timestamp_field: 'ts', created_timestamp_column: '' },
    data_source_class_type: 'feast.infra.data_sources.contrib.iceberg_catalog.iceberg_source.IcebergSource',
  });
});

test.each<CatalogConfig>([
  { type: 'trino', name: 't', uri: 'https://trino/lake', options: { 'trino.password': 'SECRET' } },
  { type: 'memory', name: 'm', warehouse: '/w' },
])('a table that PyIceberg cannot reach is a file source ($type)', (catalog) => {
  expect(exported(catalog, STORE)).toEqual({
    ...{ name: 'a.b.t', project: 'p', timestamp_field: 'ts', created_timestamp_column: '', field_mapping: [] },
    ...{ type: 1, data_source_class_type: 'feast.infra.offline_stores.file_source.FileSource' },
    file_options: { uri: 'a.b.t' },
  });
});
