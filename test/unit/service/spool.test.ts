/** Bodies that become files: how large they may be, whatever parts they come in. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { spoolBody } from '../../../service/spool.js';
import { failureOf } from '../../support/error-code.js';
import { temporaryFolder } from '../../support/temp-folder.js';

const LIMITS = { maxBytes: 10, idleMs: 60_000, bytesPerSecond: 1 };
const TOO_LARGE = `The body of the request is too large: it may have ${10 / 2 ** 20} MiB.`;
const parts = (...sizes: readonly number[]) =>
  Readable.from(sizes.map((size) => Buffer.alloc(size, String.fromCharCode(97 + size))));

describe('a body that is kept in a file', () => {
  it.each([[[10]], [[4, 6]], [[1, 0, 9]]])('may have as many bytes as the limit, in parts of %j', async (sizes) => {
    const file = join(temporaryFolder(), 'body');
    await spoolBody(parts(...sizes), file, LIMITS);
    expect(readFileSync(file, 'utf8')).toBe(sizes.map((size) => String.fromCharCode(97 + size).repeat(size)).join(''));
  });

  it.each([[[11]], [[10, 1]], [[4, 6, 1, 1]]])('is refused beyond it, in parts of %j', async (sizes) => {
    const failure = await failureOf(spoolBody(parts(...sizes), join(temporaryFolder(), 'body'), LIMITS));
    expect([failure.code, failure.message]).toEqual(['LIMIT_EXCEEDED', TOO_LARGE]);
  });

  it('is refused if it is empty', async () => {
    const failure = await failureOf(spoolBody(parts(), join(temporaryFolder(), 'body'), LIMITS));
    expect([failure.code, failure.message]).toEqual(['INVALID_ARGUMENT', 'The request has no body.']);
  });

  it('is refused if it trickles, though no part of it is late', async () => {
    async function* trickle() {
      for (;;) {
        yield Buffer.alloc(1);
        await sleep(20);
      }
    }
    // In 0.3 s no more than 15 bytes come, and 2^30 more would take a year.
    const limits = { maxBytes: 2 ** 30, idleMs: 300, bytesPerSecond: 2 ** 17 };
    const failure = await failureOf(spoolBody(Readable.from(trickle()), join(temporaryFolder(), 'body'), limits));
    expect([failure.code, failure.message]).toEqual([
      'REQUEST_TIMED_OUT',
      'The body does not arrive, or too slowly (server.requestTimeoutMs).',
    ]);
  });

  it('is taken, however long it takes, if it comes fast enough', async () => {
    const file = join(temporaryFolder(), 'body');
    async function* steady() {
      for (let part = 0; part < 10; part++) {
        yield Buffer.alloc(1000, 'x');
        await sleep(100);
      }
    }
    // Ten parts take 1 s, and each second needs 10 of their 1,000 bytes.
    await spoolBody(Readable.from(steady()), file, { maxBytes: 2 ** 20, idleMs: 60_000, bytesPerSecond: 10 });
    expect(readFileSync(file).length).toBe(10_000);
  });

  it('is refused at the part that is too much, and its sender is answered while it goes on sending', async () => {
    const file = join(temporaryFolder(), 'body');
    const server = createServer((request, response) => {
      spoolBody(request, file, LIMITS).then(
        () => response.writeHead(200).end(),
        (error: Error) => response.writeHead(413, { seen: request.headers['transfer-encoding'] }).end(error.message),
      );
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    // Without a length the body is sent in chunks.
    const sent = httpRequest({ port, host: '127.0.0.1', method: 'POST', headers: { connection: 'close' } });
    const answered = once(sent, 'response') as Promise<[IncomingMessage]>;
    sent.write('12345678');
    sent.write('9ab');
    const [answer] = await answered;
    expect([answer.statusCode, answer.headers['seen'], await text(answer)]).toEqual([413, 'chunked', TOO_LARGE]);
    // Nothing beyond the limit is kept.
    expect(['', '12345678']).toContain(readFileSync(file, 'utf8'));
    sent.end();
  });
});
