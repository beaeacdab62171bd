/** What `moraine doctor` says of catalogs and stores that cannot be used: what is wrong, and the setting to change. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type CheckResult, checkPlaces } from '../../cli/doctor-checks.js';
import { openProject } from '../../project/index.js';
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.js';
import { type GlueServer, startGlue } from '../support/glue-server.js';
import { PASSWORD, type PostgresServer, startPostgres } from '../support/postgres-server.js';
import { type S3Server, startS3Server } from '../support/s3-server.js';
import { temporaryFolder } from '../support/temp-folder.js';

const NOWHERE = 'http://127.0.0.1:1';
let store: S3Server;
let glue: GlueServer;
let postgres: PostgresServer;
let database: string;
/** In front of the store, of Glue, and of nothing, as a REST catalog. */
let storeProxy: FaultyProxy;
let glueProxy: FaultyProxy;
let rest: FaultyProxy;
/** Answers every request with a page for people. */
let page: string;
const pages = createServer((_, response) => void response.end('<html>Welcome.</html>'));

beforeAll(async () => {
  [store, postgres] = await Promise.all([startS3Server(), startPostgres()]);
  await store.makeBucket('lake');
  glue = await startGlue(store);
  database = await postgres.makeDatabase();
  [storeProxy, glueProxy, rest] = await Promise.all([
    startFaultyProxy(store.endpoint),
    startFaultyProxy(glue.endpoint),
    startFaultyProxy(NOWHERE),
  ]);
  pages.listen(0, '127.0.0.1');
  await once(pages, 'listening');
  page = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
});
beforeEach(() => {
  for (const proxy of [storeProxy, glueProxy, rest]) proxy.fateOf = () => 'pass';
});
afterAll(async () => {
  pages.closeAllConnections();
  pages.close();
  await Promise.all([storeProxy, glueProxy, rest].map((each) => each.close()));
  await glue.close();
  await Promise.all([store.close(), postgres.close()]);
});

const SECRETS = [PASSWORD, 'canary-secret-of-the-tests'] as const;

/** The check of a catalog or a root, in a project of this configuration. */
async function found(name: string, config: object): Promise<CheckResult> {
  const project = await openProject({ config, cwd: temporaryFolder() });
  try {
    const checks = await checkPlaces(project);
    for (const secret of SECRETS) expect(JSON.stringify(checks)).not.toContain(secret);
    return checks.find((check) => check.name === name) ?? expect.fail(JSON.stringify(checks));
  } finally {
    await project.close();
  }
}

type FateOf = FaultyProxy['fateOf'];
type Case = [title: string, settings: () => object, detail: RegExp, fateOf?: FateOf];

describe.each<readonly [string, readonly Case[]]>([
  [
    'PostgreSQL',
    [
      [
        'nobody listens',
        () => onPostgres({ host: '127.0.0.1:1' }),
        /ECONNREFUSED.*; check the host and port of uri, and the network\./,
      ],
      [
        'the password is wrong',
        () => onPostgres({ password: 'wrong' }),
        /password authentication failed .*; correct the user and password of uri\./,
      ],
      [
        'the database does not exist',
        () => onPostgres({ path: '/absent' }),
        /database "absent" does not exist; create it, or correct uri\./,
      ],
      [
        'something else listens',
        () => onPostgres({ host: new URL(page).host }),
        /; check that uri is the address of PostgreSQL\./,
      ],
    ],
  ],
  [
    'Glue',
    [
      ['nobody listens', () => onGlue(NOWHERE), /Check glue\.endpoint and the network\./],
      [
        'the access key is not known',
        () => onGlue(glueProxy.address),
        /Correct glue\.access-key-id/,
        refusing('UnrecognizedClientException'),
      ],
      [
        'the secret or the clock is wrong',
        () => onGlue(glueProxy.address),
        /Correct glue\.secret-access-key, glue\.region or the clock/,
        refusing('InvalidSignatureException'),
      ],
      [
        'the policy does not allow it',
        () => onGlue(glueProxy.address),
        /Allow the action in the policy/,
        refusing('AccessDeniedException'),
      ],
      [
        'something else answers',
        () => onGlue(page),
        /its answer is not one of Glue \(HTTP 200\)\. Check glue\.endpoint, and the proxies on the way\./,
      ],
      [
        'it redirects',
        () => onGlue(glueProxy.address),
        /its answer is not one of Glue \(HTTP 307\)\. Check glue\.endpoint/,
        () => ({ status: 307, headers: { location: page }, body: '' }),
      ],
    ],
  ],
  [
    'Hive',
    [
      [
        'nobody listens',
        () => onHive('127.0.0.1:1'),
        /nothing answers at 127\.0\.0\.1:1\. Check uri and the network\./,
      ],
      [
        'something else answers',
        () => onHive(new URL(page).host),
        /Check that uri is the address of a metastore, which must take connections without TLS and Kerberos\./,
      ],
    ],
  ],
  [
    'a REST catalog',
    [
      ['nobody listens', () => onRest('http://127.0.0.1:2'), /ECONNREFUSED.*Check uri and the network\./],
      [
        'another clock refuses a signature',
        () => onRest(rest.address, SIGNED),
        /Signature expired.*\. The clock of this machine is (3599|3600) seconds behind the server's: set it\.$/,
        skewed,
      ],
      ['something else answers', () => onRest(page), /Check that uri is the address of a REST catalog\./],
    ],
  ],
])('%s as a catalog is reported when', (_, cases) => {
  test.each<Case>(cases)('%s', async (_case, catalog, detail, fateOf) => {
    for (const proxy of [glueProxy, rest]) proxy.fateOf = fateOf ?? (() => 'pass');
    const check = await found('catalog lake', { catalogs: { lake: catalog() }, storage: { roots: ['w'] } });
    expect(check).toMatchObject({ status: 'fail', code: 'CATALOG_UNAVAILABLE' });
    expect(check.detail).toMatch(detail);
  });
});

