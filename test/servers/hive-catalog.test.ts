/** The Hive catalog on a real metastore, and behind a proxy that spoils calls. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { Metastore } from '../../catalogs/hive/metastore.js';
import {
  type Catalog,
  hiveAddresses,
  type LoadedTable,
  openHiveCatalog,
  type TableIdentifier,
} from '../../catalogs/index.js';
import type { Schema } from '../../iceberg/index.js';
import { comparableLocation } from '../../locations/index.js';
import { LocalFileIO } from '../../storage/index.js';
import { describeCatalogBehavior } from '../conformance/catalog-behavior.js';
import { failureOf, rejectionCode } from '../support/error-code.js';
import { type CallFate, type HiveProxy, type HiveServer, startHive, startHiveProxy } from '../support/hive-server.js';
import { python } from '../support/python.js';
import { temporaryFolder } from '../support/temp-folder.js';

const warehouse = mkdtempSync(join(tmpdir(), 'moraine-hive-'));
let hive: HiveServer;
let proxy: HiveProxy;
beforeAll(async () => {
  hive = await startHive(warehouse);
  proxy = await startHiveProxy(hive.port);
});
afterAll(async () => {
  await proxy.close();
  await hive.close();
  rmSync(warehouse, { recursive: true });
});
beforeEach(() => {
  proxy.fateOf = () => 'pass';
});

async function openIn(
  folder: string,
  uri = hive.uri,
  options: Readonly<Record<string, string>> = {},
): Promise<Catalog> {
  const io = new LocalFileIO({ roots: [folder] });
  const catalog = await openHiveCatalog({ name: 'test', uri, warehouse: `${folder}/wh`, io, options });
  onTestFinished(() => catalog.close());
  return catalog;
}

describeCatalogBehavior(
  'Hive catalog',
  async () => {
    const folder = temporaryFolder();
    const io = new LocalFileIO({ roots: [folder] });
    await hive.clear();
    return { catalog: await openIn(folder), reopen: () => openIn(folder), folder: `${folder}/wh`, io };
  },
  { isHive: true, refusedNames: ['new\nline', ' ', '.', '..', 'ünï', 'a'.repeat(255)] },
);

const SCHEMA: Schema = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: [{ id: 1, name: 'id', required: true, type: { kind: 'long' } }],
};
/** Each test has a database of its own: locks of unknown outcomes stay for a while. */
let databases = 0;
let database = '';
let TABLE: TableIdentifier;

/** A catalog behind the proxy, with a table. */
async function withTable(
  properties: readonly (readonly [string, string])[] = [],
  options: Readonly<Record<string, string>> = {},
) {
  const folder = temporaryFolder();
  const catalog = await openIn(folder, proxy.uri, options);
  database = `shop_${databases++}`;
  TABLE = { namespace: [database], name: 'orders' };
  await catalog.createNamespace([database]);
  const created = await catalog.createTable(TABLE, { schema: SCHEMA, properties: new Map(properties) });
  proxy.seen.length = 0;
  return { folder, catalog, created };
}

const set = (catalog: Catalog, value: string): Promise<unknown> =>
  catalog.commitTable(TABLE, {
    requirements: [],
    updates: [{ action: 'set-properties', updates: new Map([['p', value]]) }],
  });
const valueOf = async (catalog: Catalog): Promise<string | undefined> =>
  (await catalog.loadTable(TABLE)).metadata.properties.get('p');
const metadataFiles = ({ metadata }: LoadedTable): readonly string[] =>
  readdirSync(join(comparableLocation(metadata.location), 'metadata'));

const ALTER = 'alter_table_with_environment_context';
const sent = (method: string): number => proxy.seen.filter((each) => each === method).length;
/** The calls of one method have this fate, all others pass. */
const spoil = (method: string, fate: CallFate): void => {
  proxy.fateOf = (each) => (each === method ? fate : 'pass');
};
/** Does something while the next alteration is on its way. */
const beforeAlteration = (step: () => Promise<unknown>): void => {
  let isFirst = true;
  proxy.fateOf = async (method): Promise<CallFate> => {
    if (method === ALTER && isFirst) {
      isFirst = false;
      await step();
    }
    return 'pass';
  };
};
const LOCK_FREE = [['engine.hive.lock-enabled', 'false']] as const;

