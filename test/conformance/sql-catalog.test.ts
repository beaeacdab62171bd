import { join } from 'node:path';
import Database from 'libsql';
import { describe, expect, test } from 'vitest';
import { type Catalog, openSqlCatalog } from '../../catalogs/index.js';
import { LocalFileIO } from '../../storage/index.js';
import { failureOf, rejectionCode } from '../support/error-code.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { describeCatalogBehavior } from './catalog-behavior.js';

function openIn(folder: string, options: { name?: string; busyTimeoutMs?: number } = {}): Promise<Catalog> {
  const io = new LocalFileIO({ roots: [folder] });
  return openSqlCatalog({
    name: 'test',
    uri: `sqlite:///${folder}/c.db`,
    warehouse: join(folder, 'wh'),
    io,
    ...options,
  });
}

describeCatalogBehavior('SQL catalog on SQLite', async () => {
  const folder = temporaryFolder();
  const io = new LocalFileIO({ roots: [folder] });
  return { catalog: await openIn(folder), reopen: () => openIn(folder), folder: join(folder, 'wh'), io };
});

function sql(folder: string, ...statements: string[]): unknown[] {
  const database = new Database(`${folder}/c.db`);
  try {
    for (const statement of statements.slice(0, -1)) database.exec(statement);
    return database.prepare(statements.at(-1) ?? '').all();
  } finally {
    database.close();
  }
}

const SCHEMA = { schemaId: 0, identifierFieldIds: [], fields: [] };

// The statements of Java's JdbcUtil, schema version V0.
const V0_TABLES = `CREATE TABLE iceberg_tables(catalog_name VARCHAR(255) NOT NULL, table_namespace VARCHAR(255) NOT NULL,
  table_name VARCHAR(255) NOT NULL, metadata_location VARCHAR(1000), previous_metadata_location VARCHAR(1000),
  PRIMARY KEY (catalog_name, table_namespace, table_name))`;

test('a table is loaded although commits delete its metadata file between the pointer and the file, as often as they do', async () => {
  const folder = temporaryFolder();
  const writer = await openIn(folder);
  await writer.createNamespace(['a']);
  const properties = new Map([
    ['write.metadata.delete-after-commit.enabled', 'true'],
    ['write.metadata.previous-versions-max', '1'],
  ]);
  const identifier = { namespace: ['a'], name: 't' };
  await writer.createTable(identifier, { schema: SCHEMA, properties });
  let [seen, commits] = [0, 0];
  const commit = async (): Promise<void> => {
    const updates = [{ action: 'set-properties' as const, updates: new Map([['n', String(++commits)]]) }];
    await writer.commitTable(identifier, { requirements: [], updates });
  };
  // Three commits come before the first and before the second use of a metadata file.
  const io = new Proxy(new LocalFileIO({ roots: [folder] }), {
    get(target, name: keyof LocalFileIO) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      return async (...args: readonly unknown[]): Promise<unknown> => {
        if (String(args[0]).endsWith('.metadata.json') && ['read', 'stat', 'resolve'].includes(name) && seen++ < 2) {
          for (let each = 0; each < 3; each++) await commit();
        }
        return (await Reflect.apply(member, target, args)) as unknown;
      };
    },
  });
  const uri = `sqlite:///${folder}/c.db`;
  const reader = await openSqlCatalog({ name: 'test', uri, warehouse: join(folder, 'wh'), io });
  expect((await reader.loadTable(identifier)).metadata.properties.get('n')).toBe('6');
});

