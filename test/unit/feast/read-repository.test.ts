import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { type FeastImport, importFeast, readFeastRepository } from '../../../feast/index.js';
import { codeOf } from '../../support/error-code.js';
import { projectRoot } from '../../support/paths.js';
import { temporaryFolder } from '../../support/temp-folder.js';

const REGISTRY = join(projectRoot, 'test/fixtures/feast/repository/registry.db');

/** A repository with the committed registry and another feature_store.yaml. */
function repository(yaml: string): string {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'feature_store.yaml'), yaml);
  copyFileSync(REGISTRY, join(folder, 'registry.db'));
  return folder;
}

function importYaml(yaml: string, env: Record<string, string> = {}): Promise<FeastImport> {
  const folder = repository(yaml);
  return importFeast(readFeastRepository(folder, env), {
    folder,
    findTables: async () => new Map(),
    readSchemas: async () => new Map(),
  });
}

const HEAD = 'project: rides\nregistry: registry.db\nprovider: local\n';

describe('feature_store.yaml', () => {
  it('names no Feast repository if it is not there', () => {
    const folder = temporaryFolder();
    const read = () => readFeastRepository(folder);
    expect(codeOf(read)).toBe('INPUT_UNREADABLE');
    expect(read).toThrow(`${folder} has no feature_store.yaml; name the folder of a Feast repository`);
  });

  it('with a mistake is refused with the line', () => {
    expect(() => readFeastRepository(repository('project: [\n'))).toThrow(/feature_store.yaml:2: not valid YAML/);
    expect(() => readFeastRepository(repository(`${HEAD}online_store:\n  type: x\n  partition_count: many\n`))).toThrow(
      /feature_store.yaml:6: online_store.partition_count: /,
    );
    expect(() => readFeastRepository(repository('registry: registry.db\n'))).toThrow(/project/);
  });

  it('has variables of the environment, as Feast replaces them', async () => {
    const { config } = await importYaml(
      `${HEAD}offline_store:\n  type: iceberg\n  catalog_name: $NAME\n  uri: sqlite:///\${PLACE}/c.db\n  warehouse: \${PLACE}/w\n`,
      { NAME: 'main', PLACE: '/data' },
    );
    expect(config.catalogs?.main).toEqual({ type: 'sql', uri: '/data/c.db', warehouse: '/data/w' });
    expect(config.catalog).toBe('main');
  });

  it('with stores of other kinds leaves the catalogs to the sources', async () => {
    const { config, findings, definitions } = await importYaml(
      `${HEAD}offline_store: duckdb\nonline_store:\n  type: redis\n  connection_string: localhost:6379,password=secret\nflags:\n  beta: true\n`,
    );
    expect(Object.keys(config.catalogs ?? {})).toEqual(['lake', 'feast_iceberg']);
    expect(config).toMatchObject({ catalog: 'lake' });
    expect(config.online).toBeUndefined();
    expect(findings.map(({ outcome, kind, name }) => `${outcome} ${kind} ${name}`).slice(0, 2)).toEqual([
      'changed online store redis',
      'left-out setting of feature_store.yaml flags',
    ]);
    // Its source names a table only, in the offline store's catalog.
    expect(definitions.featureViews.map(({ name }) => name)).not.toContain('driver_profile');
    expect(JSON.stringify(findings)).not.toContain('secret');
  });

  it.each([
    ['catalog_type: rest', 'no address such as https://HOST/PATH (no uri)'],
    ['catalog_type: dynamodb', 'of type dynamodb'],
    ['catalog_type: sql\n  uri: mysql://me:secret@db/catalog', 'nor a PostgreSQL database (mysql)'],
    ['catalog_type: sql\n  uri: "sqlite:///:memory:"', 'neither a SQLite file nor a PostgreSQL database (sqlite)'],
    ['catalog_type: sql\n  uri: ${CATALOG}', 'nor a PostgreSQL database (${CATALOG} is not set)'],
    ['catalog_type: sql\n  uri: sqlite:///c.db\n  warehouse: hdfs://bucket/w', 'none of a folder of this machine'],
    ['catalog_type: sql\n  uri: sqlite:///c.db\n  catalog_name: a b', 'cannot be named "a b"'],
  ])('with a catalog that cannot be opened says so: %s', async (options, reason) => {
    const { findings, files } = await importYaml(
      `${HEAD}offline_store:\n  type: my.IcebergOfflineStore\n  ${options}\n`,
    );
    const [finding] = findings;
    expect(finding).toMatchObject({ outcome: 'left-out', kind: 'offline store', name: 'my.IcebergOfflineStore' });
    expect(finding?.reason).toContain(reason);
    const views = findings.filter(({ kind, name }) => kind === 'feature view' && name === 'driver_profile');
    expect(views.map((view) => view.reason)).toEqual([
      "its table driver_profiles is in the offline store's catalog, which Moraine cannot open",
    ]);
    expect(JSON.stringify(findings) + JSON.stringify([...files])).not.toContain('secret');
  });

  it('with two catalogs of one name has the second refused', async () => {
    const { findings } = await importYaml(
      `${HEAD}offline_store:\n  type: iceberg\n  catalog_name: lake\n  uri: sqlite:///other.db\n`,
    );
    expect(findings.find(({ name }) => name === 'fuel_price')?.reason).toBe(
      'another catalog of this repository is named lake too, and is in another place',
    );
  });

  it.each([
    ['partition_strategy: hybrid\n  partition_count: 64', { partitionStrategy: 'hybrid', buckets: 64 }, []],
    ['partition_strategy: timestamp\n  partition_count: 64', { partitionStrategy: 'timestamp' }, []],
    ['partition_strategy: entity_hash', {}, []],
    ['partition_strategy: by_day\n  partition_count: 64', { buckets: 64 }, ['changed partition_strategy']],
    ['partition_count: 0\n  read_timeout_ms: 0', {}, ['left-out partition_count', 'left-out read_timeout_ms']],
    ['partition_count: 32\n  read_timeout_ms: 50', { buckets: 32, readTimeoutMs: 50 }, []],
  ])('maps the online store: %s', async (options, online, expected) => {
    const catalog = 'catalog_name: lake\n  uri: sqlite:///catalog.db';
    const result = await importYaml(`${HEAD}online_store:\n  type: iceberg\n  ${catalog}\n  ${options}\n`);
    expect(result.config.online ?? {}).toEqual(online);
    const found = result.findings.filter(({ kind }) => kind === 'online_store option');
    expect(found.map(({ outcome, name }) => `${outcome} ${name}`)).toEqual(expected);
  });

  it('with another project imports that one', async () => {
    const { definitions, findings } = await importYaml('project: other\nregistry: registry.db\n');
    expect(definitions).toEqual({ entities: [], featureViews: [], featureServices: [] });
    expect(findings.map(({ kind, name }) => `${kind} ${name}`)).toEqual(['project rides']);
  });
});