/** Somebody else's lock on the table. */
async function lockedByOther() {
  const metastore = new Metastore(hiveAddresses(hive.uri), { user: 'other', answerMs: 60_000 });
  onTestFinished(() => metastore.close());
  const { id, state } = await metastore.lock(database, 'orders', 'elsewhere');
  expect(state).toBe('acquired');
  return { release: () => metastore.unlock(id) };
}

describe('a table of others', () => {
  test('is committed to by PyIceberg and by us in turn, and nothing in the entry is lost', async () => {
    const { catalog } = await withTable();
    await set(catalog, 'a');
    const theirs = await python<{ before: string; columns: string[] }>(
      'set_property.py',
      JSON.stringify({ type: 'hive', uri: hive.uri }),
      `${database}.orders`,
      'p',
      'theirs',
    );
    expect(theirs).toEqual({ before: 'a', columns: ['id'] });
    expect(await valueOf(catalog)).toBe('theirs');
    await set(catalog, 'ours');
    const again = await python<{ before: string }>(
      'set_property.py',
      JSON.stringify({ type: 'hive', uri: hive.uri }),
      `${database}.orders`,
      'p',
      'theirs',
    );
    expect(again.before).toBe('ours');
  });

  test('that is no Iceberg table is none, and holds its name and its database', async () => {
    const { catalog } = await withTable();
    const metastore = new Metastore(hiveAddresses(hive.uri), { answerMs: 60_000 });
    onTestFinished(() => metastore.close());
    const table = new Map((await metastore.table(database, 'orders')) ?? []);
    table.delete(9);
    await catalog.dropTable(TABLE);
    expect(await metastore.createTable(table)).toBe('done');
    expect(await catalog.listTables([database])).toEqual([]);
    expect(await rejectionCode(catalog.loadTable(TABLE))).toBe('TABLE_NOT_FOUND');
    expect(await rejectionCode(catalog.dropTable(TABLE))).toBe('TABLE_NOT_FOUND');
    expect(await rejectionCode(catalog.createTable(TABLE, { schema: SCHEMA }))).toBe('TABLE_ALREADY_EXISTS');
    expect(await rejectionCode(catalog.dropNamespace([database]))).toBe('NAMESPACE_NOT_EMPTY');
    await metastore.dropTable(database, 'orders');
  });

  test('is asked for by the older calls on a metastore that has no others', async () => {
    const { catalog } = await withTable();
    proxy.fateOf = (method) => (/_req$/.test(method) ? 'unknown-method' : 'pass');
    // This one has the newer calls alone.
    const messages = [
      (await failureOf(catalog.loadTable(TABLE))).message,
      (await failureOf(catalog.loadTable(TABLE))).message,
    ];
    for (const message of messages) expect(message).toContain("Invalid method name: 'get_table'");
    expect((await failureOf(catalog.listTables([database]))).message).toContain("'get_table_objects_by_name'");
    expect(proxy.seen.filter((method) => method.startsWith('get_table'))).toEqual([
      ...['get_table_req', 'get_table', 'get_table'],
      ...['get_table_objects_by_name_req', 'get_table_objects_by_name'],
    ]);
  });
});

