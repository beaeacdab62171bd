/** Serves the health and the metrics of a worker process over HTTP. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { HostAndPort } from '../../config/index.js';
import { type Listening, listen } from './listen.js';

/** Answer of a page. */
interface Page {
  readonly status: 200 | 503;
  readonly contentType: string;
  readonly body: string;
}

/** Whether a worker takes work, and what it is made of. */
export interface Readiness {
  readonly status: 'starting' | 'ready' | 'failing' | 'draining' | 'failed' | 'server-unreachable';
  /** `host:port` of the Temporal server. */
  readonly server: string;
  /** Why it is `failing`, one sentence each. */
  readonly problems: readonly string[];
  readonly taskQueues: readonly TaskQueueReadiness[];
}

interface TaskQueueReadiness {
  readonly name: string;
  readonly state: string;
  /** Workflow tasks and activities that this process works on right now. */
  readonly workflowTasks: number;
  readonly activities: number;
}

export interface HealthSources {
  readiness(): Promise<Readiness>;
  /** In Prometheus' text format. */
  metrics(): Promise<string>;
}

/** The event loop's delay is that of the last one to two of these. */
const DELAY_WINDOW_MS = 30_000;
const DELAY_RESOLUTION_MS = 20;
const NS_PER_MS = 1e6;

/**
 * Serves `/healthz` (the process lives: a blocked event loop does not answer), `/readyz` (it polls, the server can be reached, and workflow
 * code does not fail; else 503) and `/metrics`.
 *
 * @throws `INVALID_ARGUMENT` if the address cannot be listened on
 */
export async function serveHealth(address: HostAndPort, sources: HealthSources): Promise<Listening> {
  const delay = new RecentDelay();
  const pages = new Map<string, () => Promise<Page>>([
    ['/healthz', () => Promise.resolve(json(200, { status: 'ok', uptimeSeconds: uptime(), eventLoop: delay.read() }))],
    ['/readyz', async () => readinessPage(await sources.readiness())],
    ['/metrics', async () => ({ status: 200, contentType: METRICS_TYPE, body: await sources.metrics() })],
  ]);
  const server = createServer((request, response) => void answer(pages, request, response));
  const listening = await listen(server, address, 'health');
  return {
    url: listening.url,
    close: () => {
      delay.stop();
      return listening.close();
    },
  };
}

const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

const uptime = (): number => Math.round(process.uptime());

const readinessPage = (readiness: Readiness): Page => json(readiness.status === 'ready' ? 200 : 503, readiness);

const json = (status: Page['status'], value: object): Page => ({
  status,
  contentType: 'application/json',
  body: `${JSON.stringify(value)}\n`,
});

async function answer(
  pages: ReadonlyMap<string, () => Promise<Page>>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const page = pages.get((request.url ?? '').replace(/\?.*$/, ''));
  if (page === undefined) return void response.writeHead(404).end(`${[...pages.keys()].join(' ')}\n`);
  if (request.method !== 'GET' && request.method !== 'HEAD') return void response.writeHead(405).end();
  try {
    const { status, contentType, body } = await page();
    response.writeHead(status, { 'content-type': contentType, 'cache-control': 'no-store' });
    response.end(request.method === 'HEAD' ? '' : body);
  } catch (error) {
    response.writeHead(500).end(`${error instanceof Error ? error.message : String(error)}\n`);
  }
}

/** How late the event loop's timers were lately. */
class RecentDelay {
  readonly #monitor = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });
  readonly #timer = setInterval(() => this.#turn(), DELAY_WINDOW_MS).unref();
  #previousMaxNs = 0;

  constructor() {
    this.#monitor.enable();
  }

  /** The longest delay, in milliseconds. */
  read(): { readonly maxDelayMs: number } {
    const maxNs = Math.max(this.#previousMaxNs, this.#monitor.max);
    return { maxDelayMs: Math.max(0, Math.round(maxNs / NS_PER_MS) - DELAY_RESOLUTION_MS) };
  }

  #turn(): void {
    this.#previousMaxNs = this.#monitor.max;
    this.#monitor.reset();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#monitor.disable();
  }
}
