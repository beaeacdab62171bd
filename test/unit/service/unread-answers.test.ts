/** Answers that clients do not read: their connections end, and what makes them. Those that are read slowly, or made slowly, arrive whole. */
import { connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import fastify from 'fastify';
import { describe, type TestContext, test } from 'vitest';
import { limitSending } from '../../../service/sending.js';

const MIB = 2 ** 20;
/** More than the system keeps for a connection. */
const PARTS = 24;
const LIMIT_MS = 500;
/** Where the connection must not end, however busy the machine is. */
const AMPLE_MS = 2_000;

interface Listening {
  readonly port: number;
  /** What became of the parts of each streamed answer: `whole`, or `ended`. */
  readonly outcomes: readonly string[];
}

/** A server with an answer in parts, one in one piece, and one whose parts take longer than the limit. */
async function listen({ onTestFinished }: TestContext, limitMs = LIMIT_MS): Promise<Listening> {
  const app = fastify({ forceCloseConnections: true });
  onTestFinished(() => app.close());
  limitSending(app, limitMs);
  const outcomes: string[] = [];
  async function* parts(count: number, waitMs: number): AsyncGenerator<Buffer> {
    let outcome = 'ended';
    try {
      for (let part = 0; part < count; part += 1) {
        if (waitMs > 0) await sleep(waitMs);
        yield Buffer.alloc(MIB, 'x');
      }
      outcome = 'whole';
    } finally {
      outcomes.push(outcome);
    }
  }
  const streamed = (count: number, waitMs = 0): Readable => Readable.from(parts(count, waitMs), { objectMode: false });
  app.get('/parts', (_, reply) => reply.send(streamed(PARTS)));
  app.get('/piece', (_, reply) => reply.send(Buffer.alloc(PARTS * MIB, 'x')));
  app.get('/slow', (_, reply) => reply.send(streamed(1, 2.5 * LIMIT_MS)));
  app.get('/small', (_, reply) => reply.send('small'));
  const { port } = new URL(await app.listen({ host: '127.0.0.1', port: 0 }));
  return { port: Number(port), outcomes };
}

function ask({ onTestFinished }: TestContext, port: number, path: string): Socket {
  const socket = connect({ host: '127.0.0.1', port });
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => undefined);
  socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
  return socket;
}

/** Bytes that a client gets which reads one MiB or so at a time, with pauses; null if the connection ends before the answer does. */
async function readSlowly(socket: Socket, bytes: number): Promise<number | null> {
  let got = 0;
  let isClosed = false;
  socket.once('close', () => (isClosed = true));
  while (got < bytes && !isClosed) {
    const target = got + 4 * MIB;
    while (got < target && got < bytes && !isClosed) {
      const part = socket.read() as Buffer | null;
      if (part === null) await sleep(1);
      else got += part.length;
    }
    await sleep(AMPLE_MS / 4);
  }
  return got >= bytes ? got : null;
}

describe.concurrent('an answer', () => {
  for (const path of ['/parts', '/piece']) {
    test(`ends with its connection if its client does not read (${path})`, async (context) => {
      const { expect } = context;
      const { port, outcomes } = await listen(context);
      const socket = ask(context, port, path);
      const closed = new Promise((resolve) => socket.once('close', resolve));
      await sleep(3 * LIMIT_MS);
      let got = 0;
      socket.on('data', (part: Buffer) => (got += part.length));
      await closed;
      expect(got).toBeLessThan(PARTS * MIB);
      if (path === '/parts') expect(outcomes).toEqual(['ended']);
    });

    test(`arrives whole where its client reads with pauses (${path})`, async (context) => {
      const { port } = await listen(context, AMPLE_MS);
      const got = await readSlowly(ask(context, port, path), PARTS * MIB);
      context.expect(got).toBeGreaterThanOrEqual(PARTS * MIB);
    });
  }

  test('arrives whole if it takes longer to make than the limit, and its connection stays open', async (context) => {
    const { expect } = context;
    const { port, outcomes } = await listen(context);
    const socket = ask(context, port, '/slow');
    let text = '';
    socket.setEncoding('latin1').on('data', (part: string) => (text += part));
    await expect.poll(() => outcomes, { timeout: 30_000 }).toEqual(['whole']);
    await expect.poll(() => text.endsWith('\r\n0\r\n\r\n'), { timeout: 30_000 }).toBe(true);
    await sleep(2 * LIMIT_MS);
    socket.write('GET /small HTTP/1.1\r\nhost: x\r\n\r\n');
    await expect.poll(() => text.endsWith('\r\n\r\nsmall'), { timeout: 30_000 }).toBe(true);
  });
});
