/** Parts of the REST catalog specification beside the catalog suite: views, purges, states without their past, several tables, staged tables. */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Catalog, openRestCatalog, type TableCommit, type TableIdentifier } from '../../catalogs/index.js';
import { listTables } from '../../client/index.js';
import type { Schema } from '../../iceberg/index.js';
import { openProject } from '../../project/index.js';
import { failureOf, rejectionCode } from '../support/error-code.js';
import {
  type Fate,
  type FaultyProxy,
  type ProxyAnswer,
  type SeenRequest,
  startFaultyProxy,
} from '../support/faulty-proxy.js';
import { type RestServer, startRestServer } from '../support/rest-server.js';

const folder = mkdtempSync(join(tmpdir(), 'moraine-rest-'));
let server: RestServer;
let proxy: FaultyProxy;
beforeAll(async () => {
  server = await startRestServer(folder);
  proxy = await startFaultyProxy(server.uriOf('').replace(/\/$/, ''));
});
afterAll(async () => {
  await Promise.all([proxy.close(), server.close()]);
  rmSync(folder, { recursive: true });
});

const SCHEMA: Schema = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: [{ id: 1, name: 'id', required: true, type: { kind: 'long' } }],
};
const ORDERS: TableIdentifier = { namespace: ['shop'], name: 'orders' };
const RETURNS: TableIdentifier = { namespace: ['shop'], name: 'returns' };

/** A catalog with two tables; `restart` opens it again, behind a proxy that may change what the server says of itself. */
async function withTables() {
  const uri = `${proxy.address}/${randomUUID()}`;
  const restart = (): Promise<Catalog> => openRestCatalog({ name: 'test', uri });
  proxy.fateOf = () => 'pass';
  const catalog = await restart();
  await catalog.createNamespace(['shop']);
  for (const table of [ORDERS, RETURNS]) await catalog.createTable(table, { schema: SCHEMA });
  proxy.seen.length = 0;
  return { uri, catalog, restart };
}

/** The server's configuration without some of its endpoints. */
const without =
  (pattern: RegExp) =>
  (seen: SeenRequest): Fate =>
    !seen.path.includes('/v1/config')
      ? 'pass'
      : (answer) => {
          const config = JSON.parse(answer.body) as { endpoints: string[] };
          return {
            ...answer,
            body: JSON.stringify({ ...config, endpoints: config.endpoints.filter((each) => !pattern.test(each)) }),
          };
        };

/** An answer without the snapshots that no reference names. Ids of these tests are small. */
function refsOnly(answer: ProxyAnswer): ProxyAnswer {
  const body = JSON.parse(answer.body) as {
    metadata: { refs: Record<string, { 'snapshot-id': number }>; snapshots: { 'snapshot-id': number }[] };
  };
  const named = new Set(Object.values(body.metadata.refs).map((ref) => ref['snapshot-id']));
  body.metadata.snapshots = body.metadata.snapshots.filter((each) => named.has(each['snapshot-id']));
  return { ...answer, body: JSON.stringify(body) };
}

async function makeView(uri: string, name: string): Promise<void> {
  const answer = await fetch(`${uri}/v1/namespaces/shop/views`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      name,
      schema: { type: 'struct', 'schema-id': 0, fields: [{ id: 1, name: 'id', required: true, type: 'long' }] },
      'view-version': {
        'version-id': 1,
        'timestamp-ms': Date.now(),
        'schema-id': 0,
        summary: {},
        'default-namespace': ['shop'],
        representations: [{ type: 'sql', sql: 'SELECT id FROM orders', dialect: 'spark' }],
      },
      properties: {},
    }),
  });
  expect(answer.status, await answer.text()).toBe(200);
}

