/** A REST catalog whose answers would lead to other files, other tables and other servers. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { openRestCatalog, SYSTEM_CLOCK, type TableIdentifier } from '../../catalogs/index.js';
import { RestClient } from '../../catalogs/rest/rest-client.js';
import { grantedPrefixes } from '../../catalogs/rest/rest-grants.js';
import { RestRequests } from '../../catalogs/rest/rest-requests.js';
import { openProject, type Project } from '../../project/index.js';
import { stageRows } from '../../staging/index.js';
import { commitAppend, readSnapshotManifests, selectSnapshot } from '../../tables/index.js';
import { moraine } from '../support/cli.js';
import { failureOf, rejectionCode } from '../support/error-code.js';
import { type FaultyProxy, type SeenRequest, startFaultyProxy } from '../support/faulty-proxy.js';
import { type RestServer, startRestServer } from '../support/rest-server.js';
import { temporaryFolder } from '../support/temp-folder.js';

const folder = mkdtempSync(join(tmpdir(), 'moraine-rest-'));
let server: RestServer;
let proxy: FaultyProxy;
let store: FaultyProxy;
let elsewhere: FaultyProxy;
beforeAll(async () => {
  server = await startRestServer(folder);
  proxy = await startFaultyProxy(server.uriOf('').replace(/\/$/, ''));
  [store, elsewhere] = await Promise.all([
    startFaultyProxy('http://127.0.0.1:1'),
    startFaultyProxy('http://127.0.0.1:1'),
  ]);
});
afterAll(async () => {
  await Promise.all([proxy, server, store, elsewhere].map((each) => each.close()));
  rmSync(folder, { recursive: true });
});

const TABLE: TableIdentifier = { namespace: ['ns'], name: 't' };
const SCHEMA = {
  schemaId: 0,
  identifierFieldIds: [],
  fields: [{ id: 1, name: 'n', required: false, type: { kind: 'long' } }],
} as const;
const ROOT = 's3://lake/ok';
const OUTSIDE = ['s3://other/x', `${ROOT}/../x`, `${ROOT}-beside/x`, 'file:///etc/passwd', 'http://169.254.169.254/x'];

const isLoad = ({ method, path }: SeenRequest): boolean => method === 'GET' && /\/tables\/t$/.test(path);

/** Changes the metadata in the catalog's answers for a table. */
function answering(change: (metadata: Record<string, unknown>) => Record<string, unknown>): void {
  proxy.fateOf = (seen) =>
    !isLoad(seen)
      ? 'pass'
      : (answer) => {
          const body = JSON.parse(answer.body) as { metadata: Record<string, unknown> };
          return { ...answer, body: JSON.stringify({ ...body, metadata: change(body.metadata) }) };
        };
}

/** A project on a store that only counts requests, with a table. */
async function openWorld(): Promise<Project> {
  proxy.fateOf = () => 'pass';
  [store.seen.length, elsewhere.seen.length] = [0, 0];
  const keys = { 's3.access-key-id': 'me', 's3.secret-access-key': 'canary-secret' };
  const options = { 's3.endpoint': store.address, 's3.region': 'us-east-1', ...keys };
  const catalogs = { lake: { type: 'rest', uri: `${proxy.address}/${randomUUID()}` } } as const;
  const project = await openProject({ config: { catalogs, storage: { roots: [ROOT], options } } });
  onTestFinished(() => project.close());
  const catalog = await project.catalog();
  await catalog.createNamespace(['ns']);
  await catalog.createTable(TABLE, { schema: SCHEMA });
  return project;
}

const snapshotAt = (list: string) => ({
  'current-snapshot-id': 1,
  refs: { main: { type: 'branch', 'snapshot-id': 1 } },
  'last-sequence-number': 1,
  snapshots: [
    {
      'snapshot-id': 1,
      'sequence-number': 1,
      'timestamp-ms': Date.now(),
      'schema-id': 0,
      summary: { operation: 'append' },
      'manifest-list': list,
    },
  ],
});

test('a manifest list outside the roots is not read, and no store is asked for it', async () => {
  const project = await openWorld();
  for (const list of OUTSIDE) {
    answering((metadata) => ({ ...metadata, location: `${ROOT}/t`, ...snapshotAt(list) }));
    const table = await project.loadTable('ns.t');
    const { snapshot } = selectSnapshot(table.metadata);
    const read = readSnapshotManifests(project.io, snapshot ?? expect.unreachable(), 'once');
    expect(await rejectionCode(read), list).toBe('LOCATION_REFUSED');
  }
  expect(store.seen).toEqual([]);
});

