/** Pushes at a fixed rate over kept connections, and reads beside them: latencies from the moment that a request was due. */
import { Agent, request } from 'node:http';
import { randomNumbers } from './online-reads.js';
import { FEATURE_NAMES, ONLINE_VIEW, sleep } from './online-source.js';

const CONNECTIONS = 50;
const ROWS = 10;
/** Each connection pushes so often. */
const INTERVAL_MS = 100;
const READ_INTERVAL_MS = 25;
const READ_ENTITIES = 10;
/** One push in so many is looked for through the other service. */
const WATCHED = 100;

export interface PushLoad {
  /** Takes pushes and reads. */
  readonly url: string;
  /** Another service on the same tables. */
  readonly otherUrl: string;
  readonly entities: number;
  readonly seconds: number;
}

/** Milliseconds, and rows per second that were acknowledged. */
export type PushFigures = Record<
  'rowsPerSecond' | 'p50' | 'p99' | 'max' | 'failed' | 'firstReadP99' | 'lastReadP99' | 'servedP50' | 'servedP99',
  number
>;

interface Timed {
  /** When it was due, milliseconds since the start. */
  readonly due: number;
  readonly took: number;
}

/** Runs for the given time. The first and the last minute (or quarter) of reads are told apart. */
export async function measurePushes(load: PushLoad): Promise<PushFigures> {
  const agent = new Agent({ keepAlive: true, maxSockets: 256 });
  const random = randomNumbers(7);
  const pushes: Timed[] = [];
  const reads: Timed[] = [];
  const served: number[] = [];
  const watches: Promise<void>[] = [];
  let failed = 0;
  let count = 0;
  const began = performance.now();
  const endMs = load.seconds * 1_000;

  const every = async (offset: number, interval: number, into: Timed[], once: () => Promise<void>): Promise<void> => {
    for (let due = offset; due < endMs; due += interval) {
      const early = began + due - performance.now();
      if (early > 0) await sleep(early);
      await once().catch((error: unknown) => {
        if (failed === 0) process.stderr.write(`a request failed: ${String(error)}\n`);
        failed += 1;
      });
      into.push({ due, took: performance.now() - began - due });
    }
  };
  const push = async (): Promise<void> => {
    const number = count++;
    const keys = Array.from({ length: ROWS }, () => Math.floor(random() * load.entities));
    await post(agent, `${load.url}/write-to-online-store`, pushBody(keys, number));
    if (number % WATCHED === 0) watches.push(watch(agent, load.otherUrl, keys[0] ?? 0, number, served));
  };
  const read = async (): Promise<void> => {
    const keys = Array.from({ length: READ_ENTITIES }, () => Math.floor(random() * load.entities));
    await post(agent, `${load.url}/get-online-features`, readBody(keys, FEATURE_NAMES));
  };
  await Promise.all([
    ...Array.from({ length: CONNECTIONS }, (_, place) =>
      every((place * INTERVAL_MS) / CONNECTIONS, INTERVAL_MS, pushes, push),
    ),
    every(0, READ_INTERVAL_MS, reads, read),
  ]);
  const tookMs = performance.now() - began;
  await Promise.all(watches);
  agent.destroy();
  const part = Math.min(60_000, endMs / 4);
  return {
    rowsPerSecond: (1_000 * ROWS * pushes.length) / tookMs,
    p50: percentile(pushes, 0.5),
    p99: percentile(pushes, 0.99),
    max: percentile(pushes, 1),
    failed,
    firstReadP99: percentile(
      reads.filter(({ due }) => due < part),
      0.99,
    ),
    lastReadP99: percentile(
      reads.filter(({ due }) => due >= endMs - part),
      0.99,
    ),
    servedP50: percentileOf(served, 0.5),
    servedP99: percentileOf(served, 0.99),
  };
}

/** Waits until the other service serves the push, or a later one of the same entity. */
async function watch(agent: Agent, url: string, key: number, number: number, served: number[]): Promise<void> {
  const began = performance.now();
  for (;;) {
    const answer = await post(agent, `${url}/get-online-features`, readBody([key], ['n1'])).catch(() => '');
    const { results } = (answer === '' ? { results: [] } : JSON.parse(answer)) as {
      readonly results: readonly { readonly values: readonly (number | null)[] }[];
    };
    const value = results.at(-1)?.values[0] ?? -1;
    if (value >= PUSHED + number && value < 2 * PUSHED) return void served.push(performance.now() - began);
    await sleep(10);
  }
}

/** Values of pushes begin here. */
const PUSHED = 1_000_000_000;
/** Pushed rows are newer than those of the source. */
const FROM_MS = Date.parse('2026-06-01T00:00:00Z');

function pushBody(keys: readonly number[], number: number): string {
  const all = <T>(value: T): readonly T[] => keys.map(() => value);
  return JSON.stringify({
    feature_view_name: ONLINE_VIEW,
    df: {
      entity_id: keys,
      event_timestamp: all(new Date(FROM_MS + number).toISOString().replace('Z', '')),
      d1: all(0.25),
      d2: all(number / 4),
      f1: all(null),
      n1: all(PUSHED + number),
      n2: all(number % 100),
      i1: all(number),
      b1: all(true),
      s1: all('segment-1'),
      s2: all(`a longer text of customer ${number}`),
      m1: all('1.25'),
    },
  });
}

function readBody(keys: readonly number[], features: readonly string[]): string {
  return JSON.stringify({
    features: features.map((name) => `${ONLINE_VIEW}:${name}`),
    entities: { entity_id: keys },
  });
}

/** @throws for every status but 200 */
function post(agent: Agent, url: string, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const sent = request(url, { method: 'POST', agent, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (more: string) => (text += more));
      response.on('end', () => {
        if (response.statusCode === 200) resolve(text);
        else reject(new Error(`${response.statusCode}: ${text}`));
      });
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

function percentile(times: readonly Timed[], part: number): number {
  return percentileOf(
    times.map(({ took }) => took),
    part,
  );
}

function percentileOf(times: readonly number[], part: number): number {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}
