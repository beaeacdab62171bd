/** A proxy of HTTP that answers late, wrong, twice or not at all, in front of a real server. */

import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** A request as it came. */
export interface SeenRequest {
  readonly method: string;
  /** The path with its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export interface ProxyAnswer<Body = string> {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: Body;
}

/** The way in which an answer of bytes reaches the client. */
export interface Delivery extends ProxyAnswer<Uint8Array> {
  /** The connection is reset after so many bytes of the body, whose whole length was announced. */
  readonly cutAfter?: number;
  readonly bytesPerSecond?: number;
}

/**
 * The fate of a request: it is handed on, or answered without that; `lose` and `drop` cut the connection, after the server has carried it
 * out and before it has seen it.
 */
export type Fate =
  | 'pass'
  | 'lose'
  | 'drop'
  | ProxyAnswer
  /** Handed on; the text that comes back is changed. */
  | ((answer: ProxyAnswer) => ProxyAnswer)
  /** Handed on; the bytes that come back are changed, or delivered in another way. */
  | { readonly deliver: (answer: ProxyAnswer<Uint8Array>) => Delivery };

export interface FaultyProxy {
  /** The address that stands for the server's. */
  readonly address: string;
  /** Requests so far; none where the proxy was told to forget them. */
  readonly seen: SeenRequest[];
  /** Decides about each request; every one passes unless this is set. */
  fateOf: (seen: SeenRequest) => Fate | Promise<Fate>;
  close(): Promise<void>;
}

/** @param target `http://host:port` */
export async function startFaultyProxy(target: string, { remembers = true } = {}): Promise<FaultyProxy> {
  const server = createServer((incoming, outgoing) => {
    handle(incoming, outgoing).catch(() => outgoing.destroy());
  });
  const seen: SeenRequest[] = [];
  const handle = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const { method = 'GET', url: path = '/', headers } = incoming;
    const content = await bodyOf(incoming);
    const each = { method, path, headers, body: remembers ? content.toString('utf8') : '' };
    if (remembers) seen.push(each);
    const fate = await proxy.fateOf(each);
    if (fate === 'drop') return void incoming.socket.destroy();
    if (typeof fate === 'object' && 'status' in fate) return await reply(outgoing, bytesOf(fate));
    const answer = await handOn(target, each, content);
    if (fate === 'lose') return void incoming.socket.destroy();
    await reply(outgoing, changed(answer, fate));
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

const bytesOf = (answer: ProxyAnswer): Delivery => ({ ...answer, body: Buffer.from(answer.body) });

function changed(answer: ProxyAnswer<Uint8Array>, fate: Exclude<Fate, 'lose' | 'drop' | ProxyAnswer>): Delivery {
  if (fate === 'pass') return answer;
  if (typeof fate === 'object') return fate.deliver(answer);
  return bytesOf(fate({ ...answer, body: Buffer.from(answer.body).toString('utf8') }));
}

async function reply(
  outgoing: ServerResponse,
  { status, headers, body, cutAfter, bytesPerSecond }: Delivery,
): Promise<void> {
  // An answer to HEAD announces a body that does not come.
  const length = headers?.['content-length'] === undefined ? { 'content-length': String(body.length) } : {};
  outgoing.writeHead(status, { ...headers, ...length });
  if (cutAfter !== undefined) {
    outgoing.write(body.subarray(0, cutAfter), () => outgoing.destroy());
    return;
  }
  for (let sent = 0; bytesPerSecond !== undefined && sent < body.length && !outgoing.destroyed; sent += 1) {
    outgoing.write(body.subarray(sent, sent + 1));
    await sleep(1000 / bytesPerSecond);
  }
  outgoing.end(bytesPerSecond === undefined ? body : undefined);
}

async function handOn(
  target: string,
  { method, path, headers }: SeenRequest,
  content: Buffer,
): Promise<ProxyAnswer<Uint8Array>> {
  // Answers to texts are changed as texts.
  const sent = Object.entries({ ...headers, 'accept-encoding': 'identity' }).filter(([name]) => name !== 'expect');
  const options = { method, headers: Object.fromEntries(sent), agent: false };
  const outgoing = request(`${target}${path}`, options);
  outgoing.end(content);
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
  const dropped =
    method === 'HEAD' ? /^(transfer-encoding|connection)$/ : /^(transfer-encoding|content-length|connection)$/;
  const kept = Object.entries(answer.headers).filter(([name]) => !dropped.test(name));
  return {
    status: answer.statusCode ?? 0,
    headers: Object.fromEntries(kept) as Record<string, string>,
    body: await bodyOf(answer),
  };
}

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
