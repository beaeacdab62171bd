/** How old an event is when a service gives its feature: a sink that follows a log and materializes each batch, and the service beside it, as processes. */
import { once } from 'node:events';
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createMoraine } from '../../client/index.js';
import { parseSchema } from '../../iceberg/index.js';
import { startMoraine } from '../../test/support/cli.js';
import { type BenchContext, type BenchJob, type BenchSize, figure } from '../job.js';
import { sleep } from '../online-source.js';
import { percentile } from '../percentile.js';

const NAME = 'sink-serving';
const TABLE = 'bench.events';
const VIEW = 'device_state';
const LOG = 'events.ndjson';
/** `--batch-interval` of the sink. */
const INTERVAL_S = 1;
const SECONDS: Readonly<Record<BenchSize, number>> = { S: 60, M: 300 };
const RECORDS_PER_SECOND = 20;
/** More than there are records that wait. */
const DEVICES = 1_000;
const POLL_MS = 10;
/** Without an answer for so long, the sink or the service has failed. */
const GIVE_UP_MS = 60_000;

const CONFIG = `catalogs:
  local: { uri: catalog.db, warehouse: warehouse }
engine: { memoryLimit: 1GB, threads: 1 }
`;
const SCHEMA = parseSchema({
  type: 'struct',
  'schema-id': 0,
  fields: [
    { id: 1, name: 'device', required: true, type: 'long' },
    { id: 2, name: 'at', required: true, type: 'timestamptz' },
    { id: 3, name: 'count', required: true, type: 'long' },
  ],
});

async function makeProject({ scratchFolder }: BenchContext): Promise<void> {
  writeFileSync(join(scratchFolder, 'moraine.yaml'), CONFIG);
  writeFileSync(join(scratchFolder, LOG), '');
  const moraine = await createMoraine({ cwd: scratchFolder });
  await moraine.createTable(TABLE, { schema: SCHEMA });
  const source = { table: TABLE, timestampField: 'at' };
  await moraine.apply({
    entities: [{ name: 'device', joinKeys: ['device'] }],
    featureViews: [{ name: VIEW, online: true, entities: ['device'], source, features: ['count'] }],
  });
  await moraine.close();
}

/** A command as a process of its own, whose errors are shown. */
class Command {
  readonly #child;
  readonly #ended: Promise<unknown>;
  readonly #name: string;

  constructor(folder: string, args: readonly string[]) {
    this.#name = args.slice(0, 2).join(' ');
    this.#child = startMoraine(args, { cwd: folder });
    this.#ended = once(this.#child, 'close');
    this.#child.stderr.resume();
  }

