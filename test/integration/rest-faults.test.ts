/** What a REST catalog answers late, wrong or not at all, and what follows from it. Java's server stands behind a faulty proxy. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Catalog, openRestCatalog, type TableIdentifier } from '../../catalogs/index.js';
import type { Schema } from '../../iceberg/index.js';
import { freePorts } from '../../workers/server/free-ports.js';
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
const TABLE: TableIdentifier = { namespace: ['shop'], name: 'orders' };
const SECRET = 'canary-secret-of-the-tests';

async function open(options: Readonly<Record<string, string>> = {}, name: string = randomUUID()): Promise<Catalog> {
  return await openRestCatalog({ name: 'test', uri: `${proxy.address}/${name}`, options });
}

/** A catalog with a table in it. */
async function withTable(options: Readonly<Record<string, string>> = {}): Promise<Catalog> {
  proxy.fateOf = () => 'pass';
  const catalog = await open(options);
  await catalog.createNamespace(['shop']);
  await catalog.createTable(TABLE, { schema: SCHEMA });
  proxy.seen.length = 0;
  return catalog;
}

const set = (catalog: Catalog, value: string): Promise<unknown> =>
  catalog.commitTable(TABLE, {
    requirements: [],
    updates: [{ action: 'set-properties', updates: new Map([['p', value]]) }],
  });
const valueOf = async (catalog: Catalog): Promise<string | undefined> =>
  (await catalog.loadTable(TABLE)).metadata.properties.get('p');

const isCommit = ({ method, path }: SeenRequest): boolean => method === 'POST' && path.endsWith('/tables/orders');
const isLoad = ({ method, path }: SeenRequest): boolean => method === 'GET' && path.endsWith('/tables/orders');
const commits = (): number => proxy.seen.filter(isCommit).length;
const error = (status: number, message = 'told by the proxy', headers = {}): ProxyAnswer => ({
  status,
  headers,
  body: JSON.stringify({ error: { message, type: 'Exception', code: status } }),
});

