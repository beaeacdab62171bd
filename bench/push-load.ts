/**
 * Pushes at a fixed rate over kept connections, and reads beside them: latencies from the moment that a request was due. A request is sent when it
 * is due, whether or not those before it on its connection are answered.
 */
import { Client } from 'undici';
import { randomNumbers } from './online-reads.js';
import { FEATURE_NAMES, ONLINE_VIEW, sleep } from './online-source.js';
import { percentile } from './percentile.js';

const CONNECTIONS = 50;
const ROWS = 10;
/** Each connection pushes so often. */
const INTERVAL_MS = 100;
const READ_INTERVAL_MS = 25;
const READ_ENTITIES = 10;
/** One push in so many is looked for through the other service. */
const WATCHED = 100;
const LOOK_INTERVAL_MS = 20;
const MOST_LOOKED_FOR = 500;
/** Requests of a connection that may be without an answer. */
const MAX_UNANSWERED = 1_000;

export interface PushLoad {
  /** Takes pushes and reads. */
  readonly url: string;
  /** Another service on the same tables. */
  readonly otherUrl: string;
  readonly entities: number;
  readonly seconds: number;
}

/**
 * Milliseconds; rows that were acknowledged for each second of the load, of which as many are offered as the bar has; and the share of ten-second
 * spans whose p99 of pushes is within its bar.
 */
export type PushFigures = Record<
  | 'rowsPerSecond'
  | 'p50'
  | 'p99'
  | 'max'
  | 'quickSpans'
  | 'failed'
  | 'firstReadP99'
  | 'lastReadP99'
  | 'servedP50'
  | 'servedP99',
  number
>;

/** Milliseconds within which 99 of 100 pushes are to be acknowledged. */
export const PUSH_BAR_MS = 400;
const SPAN_MS = 10_000;

interface Timed {
  /** When it was due, milliseconds since the start. */
  readonly due: number;
  readonly took: number;
}

/** Runs for the given time. The first and the last minute (or quarter) of reads are told apart. */
export async function measurePushes(load: PushLoad): Promise<PushFigures> {
  const pushers = Array.from({ length: CONNECTIONS }, () => connect(load.url));
  const [reader, other] = [connect(load.url), connect(load.otherUrl)];
  const random = randomNumbers(7);
  const pushes: Timed[] = [];
  const reads: Timed[] = [];
  const served: number[] = [];
  const answers: Promise<void>[] = [];
  const watched: Watched[] = [];
  let isEnded = false;
  let failed = 0;
  let count = 0;
  const began = performance.now();
  const endMs = load.seconds * 1_000;

  const timed = async (due: number, into: Timed[], answer: Promise<unknown>): Promise<void> => {
    try {
      await answer;
      into.push({ due, took: performance.now() - began - due });
    } catch (error) {
      if (failed === 0) process.stderr.write(`a request failed: ${String(error)}\n`);
      failed += 1;
    }
  };
  const every = async (
    offset: number,
    interval: number,
    into: Timed[],
    once: () => Promise<unknown>,
  ): Promise<void> => {
    for (let due = offset; due < endMs; due += interval) {
      const early = began + due - performance.now();
      if (early > 0) await sleep(early);
      answers.push(timed(due, into, once()));
    }
  };
  const push = async (client: Client): Promise<void> => {
    const number = count++;
    const keys = Array.from({ length: ROWS }, () => Math.floor(random() * load.entities));
    await post(client, '/write-to-online-store', pushBody(keys, number));
    if (number % WATCHED === 0) watched.push({ key: keys[0] ?? 0, number, began: performance.now() });
  };
  const read = async (): Promise<void> => {
    const keys = Array.from({ length: READ_ENTITIES }, () => Math.floor(random() * load.entities));
    await post(reader, '/get-online-features', readBody(keys, FEATURE_NAMES));
  };
  const watching = (async () => {
    while (!isEnded || watched.length > 0) {
      await look(other, watched, served);
      await sleep(LOOK_INTERVAL_MS);
    }
  })();
  await Promise.all([
    ...pushers.map((client, place) =>
      every((place * INTERVAL_MS) / CONNECTIONS, INTERVAL_MS, pushes, () => push(client)),
    ),
    every(0, READ_INTERVAL_MS, reads, read),
  ]);
  // Answers add further ones.
  for (let place = 0; place < answers.length; place += 1) await answers[place];
  isEnded = true;
  await watching;
  await Promise.all([...pushers, reader, other].map((client) => client.close()));
  const part = Math.min(60_000, endMs / 4);
  return {
    rowsPerSecond: (ROWS * pushes.length) / load.seconds,
    p50: percentileOf(pushes, 0.5),
    p99: percentileOf(pushes, 0.99),
    max: percentileOf(pushes, 1),
    quickSpans: quickSpans(pushes, endMs),
    failed,
    firstReadP99: percentileOf(
      reads.filter(({ due }) => due < part),
      0.99,
    ),
    lastReadP99: percentileOf(
      reads.filter(({ due }) => due >= endMs - part),
      0.99,
    ),
    servedP50: percentile(served, 0.5),
    servedP99: percentile(served, 0.99),
  };
}

/** Says to standard error which spans were slow. */
function quickSpans(pushes: readonly Timed[], endMs: number): number {
  const p99s: number[] = [];
  for (let from = 0; from < endMs; from += SPAN_MS)
    p99s.push(
      percentileOf(
        pushes.filter(({ due }) => due >= from && due < from + SPAN_MS),
        0.99,
      ),
    );
  process.stderr.write(`p99 of pushes by ten seconds: ${p99s.map(Math.round).join(' ')}\n`);
  return p99s.filter((p99) => p99 <= PUSH_BAR_MS).length / p99s.length;
}

/** A push that was acknowledged and is looked for. */
interface Watched {
  readonly key: number;
  readonly number: number;
  readonly began: number;
}

/** Takes those out that the other service serves, or a later push of the same entity: one request for all, since a request for each would grow with the delay. */
async function look(client: Client, watched: Watched[], served: number[]): Promise<void> {
  const asked = watched.slice(0, MOST_LOOKED_FOR);
  if (asked.length === 0) return;
  const keys = asked.map(({ key }) => key);
  const answer = await post(client, '/get-online-features', readBody(keys, ['n1'])).catch(() => '');
  if (answer === '') return;
  const { results } = JSON.parse(answer) as {
    readonly results: readonly { readonly values: readonly (number | null)[] }[];
  };
  const values = results.at(-1)?.values ?? [];
  const now = performance.now();
  for (const [place, { number, began }] of asked.entries()) {
    const value = values[place] ?? -1;
    if (value < PUSHED + number || value >= 2 * PUSHED) continue;
    served.push(now - began);
    watched.splice(watched.indexOf(asked[place] as Watched), 1);
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

function connect(url: string): Client {
  return new Client(url, { pipelining: MAX_UNANSWERED });
}

/** @throws for every status but 200 */
async function post(client: Client, path: string, body: string): Promise<string> {
  const { statusCode, body: answer } = await client.request({
    path,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
    // Sent beside others without an answer.
    idempotent: true,
  });
  const text = await answer.text();
  if (statusCode !== 200) throw new Error(`${statusCode}: ${text}`);
  return text;
}

function percentileOf(times: readonly Timed[], part: number): number {
  return percentile(
    times.map(({ took }) => took),
    part,
  );
}
