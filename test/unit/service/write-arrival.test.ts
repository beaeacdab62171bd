/** Bodies of writes that arrive: they have room before they are read, or are refused, and leave none behind. */
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { FeatureLab } from '../../support/feature-lab.js';
import { type LabService, startLabService } from '../../support/lab-service.js';

let lab: FeatureLab;
let service: LabService;
beforeAll(async () => {
  lab = await FeatureLab.open();
  await lab.createTable('demo.t', { k: 'long', ts: 'timestamptz', n: 'long' });
  service = await startLabService(lab, { groupCommitMs: 0, maxQueuedBytes: '1KiB', maxQueuedWrites: 3 });
  const source = { table: 'demo.t', timestampField: 'ts' };
  await service.moraine.apply({
    entities: [{ name: 'thing', joinKeys: ['k'] }],
    featureViews: [{ name: 'v', entities: ['thing'], source, online: true, features: ['n'] }],
  });
});
afterAll(async () => {
  await service.close();
  await lab.close();
});

interface Sender {
  readonly socket: Socket;
  /** The status of the answer, when it is there. */
  readonly status: Promise<number>;
}

/** Sends a head and what is given of a body, and nothing more. @param length of the whole body; undefined: it comes in chunks */
function send(length: number | undefined, part: string, type = 'application/json'): Sender {
  const socket = open(service);
  const status = new Promise<number>((resolve) => {
    socket.on('data', (text: string) => resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1])));
  });
  socket.write(headOf(length, type));
  socket.write(length === undefined ? chunk(part) : part);
  return { socket, status };
}

function open({ service: { url } }: LabService): Socket {
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port) });
  onTestFinished(() => void socket.destroy());
  return socket.on('error', () => undefined).setEncoding('utf8');
}

function headOf(length: number | undefined, type = 'application/json'): string {
  const framing = length === undefined ? 'transfer-encoding: chunked' : `content-length: ${length}`;
  return `POST /write-to-online-store HTTP/1.1\r\nhost: x\r\ncontent-type: ${type}\r\n${framing}\r\n\r\n`;
}

const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;

/** Requests and bytes, as the metrics tell them. */
async function held({ service: { url } } = service): Promise<readonly [requests: number, bytes: number]> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  const figure = (name: string) => Number(new RegExp(`^moraine_write_queue_${name} (\\d+)$`, 'm').exec(metrics)?.[1]);
  return [figure('requests'), figure('bytes')];
}

const body = (n: number, bytes: number): string =>
  JSON.stringify({ feature_view_name: 'v', df: { k: [n], ts: ['2026-03-01T00:00:00'], n: [n] } }).padEnd(bytes);

test('a body has room for what has arrived of it; a length that has none at present is refused unread', async () => {
  const first = send(900, body(1, 900).slice(0, 800));
  await expect.poll(() => held()).toEqual([1, 800]);
  // Not a byte of it was sent.
  expect(await send(225, '').status).toBe(429);
  const growing = send(undefined, 'x'.repeat(124));
  await expect.poll(() => held()).toEqual([2, 924]);
  growing.socket.write(chunk('x'.repeat(101)));
  expect(await growing.status).toBe(429);
  await expect.poll(() => held()).toEqual([1, 800]);
  // There was room for its length when it began.
  const overtaken = send(224, 'x'.repeat(100));
  await expect.poll(() => held()).toEqual([2, 900]);
  first.socket.write(body(1, 900).slice(800, 899));
  await expect.poll(() => held()).toEqual([2, 999]);
  overtaken.socket.write('x'.repeat(26));
  expect(await overtaken.status).toBe(429);
  await expect.poll(() => held()).toEqual([1, 899]);
  expect((await service.post('/write-to-online-store', JSON.parse(body(2, 0)))).status).toBe(200);
  first.socket.write(body(1, 900).slice(899));
  expect(await first.status).toBe(200);
  expect(await held()).toEqual([0, 0]);
});

test('lengths that clients promise and do not send keep no other write out', async () => {
  const silent = [send(1_000, ''), send(1_000, '')];
  await expect.poll(() => held()).toEqual([2, 0]);
  const whole = body(7, 1_000);
  expect(await send(whole.length, whole).status).toBe(200);
  for (const { socket } of silent) socket.destroy();
  await expect.poll(() => held()).toEqual([0, 0]);
});

test('a connection whose write was refused unread goes on: its body is no request', async () => {
  const first = send(1_000, 'x'.repeat(600));
  await expect.poll(() => held()).toEqual([1, 600]);
  const { socket, status } = send(500, '');
  expect(await status).toBe(429);
  let text = '';
  socket.on('data', (part: string) => (text += part));
  socket.write(`${'x'.repeat(500)}GET /health HTTP/1.1\r\nhost: x\r\n\r\n`);
  await expect.poll(() => text).toMatch(/^HTTP\/1\.1 200 /);
  first.socket.destroy();
  await expect.poll(() => held()).toEqual([0, 0]);
});

test('writes that arrive count, and give their room back when they go away or are refused', async () => {
  const three = [send(10, '{'), send(undefined, '{'), send(10, '')];
  await expect.poll(() => held()).toEqual([3, 2]);
  expect(await send(1, '').status).toBe(429);
  for (const { socket } of three) socket.destroy();
  await expect.poll(() => held()).toEqual([0, 0]);
  // Not JSON, another media type, too large by itself, empty.
  const refused = [send(2, '{{'), send(5, 'a,b\n1', 'text/csv'), send(2 ** 26 + 1, ''), send(0, '')];
  expect(await Promise.all(refused.map(({ status }) => status))).toEqual([400, 415, 413, 400]);
  expect(await held()).toEqual([0, 0]);
});

test('a write alone has room however large it is', async () => {
  expect(await send(5_000, body(3, 5_000)).status).toBe(200);
  const chunked = send(undefined, body(4, 5_000));
  chunked.socket.write('0\r\n\r\n');
  expect(await chunked.status).toBe(200);
  expect(await held()).toEqual([0, 0]);
});

test('a body in chunks that is too large, of a client that goes away before it is told, ends nothing else', async () => {
  // The answer of the first request keeps that of the second waiting.
  const slow = await startLabService(lab, { groupCommitMs: 1_000 });
  onTestFinished(slow.close);
  const faults: unknown[] = [];
  const note = (error: unknown): void => void faults.push(error);
  process.on('uncaughtException', note);
  onTestFinished(() => void process.off('uncaughtException', note));
  const socket = open(slow);
  const first = body(5, 100);
  socket.write(`${headOf(first.length)}${first}${headOf(undefined)}`);
  for (let part = 0; part < 65; part += 1) socket.write(chunk('x'.repeat(2 ** 20)));
  const errors = async () => await (await fetch(`${slow.service.url}/ui/errors`)).text();
  await expect.poll(errors, { interval: 20, timeout: 20_000 }).toContain('LIMIT_EXCEEDED');
  socket.destroy();
  expect((await slow.get('/health')).status).toBe(200);
  await sleep(100);
  expect(faults).toEqual([]);
});

test('writes behind a request that is not answered give their room back when their client goes away', async () => {
  const slow = await startLabService(lab, { groupCommitMs: 1_000 });
  onTestFinished(slow.close);
  const socket = open(slow);
  const first = body(6, 100);
  socket.write(`${headOf(first.length)}${first}${headOf(3)}{{{${headOf(undefined)}${chunk('{')}`);
  await expect.poll(() => held(slow)).toEqual([3, 104]);
  socket.destroy();
  await expect.poll(() => held(slow), { timeout: 20_000 }).toEqual([0, 0]);
});