test.each<Case>([
  ['nobody listens', () => ({ 's3.endpoint': NOWHERE }), /nothing listens at the endpoint\. Correct s3\.endpoint/],
  [
    'its bucket does not exist',
    () => ({ 's3.endpoint': store.endpoint }),
    /the bucket does not exist\. Make it, or correct the location\./,
  ],
  ['something else answers', () => ({ 's3.endpoint': page }), /is not that of an object store\. Correct s3\.endpoint/],
  [
    'the access key is not known',
    () => ({}),
    /Correct s3\.access-key-id or the credentials of the environment\./,
    denied(403, 'InvalidAccessKeyId'),
  ],
  [
    'the secret is wrong',
    () => ({}),
    /Correct s3\.secret-access-key or the credentials of the environment\./,
    denied(403, 'SignatureDoesNotMatch'),
  ],
  [
    'the policy does not allow it',
    () => ({}),
    /Allow the action in the policy of these credentials\./,
    denied(403, 'AccessDenied'),
  ],
  [
    'the clock is wrong',
    () => ({}),
    /the clock of this machine is wrong\. Set it\./,
    denied(403, 'RequestTimeTooSkewed'),
  ],
  [
    'the region is wrong',
    () => ({}),
    /the bucket is in the region eu-west-1\. Set s3\.region: eu-west-1\./,
    denied(301, 'PermanentRedirect', { 'x-amz-bucket-region': 'eu-west-1' }),
  ],
  [
    'it redirects to another host',
    () => ({}),
    /Set s3\.region or s3\.endpoint\./,
    () => ({ status: 307, headers: { location: page }, body: '' }),
  ],
  [
    'it has no conditional writes, and says so',
    () => ({}),
    /Creating files needs conditional writes \(If-None-Match\)\./,
    denied(501, 'NotImplemented'),
  ],
])('a store is reported when %s', async (_, options, detail, fateOf) => {
  storeProxy.fateOf = fateOf ?? (() => 'pass');
  const root = 's3://absent/w';
  const keys = { 's3.endpoint': storeProxy.address, 's3.access-key-id': 'a', 's3.secret-access-key': SECRETS[1] };
  const check = await found(`storage ${root}`, {
    catalogs: { lake: { type: 'memory', warehouse: root } },
    storage: { options: { ...keys, ...options() } },
  });
  expect(check).toMatchObject({ status: 'fail', code: 'STORAGE_UNAVAILABLE' });
  expect(check.detail).toMatch(detail);
});

function onPostgres(change: { readonly host?: string; readonly password?: string; readonly path?: string }): object {
  const uri = new URL(database);
  const { host = uri.host, password = uri.password, path = uri.pathname } = change;
  return { type: 'sql', uri: `postgresql://${uri.username}:${password}@${host}${path}`, warehouse: 'w' };
}

function onGlue(endpoint: string): object {
  const keys = { 'glue.access-key-id': 'a', 'glue.secret-access-key': SECRETS[1] };
  return { type: 'glue', warehouse: 'w', options: { 'glue.endpoint': endpoint, 'glue.region': 'us-east-1', ...keys } };
}

function onHive(host: string): object {
  return { type: 'hive', uri: `thrift://${host}`, warehouse: 'w' };
}

const SIGNED = {
  'rest.sigv4-enabled': true,
  'rest.signing-region': 'eu-west-1',
  'rest.access-key-id': 'a',
  'rest.secret-access-key': SECRETS[1],
};

function onRest(uri: string, options: object = {}): object {
  return { type: 'rest', uri, options };
}

/** Glue's error of this name. */
function refusing(name: string): FateOf {
  const body = JSON.stringify({ __type: name, Message: 'told by the proxy' });
  return () => ({ status: 400, headers: { 'content-type': 'application/x-amz-json-1.1' }, body });
}

/** An error of a store. */
function denied(status: number, code: string, headers: Readonly<Record<string, string>> = {}): FateOf {
  const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>told by the proxy</Message></Error>`;
  return () => ({ status, headers: { 'content-type': 'application/xml', ...headers }, body });
}

/** What AWS says to a signature of an hour ago, by its own clock. */
function skewed(): ReturnType<FateOf> {
  const headers = { date: new Date(Date.now() + 3_600_000).toUTCString() };
  const message = 'Signature expired: 20260101T000000Z is now earlier than 20260101T005500Z';
  return { status: 403, headers, body: JSON.stringify({ error: { type: 'ForbiddenException', message, code: 403 } }) };
}
