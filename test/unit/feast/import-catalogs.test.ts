/** The catalogs and stores of a Feast repository as a project's. The repository is the one of the real Feast, with another `feature_store.yaml`. */
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type MoraineConfig, parseConfig } from '../../../config/index.js';
import { importFeast, readFeastRepository } from '../../../feast/index.js';
import { projectRoot } from '../../support/paths.js';
import { temporaryFolder } from '../../support/temp-folder.js';

const SECRET = 'canary-secret-of-the-tests';

/** Imports the repository with these options of both stores. */
async function imported(store: string, online = store, env: Readonly<Record<string, string>> = {}) {
  const folder = temporaryFolder();
  cpSync(join(projectRoot, 'test/fixtures/feast/repository'), folder, { recursive: true });
  const indented = (text: string): string => text.trimEnd().replaceAll(/^/gm, '  ');
  const type = (kind: string): string =>
    `${kind}_store:\n  type: iceberg_stores.Iceberg${kind === 'online' ? 'Online' : 'Offline'}Store\n`;
  const yaml = `project: rides\nregistry: registry.db\n${type('offline')}${indented(store)}\n${type('online')}${indented(online)}\n`;
  writeFileSync(join(folder, 'feature_store.yaml'), yaml);
  let read: MoraineConfig | undefined;
  const result = await importFeast(readFeastRepository(folder, env), {
    folder,
    env,
    findTables: async () => new Map(),
    readSchemas: async (config) => {
      read = config;
      return new Map();
    },
  });
  const text = result.files.get('moraine.yaml') ?? '';
  expect(JSON.stringify([...result.files]) + JSON.stringify(result.findings)).not.toContain(SECRET);
  const named = Object.fromEntries([...text.matchAll(/\$\{(\w+)/g)].map(([, name = '']) => [name, `value of ${name}`]));
  const loaded = parseConfig(text, { file: join(folder, 'moraine.yaml'), env: { ...named, ...env } });
  const reasons = result.findings.map(({ outcome, kind, name, reason }) => `${outcome} ${kind} ${name}: ${reason}`);
  return { text, loaded, read, reasons, views: result.definitions.featureViews.map(({ name }) => name) };
}

const STORAGE = `storage_options:
  s3.endpoint: http://127.0.0.1:9000
  s3.region: eu-central-1
  s3.access-key-id: mine
  s3.secret-access-key: ${SECRET}
  s3.session-token: \${RIDES_TOKEN}
  py-io-impl: pyiceberg.io.pyarrow.PyArrowFileIO
`;

describe('catalogs of Feast', () => {
  it('on SQLite, with tables in a bucket, are read with the options of the store', async () => {
    const store = `catalog_type: sql\ncatalog_name: lake\nuri: sqlite:///catalog.db\nwarehouse: s3://b/wh\n${STORAGE}`;
    const { loaded, read, reasons, text } = await imported(store, store, { RIDES_TOKEN: 't' });
    expect(loaded.catalogs.get('lake')).toMatchObject({ type: 'sql', warehouse: 's3://b/wh' });
    expect(loaded.storage).toMatchObject({
      roots: ['s3://b/wh'],
      options: {
        's3.endpoint': 'http://127.0.0.1:9000',
        's3.region': 'eu-central-1',
        's3.access-key-id': 'value of FEAST_OFFLINE_S3_ACCESS_KEY_ID',
        's3.secret-access-key': 'value of FEAST_OFFLINE_S3_SECRET_ACCESS_KEY',
        's3.session-token': 't',
      },
    });
    expect(text).toContain('s3.session-token: ${RIDES_TOKEN}\n');
    // The tables are read with what the repository has.
    expect(read?.storage.options['s3.secret-access-key']).toBe(SECRET);
    expect(reasons).toContain('left-out offline_store option storage_options: Moraine has no option py-io-impl');
  });

  it('on PostgreSQL keep their passwords to themselves', async () => {
    const store = `catalog_type: sql\ncatalog_name: lake\nuri: postgresql+psycopg2://me:${SECRET}@h:5432/d\nwarehouse: s3://b\n`;
    const { text, read } = await imported(store);
    expect(text).toContain('uri: postgresql+psycopg2://me:${FEAST_OFFLINE_PASSWORD}@h:5432/d\n');
    expect(read?.catalogs.get('lake')).toMatchObject({ uri: `postgresql+psycopg2://me:${SECRET}@h:5432/d` });
  });

  it('behind REST have their options, and the places of their tables as far as they are known', async () => {
    const options = `storage_options:\n  credential: me:${SECRET}\n  scope: catalog\n  header.X-Tenant: ${SECRET}\n`;
    const store = `catalog_type: rest\ncatalog_name: lake\nuri: https://h/c\nwarehouse: s3://b/wh\n${options}`;
    const { loaded, read, views, reasons } = await imported(store);
    expect(loaded.catalogs.get('lake')).toMatchObject({
      type: 'rest',
      uri: 'https://h/c',
      warehouse: 's3://b/wh',
      options: {
        credential: 'value of FEAST_OFFLINE_CREDENTIAL',
        scope: 'catalog',
        'header.X-Tenant': 'value of FEAST_OFFLINE_HEADER_X_TENANT',
      },
    });
    expect(read?.catalogs.get('lake')).toMatchObject({ options: { credential: `me:${SECRET}` } });
    expect(loaded.storage.roots).toEqual(['s3://b/wh']);
    expect(views).toContain('driver_profile');
    expect(reasons.filter((reason) => reason.includes('catalog lake'))).toEqual([]);
    const named = await imported('catalog_type: rest\ncatalog_name: lake\nuri: https://h/c\nwarehouse: prod\n');
    expect(named.loaded.catalogs.get('lake')).toMatchObject({ warehouse: 'prod' });
    expect(named.reasons).toContain(
      'changed catalog lake: its server decides where its tables are; storage.roots says warehouse',
    );
  });

  it('of Glue and of Hive metastores are what they are here', async () => {
    const glue = `catalog_type: glue\ncatalog_name: lake\nwarehouse: s3://b\nstorage_options:\n  glue.region: r\n  glue.id: '7'\n  glue.secret-access-key: ${SECRET}\n  glue.access-key-id: a\n`;
    expect((await imported(glue)).loaded.catalogs.get('lake')).toEqual({
      type: 'glue',
      name: 'lake',
      warehouse: 's3://b',
      options: {
        'glue.region': 'r',
        'glue.id': '7',
        'glue.secret-access-key': 'value of FEAST_OFFLINE_GLUE_SECRET_ACCESS_KEY',
        'glue.access-key-id': 'value of FEAST_OFFLINE_GLUE_ACCESS_KEY_ID',
      },
    });
    const hive = 'catalog_type: hive\ncatalog_name: lake\nuri: thrift://h:9083\nwarehouse: s3://b\n';
    expect((await imported(hive)).loaded.catalogs.get('lake')).toMatchObject({ type: 'hive', uri: 'thrift://h:9083' });
  });

  it.each([
    [
      'catalog_type: dynamodb\ncatalog_name: lake\n',
      'is of type dynamodb; Moraine opens SQL, REST, Glue and Hive catalogs',
    ],
    ['catalog_type: glue\ncatalog_name: lake\n', 'its catalog lake names no warehouse'],
    [
      'catalog_type: hive\ncatalog_name: lake\nwarehouse: s3://b\n',
      'has no address such as thrift://HOST:PORT (no uri)',
    ],
    [
      `catalog_type: rest\ncatalog_name: lake\nuri: https://u:${SECRET}@h\n`,
      'has no address such as https://HOST/PATH (https)',
    ],
    [
      `catalog_type: sql\ncatalog_name: lake\nuri: mysql://u:${SECRET}@h/d\n`,
      'is neither a SQLite file nor a PostgreSQL database (mysql)',
    ],
    [
      'catalog_type: sql\ncatalog_name: lake\nuri: sqlite:///c.db\nwarehouse: hdfs://b\n',
      'none of a folder of this machine, s3://BUCKET/PREFIX and gs://BUCKET/PREFIX',
    ],
  ])('that cannot be opened are said to be (%j)', async (store, reason) => {
    const { reasons } = await imported(store);
    expect(reasons.find((each) => each.startsWith('left-out offline store'))).toContain(reason);
  });

  it('may have folders and buckets side by side', async () => {
    const offline = 'catalog_type: sql\ncatalog_name: lake\nuri: sqlite:///c.db\nwarehouse: wh\n';
    const online = 'catalog_type: sql\ncatalog_name: other\nuri: sqlite:///d.db\nwarehouse: s3://b\n';
    const { loaded } = await imported(offline, online);
    expect([...loaded.catalogs.keys()]).toEqual(['lake', 'other', 'feast_iceberg']);
  });

  it('in several stores have each a store of their own', async () => {
    const store = (name: string, place: string, options: string): string =>
      `catalog_type: sql\ncatalog_name: ${name}\nuri: sqlite:///${name}.db\nwarehouse: ${place}\nstorage_options: { ${options} }\n`;
    const secret = `s3.access-key-id: k, s3.secret-access-key: ${SECRET}`;
    const offline = store('lake', 's3://lake/wh', `s3.endpoint: http://127.0.0.1:1, ${secret}`);
    const online = store('other', 's3://other', `s3.endpoint: http://127.0.0.1:2, ${secret}`);
    const { loaded, read } = await imported(offline, online);
    const keys = (kind: string, value: (name: string) => string) => ({
      's3.access-key-id': value(`FEAST_${kind}_S3_ACCESS_KEY_ID`),
      's3.secret-access-key': value(`FEAST_${kind}_S3_SECRET_ACCESS_KEY`),
    });
    expect(loaded.storage).toMatchObject({
      options: { 's3.endpoint': 'http://127.0.0.1:1', ...keys('OFFLINE', (name) => `value of ${name}`) },
      stores: [
        {
          name: 'storage.stores.other',
          roots: ['s3://other'],
          options: { 's3.endpoint': 'http://127.0.0.1:2', ...keys('ONLINE', (name) => `value of ${name}`) },
        },
      ],
    });
    expect(read?.storage.stores[0]?.options['s3.secret-access-key']).toBe(SECRET);
    // In one place there is one store.
    const same = await imported(offline, store('other', 's3://lake/wh', 's3.endpoint: http://127.0.0.1:2'));
    expect(same.loaded.storage.stores).toEqual([]);
    expect(same.reasons).toContain(
      'left-out storage_options other: they differ from those of another catalog, and it is not known which buckets they are for',
    );
  });
});