/** Fields of Registry.proto, and what the columns of the table of that name in a SQL registry begin with (`infra/registry/sql.py`). */
const SQL_REGISTRY = [
  ['entities', 1, 'entity'],
  ['feature_views', 6, 'feature_view'],
  ['feature_services', 7, 'feature_service'],
  ['on_demand_feature_views', 8, 'feature_view'],
  ['data_sources', 12, 'data_source'],
  ['stream_feature_views', 14, 'feature_view'],
] as const;

/** Writes the committed registry's definitions, still serialized, as a SQL registry; Feast keeps their names and project in columns. */
function writeSqlRegistry(path: string): void {
  const fields = SQL_REGISTRY.map(([table, number]) => `repeated bytes ${table} = ${number};`).join(' ');
  const { root } = protobuf.parse(`syntax = "proto3"; message Registry { ${fields} }`, { keepCase: true });
  const type = root.lookupType('Registry');
  const protos = type.toObject(type.decode(readFileSync(REGISTRY)), { arrays: true }) as Record<string, Uint8Array[]>;
  const database = new Database(path);
  for (const [table, , kind] of SQL_REGISTRY) {
    database.exec(`CREATE TABLE ${table} (${kind}_name TEXT, project_id TEXT, ${kind}_proto BLOB)`);
    const insert = database.prepare(`INSERT INTO ${table} VALUES (?, 'rides', ?)`);
    for (const proto of protos[table] ?? []) {
      const text = Buffer.from(proto);
      insert.run([nameIn(table, text), text]);
    }
  }
  database.close();
}

