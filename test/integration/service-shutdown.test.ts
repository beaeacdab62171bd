/** SIGTERM while requests are in flight: within `server.shutdownTimeoutMs` they are finished, and what takes longer is ended so that its client knows. */
import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { tableFromArrays, tableToIPC } from 'apache-arrow';
import { expect, onTestFinished, test } from 'vitest';
import { materializeDirect } from '../../materialization/index.js';
import { materializationDeps } from '../../project/index.js';
import { lockCatalog } from '../support/locked-catalog.js';
import { type ServiceProcess, startServiceProcess } from '../support/service-process.js';
import { SmallProject } from '../support/small-project.js';
import { stopOfflineChild } from '../support/stopped-process.js';

const ARROW = 'application/vnd.apache.arrow.stream';
const QUESTION = { features: ['readings:reading'], entities: { sensor: [7] } };
/** Sensor 7's newest of a thousand readings of 100 sensors. */
const NEWEST = 907;
const FRAME = { features: ['readings'], entities: [{ sensor: 7, event_timestamp: '1970-01-01T00:01:00Z' }] };
/** Sensor 7's reading at second 7 is its newest one at second 60. */
const ANSWER = [{ sensor: 7, event_timestamp: '1970-01-01T00:01:00.000000Z', reading: 7 }];
/** A new reading of sensor 7. */
const PUSH = {
  feature_view_name: 'readings',
  df: { sensor: [7], event_timestamp: ['2020-01-01T00:00:00'], reading: [0.25] },
};

interface Served {
  readonly small: SmallProject;
  readonly service: ServiceProcess;
}

/** Reads look at the catalog every time. */
async function start(server: string): Promise<Served> {
  const config = `catalogs: { local: { uri: catalog.db, warehouse: warehouse } }
engine: { memoryLimit: 500MB, threads: 2, tempDirectory: tmp }
online: { readTimeoutMs: 60000 }
server: { maxStalenessMs: 0, queueTimeoutMs: 60000, requestTimeoutMs: 60000, ${server} }
`;
  const small = await SmallProject.create({ view: 'readings', config });
  await small.append(1000);
  await materializeDirect(await materializationDeps(small.project), { view: 'readings' });
  return { small, service: await startServiceProcess(small.folder) };
}

interface Answer {
  readonly status: number;
  readonly connection: string | undefined;
  readonly body: unknown;
}

async function send(
  { url }: ServiceProcess,
  path: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = { 'content-type': 'application/json' },
): Promise<IncomingMessage> {
  const request = httpRequest(`${url}${path}`, { method: 'POST', headers });
  request.end(body instanceof Uint8Array ? body : JSON.stringify(body));
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  return answer;
}

async function post(...args: Parameters<typeof send>): Promise<Answer> {
  const answer = await send(...args);
  const body = JSON.parse(await text(answer)) as unknown;
  return { status: answer.statusCode ?? 0, connection: answer.headers.connection, body };
}

async function open({ url }: ServiceProcess): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

const head = (path: string, body: string): string =>
  `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n`;

/** A connection whose request was answered, and which waits for the next one. */
async function idleConnection(service: ServiceProcess): Promise<{ readonly closed: Promise<unknown> }> {
  const socket = await open(service);
  socket.write('GET /health HTTP/1.1\r\nhost: x\r\n\r\n');
  await once(socket, 'data');
  return { closed: once(socket.resume(), 'close') };
}

interface Upload {
  readonly socket: Socket;
  /** What the service has said until the connection is closed. */
  readonly answer: Promise<string>;
}

/** A request of which the service has the headers, and waits for the rest of the body. */
async function startUpload(service: ServiceProcess, path: string, body: string): Promise<Upload> {
  const socket = await open(service);
  let said = '';
  const answer = once(
    socket.on('data', (data) => (said += String(data))),
    'close',
  ).then(() => said);
  socket.write(`${head(path, body)}expect: 100-continue\r\n\r\n`);
  await expect.poll(() => said, { timeout: 10_000 }).toBe('HTTP/1.1 100 Continue\r\n\r\n');
  socket.write(body.slice(0, 20));
  return { socket, answer };
}

/** Waits until so many have begun to arrive, or wait to be committed. */
async function queuedWrites({ url }: ServiceProcess, count: number): Promise<void> {
  const metrics = async (): Promise<string> => await (await fetch(`${url}/metrics`)).text();
  await expect.poll(metrics, { timeout: 10_000 }).toContain(`moraine_write_queue_requests ${count}\n`);
}

const readingsOf7 = async (small: SmallProject): Promise<unknown> =>
  await small.query(await small.online(), 'SELECT reading FROM rows WHERE sensor = 7 ORDER BY ALL');