/** What the server says of keys, as far as the proxy puts it into its answer. */
const remembering =
  (lifetime: string) =>
  (seen: SeenRequest): Fate | undefined =>
    /\/v1\/config/.test(seen.path)
      ? (answer) => ({ ...answer, body: answer.body.replace(/^\{/, `{"idempotency-key-lifetime":"${lifetime}",`) })
      : undefined;

describe('a server that remembers keys', () => {
  /** A catalog with a table; commits have these fates, one after the other, and pass afterwards. */
  async function withFates(lifetime: string, ...fates: readonly Fate[]) {
    const name = randomUUID();
    await withTableIn(name);
    proxy.fateOf = (seen) => remembering(lifetime)(seen) ?? 'pass';
    const catalog = await open({}, name);
    proxy.seen.length = 0;
    const left = [...fates];
    proxy.fateOf = (seen) => (isCommit(seen) ? (left.shift() ?? 'pass') : 'pass');
    return catalog;
  }
  const keys = (): readonly unknown[] => proxy.seen.filter(isCommit).map(({ headers }) => headers['idempotency-key']);
  async function withTableIn(name: string): Promise<void> {
    proxy.fateOf = () => 'pass';
    const catalog = await open({}, name);
    await catalog.createNamespace(['shop']);
    await catalog.createTable(TABLE, { schema: SCHEMA });
  }

  test('is sent a commit of unknown outcome again, under the same key, and says what became of it', async () => {
    const catalog = await withFates('PT30M');
    let kept: ProxyAnswer | undefined;
    // It is carried out, then the server is busy, then not there, then it tells the answer that it had given.
    const fates: readonly (() => Fate)[] = [
      () => (answer) => {
        kept = answer;
        return error(503);
      },
      () => error(429),
      () => 'drop',
      () => kept ?? error(500),
    ];
    let commit = 0;
    proxy.fateOf = (seen) => (isCommit(seen) ? (fates[commit++]?.() ?? 'pass') : 'pass');
    await set(catalog, 'a');
    const [first, ...others] = keys();
    expect(first).toMatch(/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
    expect(others).toEqual([first, first, first]);
    expect(await valueOf(catalog)).toBe('a');
    await set(catalog, 'b');
    expect(keys().at(-1)).not.toBe(first);
  });

  test('leaves an outcome unknown if it never says', async () => {
    const catalog = await withFates('PT30M', 'lose', error(401), error(403), error(500), error(429));
    expect(await rejectionCode(set(catalog, 'a'))).toBe('COMMIT_STATE_UNKNOWN');
    expect([keys().length, await valueOf(catalog)]).toEqual([5, 'a']);
  });

  test('is not sent anything again once it has forgotten, or after a refusal', async () => {
    const forgetful = await withFates('PT0S', 'drop');
    expect(await rejectionCode(set(forgetful, 'a'))).toBe('COMMIT_STATE_UNKNOWN');
    expect(keys()).toHaveLength(1);
    const busy = await withFates('PT1H', error(429));
    expect(await rejectionCode(set(busy, 'a'))).toBe('CATALOG_UNAVAILABLE');
    expect(keys()).toHaveLength(1);
  });

  test('is sent no keys if it does not say so, or not for how long', async () => {
    for (const lifetime of ['', 'half an hour', 'P1Y']) {
      const catalog = await withFates(lifetime, 'drop');
      expect(await rejectionCode(set(catalog, 'a'))).toBe('COMMIT_STATE_UNKNOWN');
      expect(keys()).toEqual([undefined]);
    }
  });
});

describe('a commit', () => {
  test.each([
    [500, {}],
    [502, {}],
    [503, {}],
    [503, { 'retry-after': '1' }],
    [504, {}],
  ])(
    'that is answered with %d %o is of unknown outcome, applied or not, and is not sent again',
    async (status, headers) => {
      const catalog = await withTable();
      proxy.fateOf = (seen) => (isCommit(seen) ? error(status, 'busy', headers) : 'pass');
      expect(await rejectionCode(set(catalog, 'a'))).toBe('COMMIT_STATE_UNKNOWN');
      expect([commits(), await valueOf(catalog)]).toEqual([1, undefined]);
      proxy.fateOf = (seen) => (isCommit(seen) ? () => error(status, 'busy', headers) : 'pass');
      expect(await rejectionCode(set(catalog, 'b'))).toBe('COMMIT_STATE_UNKNOWN');
      expect([commits(), await valueOf(catalog)]).toEqual([2, 'b']);
    },
  );

  test('whose answer is lost, or which is lost itself, is of unknown outcome, and is not sent again', async () => {
    const catalog = await withTable();
    proxy.fateOf = (seen) => (isCommit(seen) ? 'lose' : 'pass');
    expect(await rejectionCode(set(catalog, 'a'))).toBe('COMMIT_STATE_UNKNOWN');
    expect([commits(), await valueOf(catalog)]).toEqual([1, 'a']);
    proxy.fateOf = (seen) => (isCommit(seen) ? 'drop' : 'pass');
    expect(await rejectionCode(set(catalog, 'b'))).toBe('COMMIT_STATE_UNKNOWN');
    expect([commits(), await valueOf(catalog)]).toEqual([2, 'a']);
  });

  test.each([
    ['cut', (text: string) => text.slice(0, -100)],
    ['of another kind', () => '<html>welcome</html>'],
    ['without metadata', () => '{}'],
    ['of a table that cannot be read', (text: string) => text.replace('"format-version":2', '"format-version":9')],
  ])('whose answer is %s has landed for all that is known', async (_, change) => {
    const catalog = await withTable();
    proxy.fateOf = (seen) => (isCommit(seen) ? (answer) => ({ ...answer, body: change(answer.body) }) : 'pass');
    expect(await rejectionCode(set(catalog, 'a'))).toBe('COMMIT_STATE_UNKNOWN');
    proxy.fateOf = () => 'pass';
    expect([commits(), await valueOf(catalog)]).toEqual([1, 'a']);
  });

  test('that the server is too busy for, or may not take, has not landed', async () => {
    const catalog = await withTable();
    for (const status of [429, 403, 404]) {
      proxy.fateOf = (seen) => (isCommit(seen) ? error(status) : 'pass');
      expect(await rejectionCode(set(catalog, 'a'))).toBe(status === 404 ? 'TABLE_NOT_FOUND' : 'CATALOG_UNAVAILABLE');
    }
    expect([commits(), await valueOf(catalog)]).toEqual([3, undefined]);
  });

  test('that a proxy answers with its own 404 says nothing of the table', async () => {
    const catalog = await withTable();
    proxy.fateOf = (seen) => (isCommit(seen) ? { status: 404, body: 'no such site' } : 'pass');
    expect(await rejectionCode(set(catalog, 'a'))).toBe('CATALOG_UNAVAILABLE');
    expect(await rejectionCode(set(await openRestCatalog({ name: 'n', uri: `${proxy.address}/x` }), 'a'))).toBe(
      'CATALOG_UNAVAILABLE',
    );
  });

  test('a web page in the place of an answer without a body says nothing of tables, views and what was done', async () => {
    const catalog = await withTable();
    const page = (status: number): Fate => ({ status, headers: { 'content-type': 'text/html' }, body: '<html>' });
    const missing = { ...TABLE, name: 'missing' };
    for (const status of [200, 404]) {
      proxy.fateOf = ({ method }) => (method === 'HEAD' ? page(status) : 'pass');
      const failure = await failureOf(catalog.loadTable(missing));
      expect([failure.code, failure.message]).toEqual([
        'CATALOG_UNAVAILABLE',
        expect.stringContaining('a web page came in place of its answer; check uri and proxies'),
      ]);
      expect(await rejectionCode(catalog.tableExists(TABLE))).toBe('CATALOG_UNAVAILABLE');
    }
    proxy.fateOf = ({ method }) => (method === 'DELETE' ? page(200) : 'pass');
    expect(await rejectionCode(catalog.dropTable(TABLE))).toBe('COMMIT_STATE_UNKNOWN');
    proxy.fateOf = () => 'pass';
    expect([await catalog.tableExists(TABLE), await catalog.tableExists(missing)]).toEqual([true, false]);
  });

  test('that is refused says which requirement does not hold, whatever the status', async () => {
    const catalog = await withTable();
    const { metadata } = await catalog.loadTable(TABLE);
    const commit = (requirement: object) =>
      catalog.commitTable(TABLE, {
        requirements: [requirement as never],
        updates: [{ action: 'set-properties', updates: new Map([['p', 'a']]) }],
      });
    for (const fate of ['pass', error(409), error(400)] as const) {
      proxy.fateOf = (seen) => (isCommit(seen) ? fate : 'pass');
      expect(await rejectionCode(commit({ type: 'assert-table-uuid', uuid: randomUUID() }))).toBe('TABLE_REPLACED');
      const moved = await failureOf(commit({ type: 'assert-ref-snapshot-id', ref: 'main', snapshotId: 7n }));
      expect([moved.code, moved.message]).toEqual([
        'COMMIT_CONFLICT',
        "The table changed since the commit was prepared: ref 'main' is not set, the commit requires 7.",
      ]);
    }
    proxy.fateOf = (seen) => (isCommit(seen) ? error(400, 'Unknown update') : 'pass');
    const unknown = await failureOf(commit({ type: 'assert-table-uuid', uuid: metadata.tableUuid }));
    expect([unknown.code, unknown.message]).toEqual([
      'INVALID_ARGUMENT',
      'Table test/shop.orders: the REST catalog refused the commit: it answered 400 Exception: Unknown update.',
    ]);
  });
});

describe('a read', () => {
  test('is repeated while the server is busy or lost, and waits as long as it asks', async () => {
    const catalog = await withTable();
    const fates = [error(429, 'later', { 'retry-after': '1' }), error(503), 'drop', 'lose'] as const;
    let asked = 0;
    proxy.fateOf = (seen) => (isLoad(seen) ? (fates[asked++] ?? 'pass') : 'pass');
    const began = performance.now();
    expect((await catalog.loadTable(TABLE)).identifier).toEqual(TABLE);
    expect(asked).toBe(5);
    expect(performance.now() - began).toBeGreaterThan(950);
  });

  test('ends with an error once it was repeated often enough, at once where that cannot help, and soon where the wait is long', async () => {
    const catalog = await withTable();
    for (const [fate, tries] of [
      [error(503), 5],
      [error(500), 1],
      [error(403), 1],
      [error(429, 'later', { 'retry-after': '3600' }), 1],
    ] as const) {
      let asked = 0;
      proxy.fateOf = (seen) => {
        if (isLoad(seen)) asked += 1;
        return isLoad(seen) ? fate : 'pass';
      };
      expect([await rejectionCode(catalog.loadTable(TABLE)), asked]).toEqual(['CATALOG_UNAVAILABLE', tries]);
    }
  });

  test('does not follow redirects', async () => {
    const catalog = await withTable();
    proxy.fateOf = (seen) =>
      isLoad(seen) ? { status: 307, headers: { location: 'http://127.0.0.1:1/x' }, body: '' } : 'pass';
    const failure = await failureOf(catalog.loadTable(TABLE));
    expect(failure.code).toBe('CATALOG_UNAVAILABLE');
    expect(failure.message).toContain(
      'it redirects to http://127.0.0.1:1/x, which is not followed: set uri to it if you trust it',
    );
  });

  test('takes no nonsense for an empty list or a table', async () => {
    const catalog = await withTable();
    for (const body of ['{}', '[]', 'x', '{"identifiers":{}}']) {
      proxy.fateOf = () => ({ status: 200, body });
      expect(await rejectionCode(catalog.listTables(['shop'])), body).toBe('CATALOG_UNAVAILABLE');
      expect(await rejectionCode(catalog.loadTable(TABLE)), body).toBe('CATALOG_UNAVAILABLE');
    }
    proxy.fateOf = (seen) =>
      isLoad(seen)
        ? (answer) => ({ ...answer, body: answer.body.replace(/"metadata-location":"[^"]*",/, '') })
        : 'pass';
    expect(
      (await failureOf((await open({}, new URL(catalog.id).pathname.slice(1).split('#')[0])).loadTable(TABLE))).message,
    ).toContain('has no metadata-location');
  });

  test('of lists goes on through all pages', async () => {
    const catalog = await withTable();
    proxy.fateOf = ({ path }) => {
      if (!path.includes('/tables?')) return 'pass';
      const token = new URL(path, 'http://h').searchParams.get('pageToken');
      const name = token === '' ? 'first' : `after ${token}`;
      const next = token === '' ? "a b&'c" : null;
      return {
        status: 200,
        body: JSON.stringify({ identifiers: [{ namespace: ['shop'], name }], 'next-page-token': next }),
      };
    };
    expect((await catalog.listTables(['shop'])).map(({ name }) => name)).toEqual(['first', "after a b&'c"]);
  });

  test('of a table that did not change is answered without it, where the server has entity tags', async () => {
    const catalog = await withTable();
    const tagged = (seen: SeenRequest) => (answer: ProxyAnswer) => {
      const etag = `"${/"metadata-location":"([^"]*)"/.exec(answer.body)?.[1] ?? ''}"`;
      if (seen.headers['if-none-match'] === etag) return { status: 304, headers: { etag }, body: '' };
      return { ...answer, headers: { ...answer.headers, etag } };
    };
    proxy.fateOf = (seen) => (isLoad(seen) ? tagged(seen) : 'pass');
    const first = await catalog.loadTable(TABLE);
    expect(await catalog.loadTable(TABLE)).toBe(first);
    const other = await open({}, new URL(catalog.id).pathname.slice(1));
    await set(other, 'a');
    expect(await valueOf(catalog)).toBe('a');
  });
});

describe('the server', () => {
  const configOf = (config: object) => (seen: SeenRequest) =>
    seen.path.includes('/v1/config')
      ? { status: 200, body: JSON.stringify({ defaults: {}, overrides: {}, ...config }) }
      : ('pass' as const);

  test('may not send to another host, for itself or for tokens, that was not configured', async () => {
    for (const name of ['uri', 'oauth2-server-uri']) {
      proxy.fateOf = configOf({ overrides: { [name]: 'http://169.254.169.254/latest' } });
      const failure = await failureOf(open());
      expect([failure.code, failure.message]).toEqual([
        'CONFIG_INVALID',
        expect.stringContaining(
          `says that ${name} is "http://169.254.169.254/latest", another host. Set ${name} to it if you trust it.`,
        ),
      ]);
    }
    proxy.fateOf = configOf({ overrides: { prefix: '../admin' } });
    expect(await rejectionCode(open())).toBe('CONFIG_INVALID');
  });

  test('is asked only for what it lists', async () => {
    const name = randomUUID();
    proxy.fateOf = configOf({ endpoints: ['GET /v1/{prefix}/namespaces/{namespace}'] });
    const catalog = await open({}, name);
    proxy.seen.length = 0;
    expect(await catalog.namespaceExists(['none'])).toBe(false);
    expect(proxy.seen.map(({ method }) => method)).toEqual(['GET']);
    expect(await rejectionCode(catalog.registerTable(TABLE, '/x'))).toBe('UNSUPPORTED_FEATURE');
    expect(await rejectionCode(catalog.renameTable(TABLE, TABLE))).toBe('UNSUPPORTED_FEATURE');
    expect(proxy.seen).toHaveLength(1);
  });

  test('has a prefix and a separator of namespaces of its own', async () => {
    proxy.fateOf = configOf({ overrides: { prefix: 'main%7Cx', 'namespace-separator': '%2E' } });
    const catalog = await open();
    proxy.fateOf = () => ({ status: 200, body: '{"identifiers":[]}' });
    proxy.seen.length = 0;
    await catalog.listTables(['a', 'b/c']);
    expect(proxy.seen.map(({ path }) => path.slice(37))).toEqual([
      '/v1/main%7Cx/namespaces/a%2Eb%2Fc/tables?pageToken=',
    ]);
    expect(await rejectionCode(catalog.listTables(['a.b']))).toBe('INVALID_ARGUMENT');
  });

  test('that is not there is named, with the setting to change', async () => {
    const [port] = await freePorts(1);
    const failure = await failureOf(openRestCatalog({ name: 'n', uri: `http://127.0.0.1:${port}/x` }));
    expect([failure.code, failure.message]).toEqual([
      'CATALOG_UNAVAILABLE',
      expect.stringMatching(
        /^The REST catalog http:\/\/127\.0\.0\.1:\d+\/x: .*ECONNREFUSED.*\. Check uri and the network\.$/,
      ),
    ]);
    for (const uri of ['x', 'ftp://h', 'http://u:p@h', 'http://h?a']) {
      expect(await rejectionCode(openRestCatalog({ name: 'n', uri })), uri).toBe('CONFIG_INVALID');
    }
  });
});

describe('tokens', () => {
  /** Answers requests for tokens with numbered ones, and refuses other requests without the newest. */
  const tokens = (lasts: number) => {
    const given: string[] = [];
    const asked: URLSearchParams[] = [];
    proxy.fateOf = ({ path, headers, body }) => {
      if (path.endsWith('/oauth/tokens')) {
        asked.push(new URLSearchParams(body));
        given.push(`token-${given.length + 1}-${SECRET}`);
        return {
          status: 200,
          body: JSON.stringify({ access_token: given.at(-1), token_type: 'bearer', expires_in: lasts }),
        };
      }
      if (headers.authorization === `Bearer ${given.at(-1)}`) return 'pass';
      return error(419, `the token ${String(headers.authorization)} has expired`);
    };
    return { given, asked };
  };

  test('are had for a credential, once for all who wait, and replaced before they expire', async () => {
    const name = randomUUID();
    await open({}, name);
    const { given, asked } = tokens(2);
    const catalog = await open({ credential: `me:${SECRET}`, scope: 'all' }, name);
    await Promise.all([catalog.listNamespaces(), catalog.listNamespaces(), catalog.listNamespaces()]);
    expect(given).toHaveLength(1);
    expect(Object.fromEntries(asked[0] ?? [])).toEqual({
      grant_type: 'client_credentials',
      client_id: 'me',
      client_secret: SECRET,
      scope: 'all',
    });
    await new Promise((resolve) => setTimeout(resolve, 1700));
    await Promise.all([catalog.listNamespaces(), catalog.listNamespaces()]);
    expect(given).toHaveLength(2);
  });

  test('that the server does not accept any more are replaced once, also for a commit, which was not looked at', async () => {
    const { given } = tokens(3600);
    const name = randomUUID();
    const catalog = await open({ credential: SECRET }, name);
    await catalog.createNamespace(['shop']);
    await catalog.createTable(TABLE, { schema: SCHEMA });
    given.push('a newer one');
    proxy.seen.length = 0;
    await set(catalog, 'a');
    expect([commits(), given.length, await valueOf(catalog)]).toEqual([2, 3, 'a']);
    proxy.fateOf = ({ path }) =>
      path.endsWith('/oauth/tokens') ? error(401, `no client ${SECRET}`) : error(401, `no ${SECRET}`);
    proxy.seen.length = 0;
    const failure = await failureOf(set(catalog, 'b'));
    expect(failure.code).toBe('CATALOG_UNAVAILABLE');
    expect(failure.message).toContain('no token could be had: it answered 401 Exception: no client ***');
    expect(failure.message).toContain('Check token or credential.');
    expect(proxy.seen).toHaveLength(2);
  });

  test('that are refused as OAuth2 says it are no matter of the table, and those that were replaced are shown to nobody', async () => {
    const { given } = tokens(3600);
    const catalog = await open({ credential: `me:${SECRET}` });
    const [first = ''] = given;
    const refusal = { error: 'invalid_client', error_description: `${SECRET} is not known` };
    proxy.fateOf = ({ path }) =>
      path.endsWith('/oauth/tokens') ? { status: 400, body: JSON.stringify(refusal) } : error(419, `no ${first}`);
    const failure = await failureOf(set(catalog, 'a'));
    expect([failure.code, failure.message]).toEqual([
      'CATALOG_UNAVAILABLE',
      expect.stringMatching(
        /no token could be had: it answered 400 invalid_client: \*\*\* is not known\. Check token or credential\.$/,
      ),
    ]);
    const fresh = tokens(3600);
    await catalog.listNamespaces();
    proxy.fateOf = () => error(403, `neither ${first} nor ${fresh.given[0]}`);
    expect((await failureOf(catalog.listNamespaces())).message).toContain('neither *** nor ***');
  });

  test('that are given are used as they are, or exchanged where they say when they expire', async () => {
    const { given, asked } = tokens(3600);
    given.push(SECRET);
    const name = randomUUID();
    expect(await (await open({ token: SECRET }, name)).listNamespaces()).toEqual([]);
    const claims = Buffer.from(JSON.stringify({ exp: Math.floor(Date.now() / 1000) + 30 })).toString('base64url');
    const old = `header.${claims}.${SECRET}`;
    expect(await (await open({ token: old }, name)).listNamespaces()).toEqual([]);
    expect(Object.fromEntries(asked[0] ?? [])).toEqual({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: old,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      scope: 'catalog',
    });
    const refused = await failureOf(open({ token: old, 'token-refresh-enabled': 'false' }, name));
    expect([refused.code, refused.message]).toEqual(['CATALOG_UNAVAILABLE', expect.not.stringContaining(SECRET)]);
  });

  test('and headers that are configured go with every request', async () => {
    proxy.fateOf = () => 'pass';
    proxy.seen.length = 0;
    await (await open({ 'header.X-Project': 'moraine' })).listNamespaces();
    expect(proxy.seen.map(({ headers }) => headers['x-project'])).toEqual(['moraine', 'moraine']);
    expect(proxy.seen.map(({ headers }) => headers.authorization)).toEqual([undefined, undefined]);
  });
});