  /** The first line of its output, as JSON; what follows is not read. */
  async firstLine<T>(): Promise<T> {
    const line = await createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]().next();
    if (line.done === true) throw new Error(`${this.#name} has ended early`);
    return JSON.parse(line.value) as T;
  }

  ignoreOutput(): void {
    this.#child.stdout.resume();
  }

  requireAlive(): void {
    if (this.#child.exitCode !== null) throw new Error(`${this.#name} has ended with ${this.#child.exitCode}`);
  }

  /** @throws if it does not end well */
  async end(): Promise<void> {
    this.#child.kill('SIGTERM');
    await this.#ended;
    if (this.#child.exitCode !== 0) throw new Error(`${this.#name} has ended with ${this.#child.exitCode}`);
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

/** Records on their way from the log to the service. */
class Events {
  readonly #log: string;
  readonly #url: string;
  /** By device; a device has one at a time. */
  readonly #waiting = new Map<number, { readonly count: number; readonly sinceMs: number }>();
  #count = 0;
  /** Milliseconds from a record's line in the log to an answer with its value. */
  readonly served: number[] = [];

  constructor(folder: string, url: string) {
    this.#log = join(folder, LOG);
    this.#url = url;
  }

  get areServed(): boolean {
    return this.#waiting.size === 0;
  }

  /** Writes the next record into the log. */
  append(): void {
    const [device, count] = [this.#count % DEVICES, this.#count];
    if (this.#waiting.has(device)) throw new Error(`a record waits for longer than ${DEVICES} others take`);
    this.#count += 1;
    this.#waiting.set(device, { count, sinceMs: performance.now() });
    appendFileSync(this.#log, `${JSON.stringify({ device, at: new Date(), count })}\n`);
  }

  /** Waits until a record is served: the sink has begun then, and the view has its table. */
  async warmUp(requireAlive: () => void): Promise<void> {
    this.append();
    while (!this.areServed) {
      await this.look().catch(() => undefined);
      requireAlive();
      await sleep(POLL_MS);
    }
    this.served.length = 0;
  }

  /** Asks for the devices whose records wait. */
  async look(): Promise<void> {
    const devices = [...this.#waiting.keys()];
    if (devices.length === 0) return;
    const body = JSON.stringify({ features: [`${VIEW}:count`], entities: { device: devices } });
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${this.#url}/get-online-features`, { method: 'POST', headers, body });
    if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
    const { results } = (await answer.json()) as { readonly results: readonly { readonly values: unknown[] }[] };
    const nowMs = performance.now();
    for (const [index, value] of (results.at(-1)?.values ?? []).entries())
      this.#see(devices[index] ?? -1, value, nowMs);
  }

  #see(device: number, value: unknown, nowMs: number): void {
    const record = this.#waiting.get(device);
    if (record === undefined) return;
    const { count, sinceMs } = record;
    if (value === count) {
      this.served.push(nowMs - sinceMs);
      this.#waiting.delete(device);
    } else if (nowMs - sinceMs > GIVE_UP_MS) throw new Error(`device ${device} has ${String(value)}, not ${count}`);
  }
}

/** Appends records at a steady pace and looks for them all the time, until each was served. */
async function load(events: Events, seconds: number, requireAlive: () => void): Promise<void> {
  const beganMs = performance.now();
  const records = seconds * RECORDS_PER_SECOND;
  for (let appended = 0; appended < records || !events.areServed; ) {
    const dueMs = beganMs + (appended * 1000) / RECORDS_PER_SECOND;
    if (appended < records && performance.now() >= dueMs) {
      events.append();
      appended += 1;
    }
    await events.look();
    requireAlive();
    await sleep(POLL_MS);
  }
}

export const sinkServing: BenchJob = {
  name: NAME,
  title:
    'Records that a log gets, 20 each second, until their features are served over HTTP, in intervals: a sink that follows the log with an interval of a second and materializes each batch, beside the service.',
  runs: 1,
  prepare: () => Promise.resolve(),
  variants: {
    async ours(context, measure) {
      await makeProject(context);
      const folder = context.scratchFolder;
      const service = new Command(folder, ['serve', '--port', '0', '--json']);
      const options = ['--follow', '--batch-interval', `${INTERVAL_S}`, '--materialize', VIEW, '--json'];
      const sink = new Command(folder, ['sink', 'run', TABLE, LOG, ...options]);
      const commands = [service, sink];
      try {
        const { url } = await service.firstLine<{ readonly url: string }>();
        sink.ignoreOutput();
        const requireAlive = () => {
          for (const command of commands) command.requireAlive();
        };
        const events = new Events(folder, url);
        await events.warmUp(requireAlive);
        await measure(() => load(events, SECONDS[context.size], requireAlive));
        await sink.end();
        await service.end();
        const ofInterval = (part: number): number => percentile(events.served, part) / (INTERVAL_S * 1000);
        return { p50: ofInterval(0.5), p99: ofInterval(0.99), max: ofInterval(1), records: events.served.length };
      } finally {
        for (const command of commands) command.kill();
      }
    },
  },
  figures(medians, size) {
    const of = (name: string): number => medians['ours']?.extra[name] ?? Number.NaN;
    const line = (what: string, name: string, options: { readonly atMost?: number } = {}) =>
      figure(
        NAME,
        size,
        `${what} of ${of('records')} records, in intervals of ${INTERVAL_S} s`,
        of(name),
        'intervals',
        options,
      );
    return [
      line('event until served, p50', 'p50'),
      line('event until served, p99', 'p99', { atMost: 2 }),
      line('event until served, longest', 'max'),
    ];
  },
};