test.each(['location', 'write.data.path', 'write.metadata.path'])(
  'rows are not written where %s of an answer says, outside the roots',
  async (name) => {
    const project = await openWorld();
    store.fateOf = ({ method }) => ({ status: method === 'HEAD' ? 404 : 200, headers: { etag: '"x"' }, body: '' });
    const engine = await project.engine();
    for (const place of OUTSIDE) {
      answering((metadata) =>
        name === 'location'
          ? { ...metadata, location: place }
          : { ...metadata, location: `${ROOT}/t`, properties: { [name]: place } },
      );
      const table = await project.loadTable('ns.t');
      const write = async () => {
        const files = await engine.withConnection((connection) =>
          stageRows(connection, table, { select: 'SELECT 1::BIGINT AS n', namePrefix: randomUUID() }),
        );
        await commitAppend(table, { files });
      };
      expect(await rejectionCode(write()), place).toBe('LOCATION_REFUSED');
    }
    for (const { path } of store.seen) expect(path).toMatch(/^\/lake\/ok\/t\//);
  },
);

test('an answer that is of another table, by its uuid, ends a commit to the one that was read', async () => {
  const project = await openWorld();
  const table = await project.loadTable('ns.t');
  answering((metadata) => ({ ...metadata, 'table-uuid': randomUUID(), location: `${ROOT}/t` }));
  expect(await rejectionCode(commitAppend(table, { files: [] }))).toBe('TABLE_REPLACED');
});

test.each([301, 302, 307, 308])(
  'a token server that redirects with %d is not followed: nobody else is told the secret',
  async (status) => {
    await openWorld();
    proxy.fateOf = ({ path }) =>
      path.endsWith('/oauth/tokens') ? { status, headers: { location: `${elsewhere.address}/t` }, body: '' } : 'pass';
    const uri = `${proxy.address}/${randomUUID()}`;
    const failure = await failureOf(openRestCatalog({ name: 'n', uri, options: { credential: 'me:canary-secret' } }));
    expect([failure.code, failure.message]).toEqual([
      'CATALOG_UNAVAILABLE',
      expect.stringMatching(/no token could be had: it redirects to .*which is not followed/),
    ]);
    expect(failure.message).not.toContain('canary-secret');
    expect(elsewhere.seen).toEqual([]);
  },
);

test('an answer for a token that is larger than a megabyte is refused', async () => {
  await openWorld();
  const token = JSON.stringify({ access_token: 'x'.repeat(2 ** 20), token_type: 'bearer', expires_in: 60 });
  proxy.fateOf = ({ path }) => (path.endsWith('/oauth/tokens') ? { status: 200, body: token } : 'pass');
  const uri = `${proxy.address}/${randomUUID()}`;
  const failure = await failureOf(openRestCatalog({ name: 'n', uri, options: { credential: 'me:canary-secret' } }));
  expect([failure.code, failure.message]).toEqual([
    'CATALOG_UNAVAILABLE',
    expect.stringContaining('no token could be had: its answer is larger than 1048576 bytes'),
  ]);
});

/** A server of the test's own, which answers what it likes. */
async function serve(answer: RequestListener): Promise<string> {
  const hostile = createServer(answer);
  hostile.listen(0, '127.0.0.1');
  await once(hostile, 'listening');
  onTestFinished(() => {
    hostile.closeAllConnections();
    hostile.close();
  });
  return `http://127.0.0.1:${(hostile.address() as AddressInfo).port}`;
}

const isConfig = ({ url = '' }: IncomingMessage): boolean => url.startsWith('/v1/config');

test('an answer that is larger than 512 MiB is given up, and asked for once', async () => {
  const piece = Buffer.alloc(2 ** 20, ' ');
  let asked = 0;
  const uri = await serve((request, response) => {
    if (isConfig(request)) return void response.end('{}');
    asked += 1;
    Readable.from(Array.from({ length: 600 }, () => piece)).pipe(response);
  });
  const catalog = await openRestCatalog({ name: 'n', uri });
  const failure = await failureOf(catalog.listNamespaces());
  expect([failure.code, failure.message]).toEqual([
    'CATALOG_UNAVAILABLE',
    expect.stringContaining(`its answer is larger than ${512 * 2 ** 20} bytes`),
  ]);
  expect(asked).toBe(1);
});

test('a list without an end is given up', async () => {
  let pages = 0;
  const uri = await serve((_, response) => {
    pages += 1;
    response.end(`{"namespaces":[["n${pages}"]],"next-page-token":"${pages}"}`);
  });
  const client = new RestClient(uri, {}, SYSTEM_CLOCK);
  const server = { properties: new Map(), endpoints: new Set<string>(), keyLifetimeMs: undefined };
  // 100,000 pages unless said otherwise.
  const requests = new RestRequests('n', client, server, 20);
  const failure = await failureOf(
    requests.list('namespaces', ({ pageToken }) => `/v1/namespaces?pageToken=${pageToken}`),
  );
  expect([failure.code, failure.message, pages]).toEqual([
    'CATALOG_UNAVAILABLE',
    expect.stringContaining('its list has more than 20 pages'),
    20,
  ]);
});

test.each([
  [{ defaults: { prefix: 'default' } }, {}, 'default'],
  [{ defaults: { prefix: 'default' } }, { prefix: 'own' }, 'own'],
  [{ defaults: { prefix: 'default' }, overrides: { prefix: 'override' } }, { prefix: 'own' }, 'override'],
])(
  "what the server overrides comes before one's own options, and these before its defaults: %j and %j",
  async (config, options, prefix) => {
    const seen: string[] = [];
    const uri = await serve((request, response) => {
      seen.push(request.url ?? '');
      response.end(isConfig(request) ? JSON.stringify(config) : '{"namespaces":[]}');
    });
    await (await openRestCatalog({ name: 'n', uri, options })).listNamespaces();
    expect(seen[1]).toMatch(new RegExp(`^/v1/${prefix}/namespaces`));
  },
);

test.each([301, 302, 307, 308])(
  'a signer that redirects with %d is not followed: nobody else is told the token or the request',
  async (status) => {
    const uri = await serve((request, response) => {
      elsewhere.seen.length = 0;
      if (request.url !== '/v1/aws/s3/sign') return void response.end('{}');
      response.writeHead(status, { location: `${elsewhere.address}/v1/aws/s3/sign` }).end();
    });
    const client = new RestClient(uri, { token: 'canary-secret' }, SYSTEM_CLOCK);
    const config = { 's3.remote-signing-enabled': 'true', token: 'canary-secret-of-the-table' };
    const [grant] = grantedPrefixes({ config }, new Map(), client);
    const request = { method: 'GET', url: new URL('http://store.example.com/lake/x'), headers: {} };
    const failure = await failureOf(grant?.sign?.(request) ?? expect.unreachable());
    expect([failure.code, failure.message]).toEqual([
      'STORAGE_UNAVAILABLE',
      expect.stringMatching(/does not sign GET http:\/\/store\.example\.com\/lake\/x .*it redirects to .*not followed/),
    ]);
    expect(failure.message).not.toContain('canary-secret');
    expect(elsewhere.seen).toEqual([]);
  },
);

/** An error of a catalog, which repeats what it was sent. */
const refusing =
  (status: number) =>
  ({ headers, body }: SeenRequest) => ({
    status,
    body: JSON.stringify({
      error: { type: 'Refused', message: `${String(headers['authorization'])} ${body}`, code: status },
    }),
  });

test.each<[string, FaultyProxy['fateOf'], RegExp]>([
  ['credentials that it does not know', refusing(401), /Check token or credential\./],
  ['a scope that is missing', refusing(403), /Give the credentials the right to do this, or set another scope\./],
  [
    'another host',
    () => ({ status: 308, headers: { location: 'https://other.example' }, body: '' }),
    /it redirects to https:\/\/other\.example, which is not followed: set uri to it if you trust it/,
  ],
  [
    'an answer of something else',
    () => ({ status: 200, body: '<html>' }),
    /Check that uri is the address of a REST catalog\./,
  ],
])('doctor tells %s of a REST catalog, and the setting to change, before a run does', async (_, fate, remedy) => {
  proxy.fateOf = (seen) =>
    seen.path.endsWith('/oauth/tokens')
      ? { status: 200, body: '{"access_token":"canary-secret-token","token_type":"bearer","expires_in":60}' }
      : fate(seen);
  const project = temporaryFolder();
  const catalogs = { lake: { type: 'rest', uri: `${proxy.address}/x`, options: { credential: '${LAKE_CREDENTIAL}' } } };
  writeFileSync(join(project, 'moraine.yaml'), JSON.stringify({ catalogs, storage: { roots: [project] } }));
  const env = { LAKE_CREDENTIAL: 'me:canary-secret', NO_COLOR: '1' };
  const { code, stdout, stderr } = await moraine(['doctor'], { cwd: project, env });
  expect(code).not.toBe(0);
  const [, found = ''] = /fail +catalog lake: (.*)/.exec(stdout) ?? [];
  expect(found).toMatch(remedy);
  expect(stdout + stderr).not.toContain('canary-secret');
});
