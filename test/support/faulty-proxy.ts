/** A proxy of HTTP that answers late, wrong, twice or not at all, in front of a real server. */

import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as it came. */
export interface SeenRequest {
  readonly method: string;
  /** The path with its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export interface ProxyAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * What becomes of a request: it is handed on, or answered without that; `lose` and `drop` cut the connection, after the server has carried it
 * out and before it has seen it.
 */
export type Fate =
  | 'pass'
  | 'lose'
  | 'drop'
  | ProxyAnswer
  /** Handed on; what comes back is changed. */
  | ((answer: ProxyAnswer) => ProxyAnswer);

export interface FaultyProxy {
  /** The address that stands for the server's. */
  readonly address: string;
  readonly seen: SeenRequest[];
  /** Decides about each request; every one passes unless this is set. */
  fateOf: (seen: SeenRequest) => Fate | Promise<Fate>;
  close(): Promise<void>;
}

/** @param target `http://host:port` */
export async function startFaultyProxy(target: string): Promise<FaultyProxy> {
  const server = createServer((incoming, outgoing) => {
    handle(incoming, outgoing).catch(() => outgoing.destroy());
  });
  const seen: SeenRequest[] = [];
  const handle = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const { method = 'GET', url: path = '/', headers } = incoming;
    const each = { method, path, headers, body: await bodyOf(incoming) };
    seen.push(each);
    const fate = await proxy.fateOf(each);
    if (fate === 'drop') return void incoming.socket.destroy();
    if (typeof fate === 'object') return reply(outgoing, fate);
    const answer = await handOn(target, each);
    if (fate === 'lose') return void incoming.socket.destroy();
    reply(outgoing, typeof fate === 'function' ? fate(answer) : answer);
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const proxy: FaultyProxy = {
    address: `http://127.0.0.1:${port}`,
    seen,
    fateOf: () => 'pass',
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return proxy;
}

function reply(outgoing: ServerResponse, { status, headers, body }: ProxyAnswer): void {
  outgoing.writeHead(status, headers).end(body);
}

async function handOn(target: string, { method, path, headers, body }: SeenRequest): Promise<ProxyAnswer> {
  // Answers are handed on as texts.
  const outgoing = request(`${target}${path}`, {
    method,
    headers: { ...headers, 'accept-encoding': 'identity' },
    agent: false,
  });
  outgoing.end(body);
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
  const kept = Object.entries(answer.headers).filter(
    ([name]) => !/^(transfer-encoding|content-length|connection)$/.test(name),
  );
  return {
    status: answer.statusCode ?? 0,
    headers: Object.fromEntries(kept) as Record<string, string>,
    body: await bodyOf(answer),
  };
}

async function bodyOf(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
