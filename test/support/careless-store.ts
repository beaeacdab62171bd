/** A store that ignores the condition of writes, in front of one that does not. */
import { createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/**
 * @param endpoint of the careful store
 * @param ignores which requests lose their condition; all unless given
 * @returns its address; it ends with the test
 */
export async function startCarelessStore(
  endpoint: string,
  ignores: (incoming: IncomingMessage) => boolean = () => true,
): Promise<string> {
  const server = createServer((incoming, outgoing) => {
    const dropped = ignores(incoming) ? 'if-none-match' : '';
    const headers = Object.fromEntries(Object.entries(incoming.headers).filter(([name]) => name !== dropped));
    const forward = request(new URL(incoming.url ?? '/', endpoint), { method: incoming.method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    });
    incoming.pipe(forward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
