/** A REST catalog whose answers would lead to other files, other tables and other servers. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { openRestCatalog, type TableIdentifier } from '../../catalogs/index.js';
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