/** The name in a serialized definition: the first field of its specification; of a data source, field 20. */
function nameIn(table: string, bytes: Uint8Array): string {
  const { root } = protobuf.parse(
    'syntax = "proto3"; message Spec { string name = 1; } message Other { Spec spec = 1; } message Source { string name = 20; }',
  );
  const plain = root
    .lookupType(table === 'data_sources' ? 'Source' : 'Other')
    .decode(bytes)
    .toJSON();
  return String(table === 'data_sources' ? plain.name : (plain.spec as { name: string }).name);
}

describe('a registry', () => {
  it('in SQL is what it is as one file', () => {
    const folder = repository('project: rides\nregistry: { registry_type: sql, path: "sqlite:///sql.db" }\n');
    writeSqlRegistry(join(folder, 'sql.db'));
    const { registry } = readFeastRepository(folder);
    expect(registry.featureViews).toHaveLength(9);
    expect(registry).toEqual(readFeastRepository(repository(HEAD)).registry);
  });

  const yaml = (registry: string) => `project: rides\nregistry: ${registry}\n`;

  it.each([
    's3://bucket/registry.db',
    'gs://bucket/registry.db',
    '{ registry_type: sql, path: "postgresql://me:secret@db" }',
  ])('elsewhere is refused with a way to copy it: %s', (registry) => {
    const read = () => readFeastRepository(repository(yaml(registry)));
    expect(codeOf(read)).toBe('UNSUPPORTED_FEATURE');
    expect(read).toThrow(/SerializeToString/);
    expect(read).not.toThrow(/secret/);
  });

  it('that is not there is missing', () => {
    expect(() => readFeastRepository(repository(yaml('gone.db')))).toThrow(/there is no such file; run `feast apply`/);
    expect(() => readFeastRepository(repository(yaml('{ registry_type: sql, path: "sqlite:///gone.db" }')))).toThrow(
      /there is no such file; run `feast apply`/,
    );
  });

  it('that is cut, empty or something else is refused', () => {
    const bytes = readFileSync(REGISTRY);
    for (const content of [
      bytes.subarray(0, bytes.length - 7),
      Buffer.alloc(0),
      Buffer.from('SQLite format 3\0 not it'),
    ]) {
      const folder = repository(yaml('damaged.db'));
      writeFileSync(join(folder, 'damaged.db'), content);
      expect(codeOf(() => readFeastRepository(folder))).toBe('INPUT_UNREADABLE');
    }
  });

  it('in SQL without its tables, or in no SQLite file, is refused', () => {
    const folder = repository(yaml('{ registry_type: sql, path: "sqlite:///sql.db" }'));
    const database = new Database(join(folder, 'sql.db'));
    database.exec('CREATE TABLE entities (entity_name TEXT)');
    database.close();
    expect(codeOf(() => readFeastRepository(folder))).toBe('INPUT_UNREADABLE');
    rmSync(join(folder, 'sql.db'));
    writeSqlRegistry(join(folder, 'sql.db'));
    const damaged = new Database(join(folder, 'sql.db'));
    damaged.exec("UPDATE entities SET entity_proto = 'text'");
    damaged.close();
    expect(() => readFeastRepository(folder)).toThrow(
      /is no Feast registry: row \w+ of entities has no definition in entity_proto/,
    );
    writeFileSync(
      join(folder, 'sql.db'),
      'no database at all, and long enough to be looked at as if it were one'.repeat(20),
    );
    expect(codeOf(() => readFeastRepository(folder))).toBe('INPUT_UNREADABLE');
  });
});
