/** Requests that clients send before an earlier one on their connection is answered: what they hold ends with the connection. */
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import fastify, { type FastifyInstance } from 'fastify';
import { expect, onTestFinished, test } from 'vitest';
import type { OfflineProcesses, OfflineTurn } from '../../../service/offline-processes.js';
import { endQueuedAnswers } from '../../../service/queued-answers.js';
import { beginTurn } from '../../../service/send-offline.js';
import { limitSending } from '../../../service/sending.js';

function open(): FastifyInstance {
  const app = fastify({ forceCloseConnections: true });
  onTestFinished(() => app.close());
  endQueuedAnswers(app);
  return app;
}

/** Sends requests without a body, all at once. */
async function ask(app: FastifyInstance, ...paths: readonly string[]): Promise<Socket> {
  const { port } = new URL(await app.listen({ host: '127.0.0.1', port: 0 }));
  const socket = connect({ host: '127.0.0.1', port: Number(port) });
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => undefined).setEncoding('utf8');
  socket.write(paths.map((path) => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`).join(''));
  return socket;
}

const never = (): Promise<never> => new Promise(() => undefined);

test('the turns of retrievals that wait behind another request end when their client goes away', async () => {
  const app = open();
  const turns: string[] = [];
  let go = (): void => undefined;
  const gone = new Promise<void>((resolve) => (go = resolve));
  const turnOf = (name: string): OfflineTurn => ({
    folder: '',
    run: never,
    end: async () => void turns.push(`${name} ended`),
  });
  const processes = (name: string, ready: Promise<void>) => {
    const begin = async (): Promise<OfflineTurn> => {
      turns.push(`${name} began`);
      await ready;
      return turnOf(name);
    };
    return { begin } as OfflineProcesses;
  };
  app.get('/slow', never);
  app.get('/early', async (_, reply) => {
    await beginTurn(reply, processes('early', Promise.resolve()));
    return await never();
  });
  app.get('/late', async (_, reply) => await beginTurn(reply, processes('late', gone)));
  const warnings: Error[] = [];
  const warn = (warning: Error): void => void warnings.push(warning);
  process.on('warning', warn);
  onTestFinished(() => void process.off('warning', warn));
  const socket = await ask(app, '/slow', ...Array<string>(20).fill('/early'), '/late');
  const early = Array<string>(20).fill('early began');
  await expect.poll(() => turns).toEqual([...early, 'late began']);
  socket.destroy();
  const ended = [...early, 'late began', ...Array<string>(20).fill('early ended')];
  await expect.poll(() => turns).toEqual(ended);
  go();
  await expect.poll(() => turns).toEqual([...ended, 'late ended']);
  expect(warnings).toEqual([]);
});

test('an answer that takes long to make is not ended by the time that the one before it had to be taken', async () => {
  const app = open();
  limitSending(app, 100);
  app.get('/small', (_, reply) => reply.send('small'));
  app.get('/slow', async () => {
    await sleep(500);
    return 'slow';
  });
  const socket = await ask(app, '/small', '/slow', '/small');
  let text = '';
  socket.on('data', (part: string) => (text += part));
  await expect
    .poll(() => text.match(/\r\n\r\n(small|slow)/g))
    .toEqual(['small', 'slow', 'small'].map((it) => `\r\n\r\n${it}`));
});

test('an answer that was sent is closed once', async () => {
  const app = open();
  const closed: string[] = [];
  app.get('/:name', async (request, reply) => {
    const { name } = request.params as { readonly name: string };
    reply.raw.on('close', () => closed.push(name));
    await sleep(20);
    return name;
  });
  const socket = await ask(app, '/a', '/b', '/c');
  await expect.poll(() => closed).toEqual(['a', 'b', 'c']);
  socket.destroy();
  await sleep(50);
  expect(closed).toEqual(['a', 'b', 'c']);
});
