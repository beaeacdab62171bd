/** Options of stores, as they show in requests. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { type AddressInfo, createConnection } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';
import { proxiedFetch } from '../../../catalogs/proxied-fetch.js';
import { openStorage } from '../../../storage/index.js';
import { freePorts } from '../../../workers/server/free-ports.js';
import { failureOf } from '../../support/error-code.js';
import { projectRoot } from '../../support/paths.js';

const ROOT = 's3://lake/w';
const KEYS = { 's3.access-key-id': 'a', 's3.secret-access-key': 'canary-secret' };

interface Seen {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  readonly url: string;
}

interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** A server that remembers what it is asked, and answers each request alike. */
async function listener({ status = 200, headers = { etag: '"e"' }, body = '' }: Answer = {}) {
  const seen: Seen[] = [];
  const server = createServer((incoming, outgoing) => {
    seen.push({ method: incoming.method ?? '', headers: incoming.headers, url: incoming.url ?? '' });
    incoming.resume().on('end', () => outgoing.writeHead(status, headers).end(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { seen, endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

async function startProxy(): Promise<string> {
  const [port = 0] = await freePorts(1);
  const program = join(projectRoot, 'node_modules/proxy/dist/bin/proxy.js');
  const proxy: ChildProcess = spawn(process.execPath, [program, '--port', `${port}`], { stdio: 'ignore' });
  onTestFinished(async () => {
    const ended = once(proxy, 'exit');
    proxy.kill('SIGKILL');
    await ended;
  });
  for (;;) {
    const socket = createConnection(port, '127.0.0.1');
    const isOpen = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (isOpen) return `http://127.0.0.1:${port}`;
    await sleep(50);
  }
}

test('encryption is asked for where objects are made, and who pays is said with every request', async () => {
  const { seen, endpoint } = await listener();
  const options = { 's3.sse.type': 'kms', 's3.sse.key': 'arn:aws:kms:key', 's3.requester-pays': 'true' };
  const io = await openStorage({ roots: [ROOT], options: { ...KEYS, ...options, 's3.endpoint': endpoint } });
  await io.create(`${ROOT}/f`, new Uint8Array(1));
  await io.delete(`${ROOT}/f`).catch(() => undefined);
  expect(
    seen.map(({ method, headers }) => [
      method,
      headers['x-amz-server-side-encryption'],
      headers['x-amz-server-side-encryption-aws-kms-key-id'],
      headers['x-amz-request-payer'],
    ]),
  ).toEqual([
    ['PUT', 'aws:kms', 'arn:aws:kms:key', 'requester'],
    ['POST', undefined, undefined, 'requester'],
  ]);
  expect(seen[0]?.headers.authorization).toContain('x-amz-request-payer;x-amz-server-side-encryption');
});

test('nobody signs requests of s3.anonymous; the bucket is in the path or in the host', async () => {
  const { seen, endpoint } = await listener({ status: 404 });
  for (const isVirtual of ['true', 'false']) {
    const options = { 's3.anonymous': 'true', 's3.force-virtual-addressing': isVirtual };
    const at = { 's3.endpoint': 'http://store.test', 's3.proxy-uri': endpoint };
    const io = await openStorage({ roots: [ROOT], options: { ...options, ...at } });
    await failureOf(io.stat(`${ROOT}/f`));
  }
  expect(seen.map(({ headers }) => headers.authorization)).toEqual([undefined, undefined]);
  // As a proxy is asked.
  expect(seen.map(({ url }) => url)).toEqual(['http://lake.store.test/w/f', 'http://store.test/lake/w/f']);
});

test.each([
  [
    {
      status: 301,
      headers: { 'x-amz-bucket-region': 'eu-west-3' },
      body: '<Error><Code>PermanentRedirect</Code></Error>',
    },
    'the bucket is in the region eu-west-3. Set s3.region: eu-west-3.',
  ],
  [
    { status: 400, body: '<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-3</Region></Error>' },
    'the bucket is in the region eu-west-3. Set s3.region: eu-west-3.',
  ],
  [
    { status: 307, headers: { location: 'http://elsewhere.example/' } },
    'the bucket is in another region, or behind another endpoint. Set s3.region or s3.endpoint.',
  ],
  [
    { status: 403, body: '<Error><Code>RequestTimeTooSkewed</Code></Error>' },
    'the clock of this machine is wrong. Set it.',
  ],
  [
    { status: 403, body: '<Error><Code>InvalidAccessKeyId</Code></Error>' },
    'the access key is not known there. Correct s3.access-key-id or the credentials of the environment.',
  ],
  [{ status: 403, body: '<Error><Code>ExpiredToken</Code></Error>' }, 'the credentials have expired. Renew them.'],
  [
    { status: 501, body: '<Error><Code>NotImplemented</Code></Error>' },
    'the store does not implement this request. Creating files needs conditional writes (If-None-Match).',
  ],
])('an answer that a setting explains is an error that names it: %j', async (answer, reason) => {
  const { endpoint } = await listener(answer);
  const io = await openStorage({
    roots: [ROOT],
    options: { ...KEYS, 's3.endpoint': endpoint, 's3.region': 'us-east-1' },
  });
  const failure = await failureOf(io.create(`${ROOT}/f`, new Uint8Array(1)));
  expect(failure.code).toBe('STORAGE_UNAVAILABLE');
  expect(failure.message).toBe(`Cannot create "${ROOT}/f": ${reason}`);
  expect(JSON.stringify({ ...failure, message: failure.message })).not.toContain('canary-secret');
});

test.each([
  [{ 's3.endpoint': 'https://storage.googleapis.com' }, 's3.endpoint is that of Google Cloud Storage'],
  [{ 's3.sse.key': 'k' }, 's3.sse.key goes with s3.sse.type kms'],
  [{ 's3.secret-access-key': 'canary-secret' }, 's3.access-key-id is missing'],
])('options that would not do what they say are refused: %j', async (options, message) => {
  const failure = await failureOf(openStorage({ roots: [ROOT], options }));
  expect(failure.code).toBe('CONFIG_INVALID');
  expect(failure.message).toContain(message);
  expect(failure.message).not.toContain('canary-secret');
});

test('requests go through the proxy of the options, or of the environment unless that leaves the address out', async () => {
  const { seen, endpoint } = await listener();
  const proxy = await startProxy();
  const nowhere = 'http://127.0.0.1:1';
  const create = async (more: Readonly<Record<string, string>> = {}): Promise<void> => {
    const io = await openStorage({ roots: [ROOT], options: { ...KEYS, 's3.endpoint': endpoint, ...more } });
    await io.create(`${ROOT}/f`, new Uint8Array(1));
  };
  await create({ 's3.proxy-uri': proxy });
  expect(seen.map(({ headers }) => headers.via)).toEqual([expect.stringContaining('1.1')]);
  expect((await failureOf(create({ 's3.proxy-uri': nowhere }))).code).toBe('STORAGE_UNAVAILABLE');

  vi.stubEnv('HTTP_PROXY', nowhere);
  vi.stubEnv('http_proxy', nowhere);
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
  expect((await failureOf(create())).code).toBe('STORAGE_UNAVAILABLE');
  await expect(proxiedFetch(endpoint, {})).rejects.toThrow();
  vi.stubEnv('NO_PROXY', '127.0.0.1');
  vi.stubEnv('no_proxy', '127.0.0.1');
  await create();
  expect((await proxiedFetch(endpoint, {})).status).toBe(200);
  vi.stubEnv('NO_PROXY', '');
  vi.stubEnv('no_proxy', '');
  vi.stubEnv('HTTP_PROXY', proxy);
  vi.stubEnv('http_proxy', proxy);
  await create();
  expect((await proxiedFetch(endpoint, {})).status).toBe(200);
  expect(seen).toHaveLength(5);
});
