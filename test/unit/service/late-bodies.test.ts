/** Bodies that do not arrive: what their clients, people and metrics are told, and that their connections end. */
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import fastify from 'fastify';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { createMoraine, type Moraine } from '../../../client/index.js';
import { limitArrival } from '../../../service/arrival.js';
import { type Service, startService } from '../../../service/index.js';
import { FeatureLab } from '../../support/feature-lab.js';

const ARROW = 'application/vnd.apache.arrow.stream';

let lab: FeatureLab;
let moraine: Moraine;
let service: Service;
const log: string[] = [];
beforeAll(async () => {
  lab = await FeatureLab.open();
  const { folder } = lab;
  moraine = await createMoraine({
    cwd: folder,
    config: {
      catalogs: { main: { uri: `${folder}/catalog.db`, warehouse: `${folder}/warehouse` } },
      server: { port: 0, requestTimeoutMs: 300 },
    },
  });
  const write = (line: string): void => void log.push(line);
  service = await startService({ project: moraine.project, version: '', log: { write } });
});
afterAll(async () => {
  await service.close();
  await moraine.close();
  await lab.close();
});

/** Sends a request whose body trickles for as long as the connection takes it. @returns what was answered when it ended */
async function trickle(path: string, type: string): Promise<string> {
  const socket: Socket = connect({ port: Number(new URL(service.url).port), host: '127.0.0.1', allowHalfOpen: true });
  const timer = setInterval(() => socket.write(' '), 20);
  onTestFinished(() => {
    clearInterval(timer);
    socket.destroy();
  });
  let answer = '';
  socket.setEncoding('utf8').on('data', (text: string) => (answer += text));
  socket.on('error', () => undefined);
  socket.write(`POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: ${type}\r\ncontent-length: 100000\r\n\r\n{`);
  return await new Promise((resolve) => socket.once('close', () => resolve(answer)));
}

test.each([
  ['/get-online-features', 'application/json'],
  ['/get-historical-features', ARROW],
])(
  'a body for %s that trickles is answered with 408, is counted and shown so, and its connection ends',
  async (path, type) => {
    log.length = 0;
    const query = type === ARROW ? '?features=x' : '';
    expect(await trickle(`${path}${query}`, type)).toMatch(/^HTTP\/1\.1 408 .*"code":"REQUEST_TIMED_OUT"/s);
    const told = log.map(
      (line) => JSON.parse(line) as { readonly path?: string; readonly code?: string; readonly status?: number },
    );
    const refused = told.filter((line) => line.path === path).map(({ status, code }) => [status, code]);
    expect(refused).toEqual([[408, 'REQUEST_TIMED_OUT']]);
    const metrics = await (await fetch(`${service.url}/metrics`)).text();
    const counted = metrics.split('\n').filter((line) => line.includes(`_seconds_count{path="${path}"`));
    expect(counted).toEqual([`moraine_http_request_duration_seconds_count{path="${path}",status="408"} 1`]);
    const page = await (await fetch(`${service.url}/ui/errors`)).text();
    expect(page.split(`<code>POST ${path}</code>`)).toHaveLength(2);
    expect(page).not.toContain('INVALID_ARGUMENT');
  },
);

test('a body whose rest arrives once 408 was answered is not handled', async () => {
  const app = fastify();
  onTestFinished(() => app.close());
  const refused: string[] = [];
  limitArrival(app, 100, ({ code }) => void refused.push(code));
  const handled: unknown[] = [];
  app.post('/write', async ({ body }) => void handled.push(body));
  const arrived = new Promise<unknown>((resolve) => void app.addHook('preValidation', async () => resolve(null)));
  const { port } = new URL(await app.listen({ host: '127.0.0.1', port: 0 }));
  const socket = connect({ port: Number(port), host: '127.0.0.1', allowHalfOpen: true });
  onTestFinished(() => void socket.destroy());
  const head = 'POST /write HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n';
  socket.on('error', () => undefined).write(`${head}[`);
  const answer = await new Promise((resolve) => socket.setEncoding('utf8').once('data', resolve));
  expect(answer).toMatch(/^HTTP\/1\.1 408 /);
  socket.write(']');
  await arrived;
  await sleep(100);
  expect([refused, handled]).toEqual([['REQUEST_TIMED_OUT'], []]);
});
