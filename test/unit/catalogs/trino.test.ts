/** Trino's client protocol, its options, and which metadata file is the newest; against Trino itself: test/servers/trino.test.ts. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { SYSTEM_CLOCK } from '../../../catalogs/index.js';
import { newestOfLog } from '../../../catalogs/trino/metadata-log.js';
import { TrinoClient, TrinoFailure } from '../../../catalogs/trino/trino-client.js';
import { trinoIdentity, trinoPlace } from '../../../catalogs/trino/trino-options.js';
import type { TableMetadata } from '../../../iceberg/index.js';
import { makeCertificate } from '../../support/certificate.js';
import { errorOf } from '../../support/error-code.js';
import { temporaryFolder } from '../../support/temp-folder.js';

interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

/** A server that gives these answers, one after another, and then empty ones; `HERE` in them is its address. */
async function serve(...answers: readonly Answer[]) {
  const seen: { readonly line: string; readonly headers: IncomingMessage['headers'] }[] = [];
  const server = createServer((request, response) => {
    seen.push({ line: `${request.method} ${request.url}`, headers: request.headers });
    const { status = 200, headers = {}, body } = answers[seen.length - 1] ?? { status: 204, body: '' };
    response.writeHead(status, headers).end(body.replaceAll('HERE', address));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const client = (options = {}) => new TrinoClient(trinoPlace(`${address}/lake`), options, SYSTEM_CLOCK);
  return { seen, address, client };
}

async function rowsOf(client: TrinoClient): Promise<unknown[]> {
  const rows = [];
  for await (const row of client.query('SELECT 1')) rows.push(row);
  return rows;
}

async function failureOf(client: TrinoClient): Promise<TrinoFailure> {
  const error = await rowsOf(client).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(TrinoFailure);
  return error as TrinoFailure;
}

describe('a query', () => {
  test('follows its pages, and its whole numbers are exact', async () => {
    const { client, seen } = await serve(
      { body: '{"id":"q","nextUri":"HERE/v1/statement/queued/q/1"}' },
      { body: '{"nextUri":"HERE/v1/statement/executing/q/2","data":[[9007199254740993,"a"]]}' },
      { body: '{"data":[[-9223372036854775808,null]]}' },
    );
    expect(await rowsOf(client({ 'trino.user': 'ada', 'header.X-Trino-Role': 'lake=ROLE{reader}' }))).toEqual([
      [9007199254740993n, 'a'],
      [-9223372036854775808n, null],
    ]);
    expect(seen.map(({ line }) => line)).toEqual([
      'POST /v1/statement',
      'GET /v1/statement/queued/q/1',
      'GET /v1/statement/executing/q/2',
    ]);
    for (const { headers } of seen)
      expect(headers).toMatchObject({
        'x-trino-user': 'ada',
        'x-trino-catalog': 'lake',
        'x-trino-role': 'lake=ROLE{reader}',
      });
  });

  test('is asked again while the server is busy, after the wait that it asks for', async () => {
    const { client, seen } = await serve(
      { status: 503, body: '' },
      { status: 429, headers: { 'retry-after': '0' }, body: '' },
      { body: '{"nextUri":"HERE/v1/statement/executing/q/1"}' },
      { status: 502, body: '' },
      { body: '{"data":[[1]]}' },
    );
    expect(await rowsOf(client())).toEqual([[1]]);
    expect(seen).toHaveLength(5);
    const long = await serve({ status: 429, headers: { 'retry-after': '3600' }, body: 'later' });
    expect((await failureOf(long.client())).status).toBe(429);
    expect(long.seen).toHaveLength(1);
  });

  /** A clock in which time passes by waits alone. */
  function waitingClock() {
    const waits: number[] = [];
    const sleep = (ms: number): Promise<void> => {
      waits.push(ms);
      return Promise.resolve();
    };
    const waitedMs = (): number => waits.reduce((sum, ms) => sum + ms, 0);
    return { waits, waitedMs, clock: { ...SYSTEM_CLOCK, sleep, monotonicMs: waitedMs, random: () => 1 } };
  }

  test('that runs is asked for its next page for two minutes, with longer and longer waits, and is sent once', async () => {
    const { waits, waitedMs, clock } = waitingClock();
    const busy = (count: number) => Array.from({ length: count }, () => ({ status: 503, body: 'away' }));
    const began = { body: '{"id":"q","nextUri":"HERE/v1/statement/executing/q/1"}' };
    const { address, seen } = await serve(began, ...busy(20), { body: '{"id":"q","updateCount":9007199254740993}' });
    const client = new TrinoClient(trinoPlace(`${address}/lake`), {}, clock);
    expect(await client.write('INSERT')).toEqual({ queryId: 'q', rows: 9007199254740993n });
    expect(waits).toEqual([50, 100, 200, 400, 800, 1600, 3200, ...Array.from({ length: 13 }, () => 5000)]);
    expect(seen.map(({ line }) => line)).toEqual([
      'POST /v1/statement',
      ...Array.from({ length: 21 }, () => 'GET /v1/statement/executing/q/1'),
    ]);

    const gone = await serve(began, ...busy(100));
    const waiting = waitingClock();
    const other = new TrinoClient(trinoPlace(`${gone.address}/lake`), {}, waiting.clock);
    expect(await other.write('INSERT').catch((error: unknown) => error)).toMatchObject({ status: 503 });
    expect(waiting.waitedMs()).toBe(121_350);
    expect(gone.seen.at(-1)?.line).toBe('DELETE /v1/statement/executing/q/1');
    expect(waitedMs()).toBe(71_350);

    const later = (seconds: number) => ({ status: 503, headers: { 'retry-after': `${seconds}` }, body: '' });
    const told = await serve(began, later(60), later(60));
    const patient = waitingClock();
    const third = new TrinoClient(trinoPlace(`${told.address}/lake`), {}, patient.clock);
    expect(await third.write('INSERT').catch((error: unknown) => error)).toMatchObject({ status: 503 });
    expect(patient.waits).toEqual([60_000]);

    const refused = await serve(...busy(1));
    expect(
      await refused
        .client()
        .write('INSERT')
        .catch((error: unknown) => error),
    ).toMatchObject({ status: 503 });
    expect(refused.seen).toHaveLength(1);
  });

  test('that is cancelled while the server is away ends at once, and is cancelled there', async () => {
    const began = { body: '{"id":"q","nextUri":"HERE/v1/statement/executing/q/1"}' };
    const { address, seen } = await serve(began, { status: 503, headers: { 'retry-after': '30' }, body: '' });
    const controller = new AbortController();
    const clock = {
      ...SYSTEM_CLOCK,
      sleep: async (ms: number, signal?: AbortSignal) => {
        queueMicrotask(() => controller.abort(new Error('enough')));
        await SYSTEM_CLOCK.sleep(ms, signal);
      },
    };
    const client = new TrinoClient(trinoPlace(`${address}/lake`), {}, clock);
    await expect(client.write('INSERT', { signal: controller.signal })).rejects.toThrow('enough');
    expect(seen.at(-1)?.line).toBe('DELETE /v1/statement/executing/q/1');
  }, 20_000);

  test('does not go to another host, and is cancelled by whoever stops reading', async () => {
    const elsewhere = await serve({ body: '{"nextUri":"http://127.0.0.1:1/v1/statement/x"}' });
    expect((await failureOf(elsewhere.client())).message).toBe(
      `it continues its answer at http://127.0.0.1:1, which is not ${elsewhere.address}; behind a proxy, set http-server.process-forwarded=true in Trino`,
    );
    const stopped = await serve({ body: '{"nextUri":"HERE/v1/statement/executing/q/1","data":[[1],[2]]}' });
    for await (const row of stopped.client().query('SELECT 1')) {
      expect(row).toEqual([1]);
      break;
    }
    expect(stopped.seen.map(({ line }) => line)).toEqual(['POST /v1/statement', 'DELETE /v1/statement/executing/q/1']);
    const slow = await serve(
      { body: '{"nextUri":"HERE/1"}' },
      { body: '{"nextUri":"HERE/2"}' },
      { body: '{"nextUri":"HERE/3"}' },
    );
    const times = [0, 5, 15, 30];
    const clock = { ...SYSTEM_CLOCK, monotonicMs: () => times.shift() ?? 99 };
    const client = new TrinoClient(trinoPlace(`${slow.address}/lake`), { 'trino.query-timeout-ms': '10' }, clock);
    expect((await failureOf(client)).message).toContain('did not end within 10 ms (trino.query-timeout-ms)');
    expect(slow.seen.at(-1)?.line).toBe('DELETE /2');
  });

  test('that writes has the tags of the configuration and its own', async () => {
    const { client, seen } = await serve({ body: '{"id":"q"}' }, { body: '{"id":"q"}' }, { body: '{"id":"q"}' });
    const options = { 'header.X-Trino-Client-Tags': 'team=a,night' };
    await client(options).write('INSERT', { tags: ['moraine', 'run=1'] });
    await client(options).write('INSERT');
    await client().write('INSERT', { tags: ['moraine'] });
    expect(seen.map(({ headers }) => headers['x-trino-client-tags'])).toEqual([
      'team=a,night,moraine,run=1',
      'team=a,night',
      'moraine',
    ]);
  });

  test('that writes has the session properties of the header and those beside it, which count before', async () => {
    const { client, seen } = await serve({ body: '{"id":"q"}' }, { body: '{"id":"q"}' }, { body: '{"id":"q"}' });
    const options = { 'header.X-Trino-Session': 'query_priority=1, lake.a=b%2Cc,query_max_run_time=1h' };
    await client(options).write('INSERT', { session: { query_max_run_time: '2h', 'lake.d': 'e,f' } });
    await client(options).write('INSERT');
    await client().write('INSERT', { session: { query_max_run_time: '2h' } });
    expect(seen.map(({ headers }) => headers['x-trino-session'])).toEqual([
      'query_priority=1, lake.a=b%2Cc,query_max_run_time=2h,lake.d=e%2Cf',
      'query_priority=1, lake.a=b%2Cc,query_max_run_time=1h',
      'query_max_run_time=2h',
    ]);
  });

  test('fails with what Trino says, in which short values of headers are shown that are no secrets', async () => {
    const error = '{"error":{"message":"line 1:11, key k9, zone ab1def","errorName":"SYNTAX_ERROR"}}';
    const { client } = await serve({ body: error });
    const options = { 'header.x-trino-number': '1', 'header.x-api-key': 'k9', 'header.x-zone': 'ab1def' };
    expect((await failureOf(client(options))).message).toBe('SYNTAX_ERROR: line 1:11, key ***, zone ***');
  });

  test('fails with what Trino says, without the secrets of headers', async () => {
    const error = '{"error":{"message":"no canary-header here","errorName":"PERMISSION_DENIED"}}';
    const { client } = await serve(
      { body: error },
      { status: 401, body: 'canary-header is wrong' },
      { body: '[]' },
      { body: '<html>' },
    );
    const options = { 'header.X-Api-Key': 'canary-header' };
    expect(await failureOf(client(options))).toMatchObject({
      errorName: 'PERMISSION_DENIED',
      message: 'PERMISSION_DENIED: no *** here',
    });
    expect(await failureOf(client(options))).toMatchObject({
      status: 401,
      message: 'it answered 401 and says: *** is wrong',
    });
    expect((await failureOf(client())).message).toContain('not a JSON object');
    expect((await failureOf(client())).message).toContain('not JSON');
    const redirecting = await serve({ status: 302, headers: { location: 'http://elsewhere' }, body: '' });
    expect((await failureOf(redirecting.client())).message).toContain(
      'redirects to http://elsewhere, which is not followed',
    );
    expect(redirecting.seen).toHaveLength(1);
  });
});

test('a server whose certificate is not trusted is asked once, and the failure says what to set', async () => {
  const { certificate, key } = makeCertificate(temporaryFolder());
  let connections = 0;
  const server = createTlsServer({ cert: readFileSync(certificate), key: readFileSync(key) });
  server.on('connection', () => {
    connections += 1;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const address = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = new TrinoClient(trinoPlace(`${address}/lake`), { 'trino.token': 'canary' }, SYSTEM_CLOCK);
  const { message, isBusy } = await failureOf(client);
  expect([message, isBusy, connections]).toEqual([
    'unable to verify the first certificate (UNABLE_TO_VERIFY_LEAF_SIGNATURE); set NODE_EXTRA_CA_CERTS to the file of its authority, or correct uri',
    false,
    1,
  ]);
});

test('requests go through the proxy of the environment, unless that leaves the address out', async () => {
  const { client, seen } = await serve({ body: '{"data":[[1]]}' });
  for (const name of ['HTTP_PROXY', 'http_proxy']) vi.stubEnv(name, 'http://127.0.0.1:1');
  for (const name of ['NO_PROXY', 'no_proxy']) vi.stubEnv(name, '');
  onTestFinished(() => void vi.unstubAllEnvs());
  expect((await failureOf(client())).message).toBe('connect ECONNREFUSED 127.0.0.1:1 (ECONNREFUSED)');
  expect(seen).toEqual([]);
  for (const name of ['NO_PROXY', 'no_proxy']) vi.stubEnv(name, '127.0.0.1');
  expect(await rowsOf(client())).toEqual([[1]]);
});

test('who asks is a user with a password or a token, over TLS only', () => {
  const server = 'https://h:8443';
  expect(trinoIdentity(server, {}).headers).toMatchObject({ 'x-trino-user': 'moraine' });
  expect(trinoIdentity(server, { 'trino.user': 'ada', 'trino.password': 'b:c' })).toMatchObject({
    headers: { authorization: 'Basic YWRhOmI6Yw==' },
    secrets: ['b:c', 'YWRhOmI6Yw=='],
  });
  const { headers } = trinoIdentity(server, { 'trino.token': 'x.y' });
  expect(headers).toMatchObject({ authorization: 'Bearer x.y' });
  expect(headers).not.toHaveProperty('x-trino-user');
  const named = trinoIdentity(server, { 'trino.user': 'ada', 'trino.token': 'x.y' });
  expect(named.headers).toMatchObject({ 'x-trino-user': 'ada', authorization: 'Bearer x.y' });
  // Times have all of their digits, whatever else the client is said to know.
  const able = trinoIdentity(server, { 'header.X-Trino-Client-Capabilities': 'PATH' });
  expect(able.headers).toMatchObject({ 'x-trino-client-capabilities': 'PATH,PARAMETRIC_DATETIME' });
  const refused = [
    () => trinoIdentity('http://h', { 'trino.token': 'canary' }),
    () => trinoIdentity(server, { 'trino.token': 'canary', 'trino.password': 'canary' }),
    () => trinoPlace('https://user:canary@h/lake'),
    () => trinoPlace('https://h'),
    () => trinoPlace('https://h/a/b'),
    () => trinoPlace('thrift://h/lake'),
  ];
  for (const make of refused) {
    const { code, message } = errorOf(make);
    expect(code).toBe('CONFIG_INVALID');
    expect(message).not.toContain('canary');
  }
});

test('the newest metadata file is the one that knows all others, whatever their times say', async () => {
  const logs: Readonly<Record<string, readonly string[]>> = { a: [], b: ['a'], c: ['a', 'b'] };
  const read = async (file: string) =>
    ({ metadataLog: (logs[file] ?? []).map((metadataFile) => ({ metadataFile })) }) as unknown as TableMetadata;
  const newest = async (...times: readonly bigint[]) => {
    const entries = times.map((timeMs, index) => ({ file: 'abc'[index] ?? '', timeMs, sequenceNumber: 1n }));
    return (await newestOfLog(entries, read))?.metadataLocation;
  };
  expect(await newest(1n, 2n, 3n)).toBe('c');
  expect(await newest(5n, 5n, 5n)).toBe('c');
  expect(await newest(9n, 8n, 1n)).toBe('c');
  expect(await newest(1n)).toBe('a');
  const unknown = [
    { file: 'a', timeMs: 1n, sequenceNumber: 0n },
    { file: 'z', timeMs: 0n, sequenceNumber: 0n },
  ];
  expect(await newestOfLog(unknown, read)).toBeUndefined();
});