describe('a commit', () => {
  test('waits for the lock of others, and gives its own back', async () => {
    const { catalog } = await withTable();
    const other = await lockedByOther();
    let isDone = false;
    const commit = set(catalog, 'a').then(() => {
      isDone = true;
    });
    await expect.poll(() => sent('check_lock'), { timeout: 20_000 }).toBeGreaterThan(3);
    expect([isDone, sent(ALTER)]).toEqual([false, 0]);
    await other.release();
    await commit;
    expect([await valueOf(catalog), sent('unlock')]).toEqual(['a', 1]);
    await (await lockedByOther()).release();
  });

  test('goes without a lock only if the table says so, and only once the metastore was seen to compare', async () => {
    const { catalog } = await withTable(LOCK_FREE);
    await set(catalog, 'a');
    expect([sent('lock'), sent(ALTER)]).toEqual([1, 2]);
    const other = await lockedByOther();
    await set(catalog, 'b');
    expect([await valueOf(catalog), sent('lock'), sent(ALTER)]).toEqual(['b', 1, 3]);
    await other.release();
  });

  test('keeps its lock on a metastore that takes whatever it is told', async () => {
    const { catalog } = await withTable(LOCK_FREE);
    spoil(ALTER, 'expecting-nothing');
    for (const value of ['a', 'b', 'c']) await set(catalog, value);
    expect([await valueOf(catalog), sent('lock'), sent('unlock')]).toEqual(['c', 3, 3]);
  });

  test('without a lock is a conflict if another one came in between', async () => {
    const { catalog, folder } = await withTable(LOCK_FREE);
    await set(catalog, 'a');
    const other = await openIn(folder);
    beforeAlteration(() => set(other, 'theirs'));
    expect(await rejectionCode(set(catalog, 'mine'))).toBe('COMMIT_CONFLICT');
    expect(await valueOf(catalog)).toBe('theirs');
  });

  test.each<[string, CallFate, string]>([
    ['lost before it arrives', 'drop', 'a'],
    ['carried out, and its answer lost', 'lose', 'b'],
    ['carried out, and its answer cut', 'cut', 'b'],
  ])('that is %s has an unknown outcome, and is sent once', async (_, fate, left) => {
    const { catalog, created } = await withTable();
    await set(catalog, 'a');
    proxy.seen.length = 0;
    spoil(ALTER, fate);
    expect(await rejectionCode(set(catalog, 'b'))).toBe('COMMIT_STATE_UNKNOWN');
    expect([sent(ALTER), sent('unlock'), await valueOf(catalog)]).toEqual([1, 1, left]);
    expect(metadataFiles(created)).toHaveLength(3);
  });

  test('of unknown outcome leaves its lock where nothing else keeps it from landing late', async () => {
    const { catalog } = await withTable();
    spoil(ALTER, 'expecting-nothing');
    await set(catalog, 'a');
    spoil(ALTER, 'drop');
    proxy.seen.length = 0;
    expect(await rejectionCode(set(catalog, 'b'))).toBe('COMMIT_STATE_UNKNOWN');
    expect([sent('lock'), sent('unlock')]).toEqual([1, 0]);
  });

  test('leaves its lock if nobody knows whether the trial of the metastore is under way still', async () => {
    const { catalog } = await withTable();
    spoil(ALTER, 'drop');
    expect(await rejectionCode(set(catalog, 'a'))).toBe('CATALOG_UNAVAILABLE');
    expect([sent('lock'), sent(ALTER), sent('unlock')]).toEqual([1, 1, 0]);
  });

  test.each<[string, CallFate]>([
    ['lock', 'lose'],
    ['lock', 'cut'],
    ['check_lock', 'lose'],
    ['unlock', 'drop'],
    ['unlock', 'lose'],
  ])('whose call of %s is spoilt (%s) leaves no lock behind', async (method, fate) => {
    const { catalog } = await withTable();
    const other = await lockedByOther();
    const spoilt = new Set<string>();
    proxy.fateOf = (each): CallFate => {
      if (each === 'check_lock') void other.release();
      if (each !== method || spoilt.has(each)) return 'pass';
      spoilt.add(each);
      return fate;
    };
    await set(catalog, 'a');
    expect([spoilt.has(method), await valueOf(catalog)]).toEqual([true, 'a']);
    await (await lockedByOther()).release();
  });

  test('that cannot have the lock, or whose lock is gone, has not landed and leaves no file', async () => {
    const { catalog, created } = await withTable();
    for (const method of ['lock', 'heartbeat']) {
      spoil(method, 'drop');
      expect(await rejectionCode(set(catalog, 'a'))).toBe('CATALOG_UNAVAILABLE');
    }
    expect([sent(ALTER), metadataFiles(created).length]).toEqual([1, 1]);
  });
});

