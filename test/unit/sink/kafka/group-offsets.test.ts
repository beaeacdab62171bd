/** Telling a group is given up where brokers do not answer. */
import { createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { GroupOffsets } from '../../../../sink/kafka/group-offsets.js';

it('a group whose broker does not answer is left after five seconds, and nothing is begun behind it', async () => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => void sockets.push(socket.on('error', () => undefined).resume()));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const brokers = [`127.0.0.1:${port}`, `localhost:${port}`];
  const group = await GroupOffsets.open({ brokers }, { name: 'g', topic: 'topic', onNotice: () => undefined });
  group.tell(new Map([[0, { offset: 5n, leaderEpoch: 0 }]]));
  const startMs = performance.now();
  expect(await group.close()).toMatch(/./);
  expect(performance.now() - startMs).toBeLessThan(7_000);
  const opened = sockets.length;
  await sleep(500);
  expect(sockets).toHaveLength(opened);
  expect(sockets.map(({ readableEnded }) => readableEnded)).toEqual(sockets.map(() => true));
});
