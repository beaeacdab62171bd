/** What `moraine init --catalog .. --warehouse ..` writes is what a project loads. */
import { describe, expect, test } from 'vitest';
import { type CatalogChoice, catalogConfig } from '../../../cli/catalog-template.js';
import { projectTemplate } from '../../../cli/project-template.js';
import { parseConfig } from '../../../config/index.js';

const FILE = '/p/moraine.yaml';

/** The configuration that a new project has. */
function loaded(choice: CatalogChoice, env: Readonly<Record<string, string>> = {}) {
  const text = projectTemplate(catalogConfig(choice, FILE)).get('moraine.yaml') ?? '';
  const { defaultCatalog, catalogs, storage, definitions } = parseConfig(text, { file: FILE, env });
  expect([defaultCatalog, definitions]).toEqual(['lake', ['/p/features.yaml']]);
  return { catalog: catalogs.get('lake'), roots: storage.roots, options: storage.options };
}

describe('a new project', () => {
  test('has its tables in a bucket, and their names in a file', () => {
    const choice = { warehouse: 's3://b/wh', storageOption: ['s3.region=r', 's3.secret-access-key=${S}'] };
    expect(loaded(choice, { S: 'abc' })).toEqual({
      catalog: { type: 'sql', name: 'lake', uri: '/p/.moraine/catalog.db', warehouse: 's3://b/wh' },
      roots: ['s3://b/wh'],
      options: { 's3.region': 'r', 's3.secret-access-key': 'abc' },
    });
  });

  test.each<[string, CatalogChoice, object, readonly string[]]>([
    [
      'SQLite',
      { catalog: 'names.db' },
      { type: 'sql', uri: '/p/names.db', warehouse: '/p/warehouse' },
      ['/p/warehouse'],
    ],
    [
      'PostgreSQL',
      { catalog: 'postgresql://me:${S}@h/d', warehouse: 'wh' },
      { type: 'sql', uri: 'postgresql://me:abc@h/d', warehouse: '/p/wh' },
      ['/p/wh'],
    ],
    [
      'a REST server',
      { catalog: 'https://h/c', warehouse: 's3://b', catalogOption: ['credential=${S}', 'scope=a=b'] },
      { type: 'rest', uri: 'https://h/c', options: { credential: 'abc', scope: 'a=b' } },
      ['s3://b'],
    ],
    [
      'Glue',
      { catalog: 'glue:eu-central-1', warehouse: 's3://b', catalogOption: ['glue.id=7'] },
      { type: 'glue', warehouse: 's3://b', options: { 'glue.region': 'eu-central-1', 'glue.id': '7' } },
      ['s3://b'],
    ],
    [
      'a Hive metastore',
      { catalog: 'thrift://h:9083', warehouse: 's3://b' },
      { type: 'hive', uri: 'thrift://h:9083', warehouse: 's3://b', options: {} },
      ['s3://b'],
    ],
    ['memory', { catalog: 'memory' }, { type: 'memory', warehouse: '/p/warehouse' }, ['/p/warehouse']],
  ])('has its catalog in %s', (_, choice, catalog, roots) => {
    expect(loaded(choice, { S: 'abc' })).toEqual({ catalog: { name: 'lake', ...catalog }, roots, options: {} });
  });

  test('reads tables through Trino, and has its own beside them', () => {
    const choice = { catalog: 'trino://h:8443/hive', warehouse: 's3://b/own', catalogOption: ['trino.token=${S}'] };
    const text = catalogConfig(choice, FILE);
    const { catalogs, storage } = parseConfig(text, { file: FILE, env: { S: 'abc' } });
    expect([...catalogs.values()]).toEqual([
      { type: 'sql', name: 'lake', uri: '/p/.moraine/catalog.db', warehouse: 's3://b/own' },
      { type: 'trino', name: 'trino', uri: 'https://h:8443/hive', options: { 'trino.token': 'abc' } },
    ]);
    expect(storage.roots).toEqual(['s3://b/own']);
    expect(() => catalogConfig({ ...choice, catalogOption: ['trino.token=canary'] }, FILE)).toThrow(
      'token: ${MY_SECRET}',
    );
    expect(() => catalogConfig({ catalog: 'trino://h:8443' }, FILE)).toThrow('https://host:8443/CATALOG');
  });

  test('takes a variable for the whole address of a catalog of another kind only with its beginning', () => {
    expect(loaded({ catalog: 'https://${H}/c', warehouse: 's3://b' }, { H: 'h' }).catalog).toMatchObject({
      uri: 'https://h/c',
    });
  });

  test.each<[string, CatalogChoice, string]>([
    [
      'a secret',
      { warehouse: 's3://b', storageOption: ['s3.secret-access-key=canary'] },
      's3.secret-access-key: ${MY_SECRET}',
    ],
    ['a password', { catalog: 'postgresql://me:canary@h/d' }, 'a password must not stand in the file'],
    ['a token', { catalog: 'https://h', warehouse: 's3://b', catalogOption: ['token=canary'] }, 'token: ${MY_SECRET}'],
    ['an unknown option', { storageOption: ['s3.endpont=x'] }, 'did you mean s3.endpoint?'],
    [
      'a REST catalog without a place',
      { catalog: 'https://h' },
      'name the folders or buckets in which it may put tables',
    ],
    ['Glue without a warehouse', { catalog: 'glue' }, 'catalogs.lake.warehouse: is needed'],
    ['an option without a name', { storageOption: ['canary'] }, '--storage-option must be NAME=VALUE'],
    ['another scheme', { catalog: 'mysql://h/d' }, 'must be a SQLite file'],
  ])('is not written with %s', (_, choice, reason) => {
    expect(() => catalogConfig(choice, FILE)).toThrow(reason);
    expect(() => catalogConfig(choice, FILE)).not.toThrow('canary');
  });
});