test('a rename takes a commit along that came in between without a lock', async () => {
  const { catalog, folder } = await withTable(LOCK_FREE);
  const other = await openIn(folder);
  await set(other, 'first');
  beforeAlteration(() => set(other, 'theirs'));
  const renamed = { namespace: [database], name: 'sales' };
  await catalog.renameTable(TABLE, renamed);
  expect((await catalog.loadTable(renamed)).metadata.properties.get('p')).toBe('theirs');
  expect(await catalog.listTables([database])).toEqual([renamed]);
});

describe('a metastore', () => {
  test('that is silent is an error in the time of the option; a commit that it is silent about has an unknown outcome', async () => {
    const { catalog } = await withTable([], { 'hive.metastore.client.socket.timeout': '2s' });
    spoil('get_table_req', 'silent');
    const unread = await failureOf(catalog.loadTable(TABLE));
    expect([unread.code, unread.message, sent('get_table_req')]).toEqual([
      'CATALOG_UNAVAILABLE',
      `The Hive metastore ${proxy.uri} does not do what it is asked: the call of get_table_req failed: no answer within 2 s (option hive.metastore.client.socket.timeout). Check that uri is the address of a metastore, which must take connections without TLS and Kerberos.`,
      2,
    ]);
    proxy.fateOf = () => 'pass';
    await set(catalog, 'a'); // finds out whether the metastore compares
    spoil(ALTER, 'silent');
    proxy.seen.length = 0;
    const unknown = await failureOf(set(catalog, 'b'));
    expect([unknown.code, unknown.message]).toEqual([
      'COMMIT_STATE_UNKNOWN',
      `The Hive metastore ${proxy.uri} did not say whether a change was made: the call of ${ALTER} failed: no answer within 2 s (option hive.metastore.client.socket.timeout).`,
    ]);
    expect([sent(ALTER), await valueOf(catalog)]).toEqual([1, 'b']);
    const refused = await failureOf(
      openIn(temporaryFolder(), proxy.uri, { 'hive.metastore.client.socket.timeout': 'soon' }),
    );
    expect([refused.code, refused.message]).toEqual([
      'CONFIG_INVALID',
      'The catalog option hive.metastore.client.socket.timeout must be a time such as 60s or 500ms, at most 3600s.',
    ]);
  });

  test('that closes connections that nobody used is asked again; one that is not there is an error', async () => {
    const { catalog } = await withTable();
    let times = 0;
    proxy.fateOf = (method) => (method === 'get_table_req' && times++ === 0 ? 'drop' : 'pass');
    expect((await catalog.loadTable(TABLE)).identifier).toEqual(TABLE);
    const nobody = await failureOf((await openIn(temporaryFolder(), 'thrift://127.0.0.1:1')).listNamespaces());
    expect([nobody.code, nobody.message]).toEqual([
      'CATALOG_UNAVAILABLE',
      'The Hive metastore thrift://127.0.0.1:1 does not do what it is asked: nothing answers at 127.0.0.1:1. Check uri and the network.',
    ]);
    const second = await openIn(temporaryFolder(), `thrift://127.0.0.1:1, ${hive.uri}`);
    expect(await second.namespaceExists([database])).toBe(true);
  });

  test('of another kind, or whose answer breaks off, is an error', async () => {
    expect((await failureOf(openIn(temporaryFolder(), 'http://h:1'))).message).toBe(
      'The address "http://h:1" of a Hive metastore must be thrift://HOST:PORT.',
    );
    const { catalog } = await withTable();
    spoil('get_all_databases', 'lose');
    expect(await rejectionCode(catalog.listNamespaces())).toBe('CATALOG_UNAVAILABLE');
    expect(sent('get_all_databases')).toBe(2);
  });
});