describe('views', () => {
  test('are listed as such, and a view that is opened as a table is an error that says what it is', async () => {
    const { uri, catalog, restart } = await withTables();
    await makeView(uri, 'latest');
    expect(await catalog.listViews?.(['shop'])).toEqual([{ namespace: ['shop'], name: 'latest' }]);
    expect((await catalog.listTables(['shop'])).map(({ name }) => name)).toEqual(['orders', 'returns']);
    const view = { namespace: ['shop'], name: 'latest' };
    const refused = await failureOf(catalog.loadTable(view));
    expect([refused.code, refused.message]).toEqual([
      'UNSUPPORTED_FEATURE',
      expect.stringMatching(/^test\/shop\.latest is a view of the catalog, and Moraine reads tables only\./),
    ]);
    expect(await catalog.tableExists(view)).toBe(false);
    expect(await rejectionCode(catalog.createTable(view, { schema: SCHEMA }))).toBe('TABLE_ALREADY_EXISTS');
    expect(await rejectionCode(catalog.loadTable({ namespace: ['shop'], name: 'none' }))).toBe('TABLE_NOT_FOUND');
    const project = await openProject({
      cwd: folder,
      config: { catalogs: { lake: { type: 'rest', uri } }, storage: { roots: [folder] } },
    });
    try {
      expect((await listTables(project)).map(({ name, kind, problem }) => [name, kind, problem])).toEqual([
        ['shop.orders', 'table', null],
        ['shop.returns', 'table', null],
        ['shop.latest', 'view', null],
      ]);
    } finally {
      await project.close();
    }
    // A server that does not announce them is not asked for them.
    proxy.fateOf = without(/views/);
    const other = await restart();
    proxy.seen.length = 0;
    expect(other).toHaveProperty('listViews', undefined);
    expect(await rejectionCode(other.loadTable(view))).toBe('TABLE_NOT_FOUND');
    expect(proxy.seen.map(({ path }) => path).filter((path) => path.includes('views'))).toEqual([]);
  });
});

describe('a table', () => {
  test('that is dropped or purged leaves its files to the server, which is told which of the two it is', async () => {
    const { catalog } = await withTables();
    const { metadataLocation: kept } = await catalog.loadTable(ORDERS);
    const { metadataLocation: gone } = await catalog.loadTable(RETURNS);
    await catalog.dropTable(ORDERS);
    await catalog.purgeTable?.(RETURNS);
    const asked = proxy.seen.filter(({ method }) => method === 'DELETE').map(({ path }) => path.split('/').at(-1));
    expect(asked).toEqual(['orders?purgeRequested=false', 'returns?purgeRequested=true']);
    expect([existsSync(kept), existsSync(gone)]).toEqual([true, false]);
    expect(await catalog.listTables(['shop'])).toEqual([]);
  });

  test('of which only the present is asked for comes without its past, which a later whole load has', async () => {
    const { catalog } = await withTables();
    for (const [id, parent] of [
      [1n, null],
      [2n, 1n],
      [3n, 2n],
    ] as const) {
      const summary = new Map([['operation', 'append']]);
      const snapshot = {
        snapshotId: id,
        sequenceNumber: id,
        timestampMs: BigInt(Date.now()),
        manifestList: '/none',
        summary,
        schemaId: 0,
      };
      await catalog.commitTable(ORDERS, {
        requirements: [{ type: 'assert-ref-snapshot-id', ref: 'main', snapshotId: parent }],
        updates: [
          {
            action: 'add-snapshot',
            snapshot: { ...snapshot, ...(parent === null ? {} : { parentSnapshotId: parent }) },
          },
          { action: 'set-snapshot-ref', refName: 'main', ref: { type: 'branch', snapshotId: id } },
        ],
      });
    }
    // Java's server knows no such parameter yet: the proxy leaves the others out, as newer ones do.
    proxy.fateOf = ({ path }) => (path.endsWith('snapshots=refs') ? refsOnly : 'pass');
    const ids = async (options?: { snapshots: 'refs' }) =>
      (await catalog.loadTable(ORDERS, options)).metadata.snapshots.map(({ snapshotId }) => snapshotId);
    expect(await ids({ snapshots: 'refs' })).toEqual([3n]);
    expect(await ids()).toEqual([1n, 2n, 3n]);
    expect(await ids({ snapshots: 'refs' })).toEqual([3n]);
    expect(proxy.seen.filter(({ method }) => method === 'GET').map(({ path }) => path.split('/').at(-1))).toEqual([
      'orders?snapshots=refs',
      'orders',
      'orders?snapshots=refs',
    ]);
  });
});

