/** The SQL catalog on PostgreSQL. Collected where PostgreSQL is installed. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type Catalog, openSqlCatalog } from '../../catalogs/index.js';
import type { MoraineError } from '../../errors/index.js';
import { LocalFileIO } from '../../storage/index.js';
import { commitAppend, loadTable } from '../../tables/index.js';
import { failureOf, rejectionCode } from '../support/error-code.js';
import { type MessageFate, startFaultyConnections } from '../support/faulty-connection.js';
import { PASSWORD, type PostgresServer, postgresPrograms, startPostgres } from '../support/postgres-server.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { describeCatalogBehavior } from './catalog-behavior.js';

const SCHEMA = { schemaId: 0, identifierFieldIds: [], fields: [] };
const TABLE = { namespace: ['ns'], name: 't' };

describe.runIf(postgresPrograms() !== undefined)('PostgreSQL', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.close());

  async function openIn(folder: string, uri: string): Promise<Catalog> {
    const io = new LocalFileIO({ roots: [folder] });
    const catalog = await openSqlCatalog({ name: 'test', uri, warehouse: join(folder, 'wh'), io });
    onTestFinished(() => catalog.close());
    return catalog;
  }

  describeCatalogBehavior('SQL catalog on PostgreSQL', async () => {
    const folder = temporaryFolder();
    const uri = await server.makeDatabase();
    const io = new LocalFileIO({ roots: [folder] });
    return { catalog: await openIn(folder, uri), reopen: () => openIn(folder, uri), folder: join(folder, 'wh'), io };
  });

  /** A catalog with a table `ns.t`. */
  async function withTable(settings: readonly string[] = []) {
    const folder = temporaryFolder();
    const uri = await server.makeDatabase({ settings });
    const catalog = await openIn(folder, uri);
    await catalog.createNamespace(['ns']);
    await catalog.createTable(TABLE, { schema: SCHEMA });
    const set = (key: string, value: string, by = catalog) =>
      by.commitTable(TABLE, {
        requirements: [],
        updates: [{ action: 'set-properties' as const, updates: new Map([[key, value]]) }],
      });
    return { folder, uri, catalog, set };
  }

  test('the tables are those of JdbcCatalog V1 and PyIceberg', async () => {
    const { uri, catalog, set } = await withTable();
    const { metadataLocation } = await set('p', 'v');
    expect(await server.query(uri, 'SELECT * FROM iceberg_tables')).toMatchObject([
      {
        catalog_name: 'test',
        table_namespace: 'ns',
        table_name: 't',
        metadata_location: metadataLocation,
        iceberg_type: 'TABLE',
      },
    ]);
    expect((await catalog.loadTable(TABLE)).metadata.properties.get('p')).toBe('v');
  });

  test('tables of schema V0 are used as they are', async () => {
    const folder = temporaryFolder();
    const uri = await server.makeDatabase();
    await server.query(
      uri,
      `CREATE TABLE iceberg_tables(catalog_name VARCHAR(255) NOT NULL, table_namespace VARCHAR(255) NOT NULL, table_name VARCHAR(255) NOT NULL,
       metadata_location VARCHAR(1000), previous_metadata_location VARCHAR(1000), PRIMARY KEY (catalog_name, table_namespace, table_name))`,
    );
    const catalog = await openIn(folder, uri);
    await catalog.createNamespace(['ns']);
    await catalog.createTable(TABLE, { schema: SCHEMA });
    expect(await catalog.listTables(['ns'])).toEqual([TABLE]);
  });

  test('eight that open an empty database at once all can use it', async () => {
    const folder = temporaryFolder();
    const uri = await server.makeDatabase();
    const catalogs = await Promise.all(Array.from({ length: 8 }, () => openIn(folder, uri)));
    await catalogs[0]?.createNamespace(['ns']);
    for (const catalog of catalogs) expect(await catalog.listNamespaces()).toEqual([['ns']]);
  });

  test('connections that the server has closed meanwhile are replaced', async () => {
    const { uri, catalog, set } = await withTable();
    for (let times = 0; times < 3; times += 1) {
      await server.disconnect(uri);
      expect((await catalog.loadTable(TABLE)).identifier).toEqual(TABLE);
    }
    await set('p', 'v');
    expect((await catalog.loadTable(TABLE)).metadata.properties.get('p')).toBe('v');
  });

  test('a connection that is lost in the midst of a commit leaves its outcome unknown, and it can be read back', async () => {
    const { uri, catalog, folder, set } = await withTable();
    await server.query(
      uri,
      `CREATE FUNCTION wait() RETURNS trigger AS $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$ LANGUAGE plpgsql;
       CREATE TRIGGER wait BEFORE UPDATE ON iceberg_tables FOR EACH ROW EXECUTE FUNCTION wait()`,
    );
    const before = await catalog.loadTable(TABLE);
    const lost = failureOf(set('p', 'v'));
    const waiting =
      "SELECT 1 FROM pg_stat_activity WHERE application_name = 'moraine' AND query LIKE 'UPDATE%' AND state = 'active'";
    await expect.poll(async () => (await server.query(uri, waiting)).length, { timeout: 20_000 }).toBe(1);
    await server.disconnect(uri);
    expect((await lost).code).toBe('COMMIT_STATE_UNKNOWN');
    expect((await lost).message).not.toContain(PASSWORD);
    const other = await openIn(folder, uri);
    expect((await other.loadTable(TABLE)).metadataLocation).toBe(before.metadataLocation);
  });

  test('a connection that is lost in a commit to several tables: before its end nothing has landed, in its end nobody knows', async () => {
    const { uri, catalog, folder } = await withTable();
    const other = { namespace: ['ns'], name: 'u' };
    await catalog.createTable(other, { schema: SCHEMA });
    const wait = (trigger: string) =>
      server.query(
        uri,
        `CREATE OR REPLACE FUNCTION wait() RETURNS trigger AS $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$ LANGUAGE plpgsql;
         ${trigger}`,
      );
    const before = await Promise.all([TABLE, other].map((table) => catalog.loadTable(table)));
    const files = () => readdirSync(join(folder, 'wh'), { recursive: true }).length;
    const count = files();
    const commit = () =>
      catalog.commitTables?.(
        [TABLE, other].map((identifier) => ({
          identifier,
          requirements: [],
          updates: [{ action: 'set-properties' as const, updates: new Map([['p', 'v']]) }],
        })),
      ) ?? expect.unreachable();
    const lostWhile = async (statement: string): Promise<MoraineError> => {
      const lost = failureOf(commit());
      const waiting = `SELECT 1 FROM pg_stat_activity WHERE application_name = 'moraine' AND query LIKE '${statement}%' AND state = 'active'`;
      await expect.poll(async () => (await server.query(uri, waiting)).length, { timeout: 20_000 }).toBe(1);
      await server.disconnect(uri);
      return await lost;
    };
    await wait('CREATE TRIGGER wait BEFORE UPDATE ON iceberg_tables FOR EACH ROW EXECUTE FUNCTION wait()');
    const early = await lostWhile('UPDATE');
    expect([early.code, files()]).toEqual(['CATALOG_UNAVAILABLE', count]);
    await server.query(uri, 'DROP TRIGGER wait ON iceberg_tables');
    await wait(
      'CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON iceberg_tables DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait()',
    );
    const late = await lostWhile('COMMIT');
    expect([late.code, files()]).toEqual(['COMMIT_STATE_UNKNOWN', count + 2]);
    expect(early.message + late.message).not.toContain(PASSWORD);
    const reader = await openIn(folder, uri);
    expect(await Promise.all([TABLE, other].map((table) => reader.loadTable(table)))).toEqual(before);
  });

  test('a server that dies in the midst of a commit and comes back has not taken it; the commit is made again, once', async () => {
    const { uri, catalog, set } = await withTable();
    await server.query(
      uri,
      `CREATE FUNCTION wait() RETURNS trigger AS $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$ LANGUAGE plpgsql;
       CREATE TRIGGER wait BEFORE UPDATE ON iceberg_tables FOR EACH ROW EXECUTE FUNCTION wait()`,
    );
    const before = await catalog.loadTable(TABLE);
    const lost = rejectionCode(set('p', 'v'));
    const waiting = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'UPDATE%' AND state = 'active'";
    await expect.poll(async () => (await server.query(uri, waiting)).length, { timeout: 20_000 }).toBe(1);
    await server.restart();
    expect(await lost).toBe('COMMIT_STATE_UNKNOWN');
    expect((await catalog.loadTable(TABLE)).metadataLocation).toBe(before.metadataLocation);
    await server.query(uri, 'DROP TRIGGER wait ON iceberg_tables');
    await set('p', 'w');
    expect((await catalog.loadTable(TABLE)).metadata.properties.get('p')).toBe('w');
  });

  test('a commit that the server has made, and whose answer is lost with the connection, is found by its run, and is there once', async () => {
    const { uri, folder, set: setProperty } = await withTable();
    await setProperty('commit.status-check.min-wait-ms', '10');
    const { port } = new URL(uri);
    const connections = await startFaultyConnections(Number(port));
    onTestFinished(() => connections.close());
    const catalog = await openIn(folder, uri.replace(`:${port}/`, `:${connections.port}/`));
    const io = new LocalFileIO({ roots: [folder] });
    const table = await loadTable(catalog, io, TABLE);
    /** Commits while the connection has this fate, again until it is known. @returns how often, and what the table has more */
    const commitOnce = async (fate: MessageFate) => {
      const before = (await loadTable(catalog, io, TABLE)).metadata.snapshots.length;
      let isFirst = true;
      connections.fateOf = (message) => {
        if (!isFirst || !message.includes('UPDATE iceberg_tables')) return 'pass';
        isFirst = false;
        return fate;
      };
      const options = { files: [], run: { key: `run ${fate}` } };
      let tries = 1;
      const again = async (error: unknown) => {
        expect(error).toMatchObject({ code: 'COMMIT_STATE_UNKNOWN' });
        tries += 1;
        return await commitAppend(await loadTable(catalog, io, TABLE), options);
      };
      const { snapshotId } = await commitAppend(table, options).catch(again);
      const { snapshots } = (await loadTable(catalog, io, TABLE)).metadata;
      expect([isFirst, snapshots.at(-1)?.snapshotId]).toEqual([false, snapshotId]);
      return { tries, snapshots: snapshots.length - before };
    };
    expect(await commitOnce('lose')).toEqual({ tries: 1, snapshots: 1 });
    expect(await commitOnce('drop')).toEqual({ tries: 2, snapshots: 1 });
  });

  test('commits of a database whose transactions are serializable are tried again, and none is lost', async () => {
    const { uri, folder, catalog } = await withTable(['default_transaction_isolation = serializable']);
    const writers = await Promise.all(Array.from({ length: 4 }, () => openIn(folder, uri)));
    const commitOnce = async (writer: Catalog, key: string): Promise<void> => {
      for (;;) {
        try {
          const updates = [{ action: 'set-properties' as const, updates: new Map([[key, '1']]) }];
          await writer.commitTable(TABLE, { requirements: [], updates });
          return;
        } catch (error) {
          if ((error as { code?: string }).code !== 'COMMIT_CONFLICT') throw error;
        }
      }
    };
    await Promise.all(
      writers.map(async (writer, number) => {
        for (let each = 0; each < 5; each += 1) await commitOnce(writer, `w${number}.${each}`);
      }),
    );
    const { properties } = (await catalog.loadTable(TABLE)).metadata;
    expect([...properties.keys()].filter((key) => key.startsWith('w')).length).toBe(20);
  });

  test('no server, a wrong password and a missing database are errors without the password', async () => {
    const uri = await server.makeDatabase();
    const wrong = [
      uri.replace(/:\d+\//, ':1/'),
      uri.replace(PASSWORD, `${PASSWORD}-wrong`),
      uri.replace(/[^/]+$/, 'none'),
    ];
    for (const each of wrong) {
      const failure = await failureOf(openIn(temporaryFolder(), each));
      expect(failure.code).toBe('CATALOG_UNAVAILABLE');
      expect(failure.message).toContain('postgresql://127.0.0.1:');
      expect(failure.message).not.toContain(PASSWORD);
    }
  });

  test('a change that the server refuses has not been applied', async () => {
    const { uri, set } = await withTable();
    await server.query(
      uri,
      'REVOKE ALL ON iceberg_tables FROM moraine; ALTER TABLE iceberg_tables ADD CHECK (previous_metadata_location IS NULL)',
    );
    expect(await rejectionCode(set('p', 'v'))).toBe('CATALOG_UNAVAILABLE');
  });
});