describe('the tables of the SQL catalog', () => {
  test('columns are those of JdbcCatalog V1 and PyIceberg, and rows as they write them', async () => {
    const folder = temporaryFolder();
    const catalog = await openIn(folder);
    await catalog.createNamespace(['a', 'b']);
    const created = await catalog.createTable({ namespace: ['a', 'b'], name: 't' }, { schema: SCHEMA });
    const updates = [{ action: 'set-properties' as const, updates: new Map([['p', 'v']]) }];
    const { metadataLocation } = await catalog.commitTable(created.identifier, { requirements: [], updates });
    expect(sql(folder, 'SELECT * FROM iceberg_tables')).toEqual([
      {
        catalog_name: 'test',
        table_namespace: 'a.b',
        table_name: 't',
        metadata_location: metadataLocation,
        previous_metadata_location: created.metadataLocation,
        iceberg_type: 'TABLE',
      },
    ]);
    expect(sql(folder, 'SELECT * FROM iceberg_namespace_properties')).toEqual([
      { catalog_name: 'test', namespace: 'a.b', property_key: 'exists', property_value: 'true' },
    ]);
  });

  test('a V0 file, without types, works and stays V0', async () => {
    const folder = temporaryFolder();
    sql(folder, V0_TABLES, 'SELECT 1');
    const catalog = await openIn(folder);
    await catalog.createNamespace(['ns']);
    const created = await catalog.createTable({ namespace: ['ns'], name: 't' }, { schema: SCHEMA });
    expect((await (await openIn(folder)).loadTable(created.identifier)).metadata.tableUuid).toBe(
      created.metadata.tableUuid,
    );
    expect(sql(folder, "SELECT name FROM pragma_table_info('iceberg_tables') WHERE name = 'iceberg_type'")).toEqual([]);
  });

  test('a view is no table, but holds its name; a row without a type is a table', async () => {
    const folder = temporaryFolder();
    const catalog = await openIn(folder);
    await catalog.createNamespace(['ns']);
    const real = await catalog.createTable({ namespace: ['ns'], name: 'untyped' }, { schema: SCHEMA });
    const view = "INSERT INTO iceberg_tables VALUES ('test', 'ns', 'v', '/v.metadata.json', NULL, 'VIEW')";
    sql(folder, view, "UPDATE iceberg_tables SET iceberg_type = NULL WHERE table_name = 'untyped'", 'SELECT 1');
    expect(await catalog.listTables(['ns'])).toEqual([real.identifier]);
    const identifier = { namespace: ['ns'], name: 'v' };
    expect(await rejectionCode(catalog.loadTable(identifier))).toBe('TABLE_NOT_FOUND');
    expect(await rejectionCode(catalog.dropTable(identifier))).toBe('TABLE_NOT_FOUND');
    expect(await rejectionCode(catalog.createTable(identifier, { schema: SCHEMA }))).toBe('TABLE_ALREADY_EXISTS');
  });

  test('catalogs of different names in one file do not see each other', async () => {
    const folder = temporaryFolder();
    const one = await openIn(folder, { name: 'one' });
    const two = await openIn(folder, { name: 'two' });
    await one.createNamespace(['ns']);
    expect(await two.namespaceExists(['ns'])).toBe(false);
    expect(await two.siblings()).toEqual([]);
    const created = await one.createTable({ namespace: ['ns'], name: 't' }, { schema: SCHEMA });
    const siblings = await two.siblings();
    expect(siblings.map(({ id, name }) => [id, name])).toEqual([[one.id, 'one']]);
    const [sibling] = siblings;
    expect(await sibling?.listTables(['ns'])).toEqual([created.identifier]);
    expect((await sibling?.loadTable(created.identifier))?.metadata).toEqual(created.metadata);
  });

  test('a namespace level with a dot is refused, since the file could not tell it from two levels', async () => {
    const catalog = await openIn(temporaryFolder());
    expect(await rejectionCode(catalog.createNamespace(['a.b']))).toBe('INVALID_ARGUMENT');
    expect(await rejectionCode(catalog.createNamespace([]))).toBe('INVALID_ARGUMENT');
  });

  test('the location property of a namespace is where its tables go', async () => {
    const folder = temporaryFolder();
    const catalog = await openIn(folder);
    await catalog.createNamespace(['ns'], new Map([['location', `${folder}/elsewhere`]]));
    const { metadata } = await catalog.createTable({ namespace: ['ns'], name: 't' }, { schema: SCHEMA });
    expect(metadata.location).toBe(`${folder}/elsewhere/t`);
  });
});

describe('a database that does not answer', () => {
  test('a lock that is not released is CATALOG_UNAVAILABLE, nothing is applied, and no lock stays behind', async () => {
    const folder = temporaryFolder();
    const catalog = await openIn(folder, { busyTimeoutMs: 100 });
    await catalog.createNamespace(['ns']);
    const created = await catalog.createTable({ namespace: ['ns'], name: 't' }, { schema: SCHEMA });
    const updates = [{ action: 'set-properties' as const, updates: new Map([['p', 'v']]) }];
    const other = new Database(`${folder}/c.db`, { timeout: 0 });
    other.exec("BEGIN IMMEDIATE; UPDATE iceberg_namespace_properties SET property_value = 'x'");
    expect(await failureOf(catalog.commitTable(created.identifier, { requirements: [], updates }))).toMatchObject({
      code: 'CATALOG_UNAVAILABLE',
      message: expect.stringMatching(
        /locked for 100 ms\. Another process holds a lock on the file; end it\. Spark .*jdbc\.init-catalog-tables .* is false/,
      ) as string,
    });
    expect((await catalog.loadTable(created.identifier)).metadataLocation).toBe(created.metadataLocation);
    other.exec('COMMIT');
    other.close();
    const committed = await catalog.commitTable(created.identifier, { requirements: [], updates });
    expect(committed.metadata.properties.get('p')).toBe('v');
  });

  test('a lock that is released in time is waited for', async () => {
    const folder = temporaryFolder();
    const catalog = await openIn(folder);
    const other = new Database(`${folder}/c.db`, { timeout: 0 });
    other.exec('BEGIN EXCLUSIVE');
    const created = catalog.createNamespace(['ns']);
    setTimeout(() => {
      other.exec('COMMIT');
      other.close();
    }, 150);
    await created;
    expect(await catalog.listNamespaces()).toEqual([['ns']]);
  });

  test('a file that is no database, and a folder that cannot be made, are CATALOG_UNAVAILABLE', async () => {
    const folder = temporaryFolder();
    const { writeFileSync } = await import('node:fs');
    writeFileSync(`${folder}/c.db`, 'not a database, but some text that is long enough to be looked at'.repeat(20));
    expect(await rejectionCode(openIn(folder))).toBe('CATALOG_UNAVAILABLE');
    expect(await rejectionCode(openIn(`${folder}/c.db`))).toBe('CATALOG_UNAVAILABLE');
  });
});