describe('a commit to several tables', () => {
  const isTransaction = ({ path }: SeenRequest): boolean => path.endsWith('/v1/transactions/commit');
  const sent = (): number => proxy.seen.filter(isTransaction).length;
  const set = (value: string): readonly TableCommit[] =>
    [ORDERS, RETURNS].map((identifier) => ({
      identifier,
      requirements: [],
      updates: [{ action: 'set-properties', updates: new Map([['p', value]]) }],
    }));
  const values = async (catalog: Catalog) =>
    await Promise.all(
      [ORDERS, RETURNS].map(async (table) => (await catalog.loadTable(table)).metadata.properties.get('p')),
    );
  const error = (status: number): ProxyAnswer => ({
    status,
    body: JSON.stringify({ error: { message: 'told by the proxy', type: 'Exception', code: status } }),
  });

  test('is one request, with what the specification asks for', async () => {
    const { catalog } = await withTables();
    await catalog.commitTables?.(set('a'));
    expect(proxy.seen.map(({ method, path }) => [method, path.replace(/^\/[^/]+/, '')])).toEqual([
      ['POST', '/v1/transactions/commit'],
    ]);
    expect(JSON.parse(proxy.seen[0]?.body ?? '')).toEqual({
      'table-changes': ['orders', 'returns'].map((name) => ({
        identifier: { namespace: ['shop'], name },
        requirements: [],
        updates: [{ action: 'set-properties', updates: { p: 'a' } }],
      })),
    });
    expect(await values(catalog)).toEqual(['a', 'a']);
  });

  test.each<[string, Fate, Fate]>([
    ['500', error(500), () => error(500)],
    ['502', error(502), () => error(502)],
    ['503', error(503), () => error(503)],
    ['504', error(504), () => error(504)],
    ['a connection that breaks', 'drop', 'lose'],
  ])(
    'that is answered with %s is of unknown outcome, applied or not, and is not sent again',
    async (_, before, after) => {
      const { catalog } = await withTables();
      proxy.fateOf = (seen) => (isTransaction(seen) ? before : 'pass');
      const refused = await failureOf(catalog.commitTables?.(set('a')) ?? expect.unreachable());
      expect([refused.code, sent(), await values(catalog)]).toEqual([
        'COMMIT_STATE_UNKNOWN',
        1,
        [undefined, undefined],
      ]);
      proxy.fateOf = (seen) => (isTransaction(seen) ? after : 'pass');
      const lost = await failureOf(catalog.commitTables?.(set('b')) ?? expect.unreachable());
      expect([lost.code, sent(), await values(catalog)]).toEqual(['COMMIT_STATE_UNKNOWN', 2, ['b', 'b']]);
    },
  );

  test('that is refused says which requirement of which table does not hold, whatever the status', async () => {
    const { catalog } = await withTables();
    const [first, second] = set('a') as [TableCommit, TableCommit];
    const moved: TableCommit = {
      ...second,
      requirements: [{ type: 'assert-ref-snapshot-id', ref: 'main', snapshotId: 7n }],
    };
    for (const fate of ['pass', error(409), error(400)] as const) {
      proxy.fateOf = (seen) => (isTransaction(seen) ? fate : 'pass');
      const refused = await failureOf(catalog.commitTables?.([first, moved]) ?? expect.unreachable());
      expect([refused.code, refused.message]).toEqual([
        'COMMIT_CONFLICT',
        expect.stringContaining('the commit requires 7'),
      ]);
    }
    proxy.fateOf = (seen) => (isTransaction(seen) ? error(429) : 'pass');
    expect(await rejectionCode(catalog.commitTables?.(set('a')) ?? expect.unreachable())).toBe('CATALOG_UNAVAILABLE');
    proxy.fateOf = () => 'pass';
    expect([sent(), await values(catalog)]).toEqual([4, [undefined, undefined]]);
  });

  test('is not there where the server does not announce it', async () => {
    const { restart } = await withTables();
    proxy.fateOf = without(/transactions/);
    expect(await restart()).toHaveProperty('commitTables', undefined);
  });
});

test('a place for a table that is not made is asked for by staging it, which makes nothing', async () => {
  const { catalog } = await withTables();
  const identifier = { namespace: ['shop'], name: 'later' };
  const location = await catalog.newTableLocation(identifier);
  const staged = proxy.seen.filter(({ method, path }) => method === 'POST' && path.endsWith('/tables'));
  expect(staged.map(({ body }) => (JSON.parse(body) as Record<string, unknown>)['stage-create'])).toEqual([true]);
  expect([await catalog.tableExists(identifier), existsSync(location)]).toEqual([false, false]);
  expect((await catalog.createTable(identifier, { schema: SCHEMA })).metadata.location).toBe(location);
});
