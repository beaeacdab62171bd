/** How the service ends: it takes no new connections, and requests in flight have a limited time to finish. */
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { MoraineError } from '../errors/index.js';
import type { RouteConfig } from './add-route.js';
import { type InFlight, InFlightRequests } from './in-flight-requests.js';

/** How often idle connections are looked for while the service closes, in milliseconds. */
const IDLE_MS = 50;
/** Milliseconds in which a request must have begun on a connection that was open when closing began. */
const ARRIVE_MS = 1_000;
/** Milliseconds after the limit for routes to say themselves that the service stopped. */
const ANSWER_MS = 500;
/** Milliseconds for clients to take the last answers. */
const TAKE_MS = 1_000;

/** What else ends with the service. */
export interface Endings {
  /** Ends the work that runs for requests: at the limit, or when none is in flight any more. */
  readonly end: () => Promise<unknown>;
  /** Ends what serves requests; what it has begun is not waited for beyond the limit. */
  readonly idle: () => Promise<unknown>;
}

/** Follows the requests and connections of a server from its start on. */
export class Shutdown {
  readonly #app: FastifyInstance;
  readonly #limitMs: number;
  readonly #begun = new AbortController();
  readonly #stopped = new AbortController();
  readonly #requests = new InFlightRequests();
  /** By address and port of the client: sockets with TLS are others than those that were connected. */
  readonly #connections = new Map<string, Socket>();

  /** @param limitMs milliseconds that requests in flight have to finish */
  constructor(app: FastifyInstance, limitMs: number) {
    this.#app = app;
    this.#limitMs = limitMs;
    app.addHook('onRequest', (request, reply, done) => {
      const entry: InFlight = { request, reply, place: -1 };
      this.#requests.add(entry);
      reply.raw.once('close', () => this.#requests.delete(entry));
      done();
    });
    app.server.on('connection', (socket: Socket) => {
      const client = clientOf(socket);
      this.#connections.set(client, socket);
      socket.once('close', () => this.#connections.delete(client));
    });
  }

  /** Aborted when the service begins to close. */
  get begun(): AbortSignal {
    return this.#begun.signal;
  }

  /** Aborted when requests in flight may take no longer. */
  get stopped(): AbortSignal {
    return this.#stopped.signal;
  }

  /** Ends when the last connection is closed. */
  async close({ end, idle }: Endings): Promise<void> {
    this.#begun.abort();
    for (const { reply } of this.#requests) reply.header('connection', 'close');
    const limit = setTimeout(() => this.#stopped.abort(), this.#limitMs);
    const stopped = aborted(this.stopped);
    const beganAtMs = performance.now();
    // Node closes neither connections whose request was answered since, nor those on which no request begins.
    const look = setInterval(() => {
      this.#app.server.closeIdleConnections();
      if (performance.now() - beganAtMs > ARRIVE_MS) this.#closeUnused();
    }, IDLE_MS);
    const closed = this.#app.close();
    await Promise.race([closed, stopped]);
    if (this.stopped.aborted) await this.#stop(end);
    await closed;
    clearInterval(look);
    await Promise.race([idle(), stopped]);
    clearTimeout(limit);
    await end();
  }

  #closeUnused(): void {
    const used = new Set([...this.#requests].map(({ request }) => clientOf(request.raw.socket)));
    for (const [client, socket] of this.#connections) if (!used.has(client)) socket.destroy();
  }

  /** Answers what is in flight, and closes every connection. */
  async #stop(end: Endings['end']): Promise<void> {
    const ended = end();
    await this.#allAnswered(ANSWER_MS);
    for (const { request, reply } of this.#requests) if (!reply.raw.headersSent) reply.send(stoppedError(request));
    await this.#allAnswered(TAKE_MS);
    for (const socket of this.#connections.values()) socket.destroy();
    await ended;
  }

  async #allAnswered(limitMs: number): Promise<void> {
    const until = performance.now() + limitMs;
    while (this.#requests.size > 0 && performance.now() < until) await sleep(IDLE_MS);
  }
}

const clientOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

/** A write whose body has arrived may have been committed, or may be yet. */
function stoppedError({ raw, routeOptions }: FastifyRequest): MoraineError {
  const { scope } = routeOptions.config as RouteConfig;
  if (raw.complete && (scope === 'write' || scope === 'admin'))
    return new MoraineError('COMMIT_STATE_UNKNOWN', 'The service stopped before it knew whether the write landed.', {
      remedy: 'Repeat the request: under its Idempotency-Key it is written once, without one it may be written twice.',
    });
  return new MoraineError('SERVICE_CLOSING', 'The service stopped before the answer was complete.');
}