test('requests in flight are finished, idle connections are closed, and new ones are refused', async () => {
  const { small, service } = await start('groupCommitMs: 1500');
  const retrieval = post(service, '/get-historical-features', FRAME);
  const child = await stopOfflineChild(service.pid);
  const asked = await open(service);
  asked.write('GET /ready HTTP/1.1\r\nhost: x\r\n');
  const late = JSON.stringify({ ...PUSH, df: { ...PUSH.df, sensor: [8] } });
  const upload = await startUpload(service, '/write-to-online-store', late);
  const idle = await idleConnection(service);
  const write = post(service, '/write-to-online-store', PUSH, {
    'content-type': 'application/json',
    'idempotency-key': 'a push',
  });
  await queuedWrites(service, 2);

  const ended = service.stop();
  await idle.closed;
  // One that the system had taken before is closed without an answer.
  const refused = await fetch(`${service.url}/health`).catch(({ cause }: Error) => (cause as { code: string }).code);
  expect(['ECONNREFUSED', 'ECONNRESET', 'UND_ERR_SOCKET']).toContain(refused);
  asked.write('\r\n');
  const ready = await text(asked);
  expect(ready).toMatch(/^HTTP\/1\.1 503 .*\r\nconnection: close\r\n/is);
  expect(ready).toContain('{"status":"not ready","error":"The service is closing.","views":[]}');

  // Supervisors may signal each process of a group.
  process.kill(child, 'SIGTERM');
  process.kill(child, 'SIGINT');
  await sleep(1_500);
  process.kill(child, 'SIGCONT');
  expect(await retrieval).toEqual({ status: 200, connection: 'close', body: ANSWER });
  expect(await write).toMatchObject({ status: 200, connection: 'close', body: { rows: 1 } });
  upload.socket.write(late.slice(20));
  expect(await upload.answer).toMatch(/\r\n\r\nHTTP\/1\.1 200 OK\r\n.*"rows":1\}$/s);
  expect(await ended).toBe(0);
  expect(await readingsOf7(small)).toEqual([[0.25], [NEWEST]]);
  const again = await startServiceProcess(small.folder);
  const answer = await post(again, '/get-online-features', { ...QUESTION, entities: { sensor: [7, 8] } });
  expect(answer.body).toMatchObject({ results: [{}, { values: [0.25, 0.25] }] });
});

test('a read that waits for the catalog is answered', async () => {
  const { small, service } = await start('shutdownTimeoutMs: 60000');
  expect((await post(service, '/get-online-features', QUESTION)).connection).toBe('keep-alive');
  const idle = await idleConnection(service);
  const unlock = lockCatalog(small.folder);
  const read = post(service, '/get-online-features', QUESTION);
  await sleep(300);
  const ended = service.stop();
  await idle.closed;
  unlock();
  const answer = await read;
  expect(answer).toMatchObject({ status: 200, connection: 'close', body: { results: [{}, { values: [NEWEST] }] } });
  expect(await ended).toBe(0);
});

test('what is not finished within the limit is ended: 503 says so, and a write is said to be unknown', async () => {
  const { small, service } = await start('groupCommitMs: 0, shutdownTimeoutMs: 1000');
  const upload = await startUpload(service, '/write-to-online-store', JSON.stringify(PUSH));
  const retrieval = post(service, '/get-historical-features', FRAME);
  await stopOfflineChild(service.pid);
  lockCatalog(small.folder);
  const read = post(service, '/get-online-features', QUESTION);
  const write = post(service, '/write-to-online-store', PUSH);
  await queuedWrites(service, 2);
  const ended = service.stop();
  const closing = { code: 'SERVICE_CLOSING', error: 'The service stopped before the answer was complete.' };
  expect(await read).toMatchObject({ status: 503, connection: 'close', body: closing });
  expect(await retrieval).toMatchObject({ status: 503, connection: 'close', body: closing });
  expect(await write).toMatchObject({ status: 503, connection: 'close', body: { code: 'COMMIT_STATE_UNKNOWN' } });
  // None of it was written.
  expect(await upload.answer).toMatch(/\r\n\r\nHTTP\/1\.1 503 .*\r\n\r\n\{.*"code":"SERVICE_CLOSING"/s);
  expect(await ended).toBe(0);
});

test('an answer that is cut at the limit is not whole for its client', async () => {
  const { service } = await start('shutdownTimeoutMs: 500');
  const rows = 250_000;
  const frame = tableFromArrays({
    sensor: new BigInt64Array(rows).fill(7n),
    event_timestamp: Array.from({ length: rows }, () => new Date(60_000)),
  });
  const answer = await send(service, '/get-historical-features?features=readings', tableToIPC(frame, 'stream'), {
    'content-type': ARROW,
    accept: 'application/json',
  });
  expect([answer.statusCode, answer.headers['moraine-rows']]).toEqual([200, String(rows)]);
  // Nothing of it is read until the service has ended.
  expect(await service.stop()).toBe(0);
  await expect(text(answer)).rejects.toMatchObject({ code: 'ECONNRESET' });
  expect(answer.complete).toBe(false);
});

test('a second signal ends the service at once', async () => {
  const { service } = await start('shutdownTimeoutMs: 600000');
  const retrieval = post(service, '/get-historical-features', FRAME);
  const cut = expect(retrieval).rejects.toMatchObject({ code: 'ECONNRESET' });
  await stopOfflineChild(service.pid);
  const idle = await idleConnection(service);
  void service.stop('SIGTERM');
  await idle.closed;
  expect(await service.stop('SIGINT')).toBe(130);
  await cut;
});
