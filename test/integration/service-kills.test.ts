/**
 * Clients push under keys and read through two services on one project, which are killed and started again: every acknowledged push is
 * read at once through either, no push is there twice, and no read is wrong.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'libsql';
import { expect, test, vi } from 'vitest';
import { materializeDirect } from '../../materialization/index.js';
import { materializationDeps } from '../../project/index.js';
import { type ServiceProcess, startServiceProcess } from '../support/service-process.js';
import { SmallProject } from '../support/small-project.js';

/** Kills; more in the long form. */
const KILLS = Number(process.env.MORAINE_SERVICE_KILLS ?? 6);
const CLIENTS = 8;
/** Sensors of a client: nobody else pushes them. */
const SENSORS = 20;
const ROWS = 5;
/** Time of the first push in seconds since 1970; each later one is a second newer. */
const FROM = Date.parse('2020-01-01T00:00:00Z') / 1000;

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly snapshots: string;
}

/** Two services. One of them may be dead at any moment. */
class Pair {
  readonly #folder: string;
  readonly #services: (ServiceProcess | null)[] = [null, null];

  constructor(folder: string) {
    this.#folder = folder;
  }

  async start(place: number): Promise<void> {
    this.#services[place] = await startServiceProcess(this.#folder);
  }

  async kill(place: number): Promise<void> {
    const service = this.#services[place];
    this.#services[place] = null;
    // SIGKILL gives no exit code.
    expect(await service?.stop('SIGKILL')).toBeNull();
  }

  /** Asks one of them, and the other if it is dead, until one answers with 200. */
  async ask(path: string, body: string, headers: Readonly<Record<string, string>>, first: number): Promise<Answer> {
    for (let attempt = first; ; attempt += 1) {
      const answer = await this.#try(path, body, headers, attempt % 2);
      if (answer?.status === 200) return answer;
      // What is not known, or too much at present, is asked again; every other answer is a mistake.
      if (answer !== null && ![429, 503, 504].includes(answer.status))
        throw new Error(`${path}: ${answer.status} ${answer.text}`);
      await sleep(20);
    }
  }

  async answer(path: string, body: string, headers: Readonly<Record<string, string>>, place: number): Promise<Answer> {
    const answer = await this.#try(path, body, headers, place);
    if (answer === null) throw new Error(`service ${place} does not answer`);
    return answer;
  }

  async #try(
    path: string,
    body: string,
    headers: Readonly<Record<string, string>>,
    place: number,
  ): Promise<Answer | null> {
    const url = this.#services[place]?.url;
    if (url === undefined) return null;
    try {
      const all = { 'content-type': 'application/json', ...headers };
      const response = await fetch(`${url}${path}`, { method: 'POST', headers: all, body });
      const text = await response.text();
      return { status: response.status, text, snapshots: response.headers.get('moraine-snapshots') ?? '' };
    } catch {
      return null;
    }
  }
}

/** Pushes one after the other, and reads what was pushed after each. */
class Client {
  readonly #number: number;
  readonly #pair: Pair;
  readonly #view: string;
  /** By sensor: the reading that was acknowledged last. */
  readonly newest = new Map<number, number>();
  pushes = 0;

  constructor(number: number, pair: Pair, view: string) {
    this.#number = number;
    this.#pair = pair;
    this.#view = view;
  }

  pushOf(push: number): { readonly body: string; readonly headers: Readonly<Record<string, string>> } {
    const df = { sensor: this.#sensorsOf(push), reading: Array(ROWS).fill(this.readingOf(push)) as number[] };
    const time = new Date((FROM + push) * 1000).toISOString().replace('Z', '');
    return {
      body: JSON.stringify({
        feature_view_name: this.#view,
        df: { ...df, event_timestamp: Array(ROWS).fill(time) as string[] },
      }),
      headers: { 'idempotency-key': `client ${this.#number}, push ${push}` },
    };
  }

  /** No two pushes have the same. */
  readingOf(push: number): number {
    return this.#number * 1_000_000 + push + 0.5;
  }

  #sensorsOf(push: number): readonly number[] {
    return Array.from({ length: ROWS }, (_, row) => 1000 * (this.#number + 1) + ((push * 3 + row) % SENSORS));
  }

  async run(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      const push = this.pushes;
      const { body, headers } = this.pushOf(push);
      const { snapshots } = await this.#pair.ask('/write-to-online-store', body, headers, push + this.#number);
      this.pushes += 1;
      for (const sensor of this.#sensorsOf(push)) this.newest.set(sensor, this.readingOf(push));
      // The other service knows the push by its snapshot.
      await this.read({ 'moraine-min-snapshot': snapshots }, push + this.#number + 1);
    }
  }

  async read(headers: Readonly<Record<string, string>>, place: number): Promise<void> {
    const sensors = [...this.newest.keys()];
    const body = JSON.stringify({ entities: { sensor: sensors }, features: [`${this.#view}:reading`] });
    const { text } = await this.#pair.ask('/get-online-features', body, headers, place);
    const { results } = JSON.parse(text) as { readonly results: readonly [unknown, { readonly values: unknown }] };
    expect(results[1].values).toEqual([...this.newest.values()]);
  }
}

/** Waits until the online table has another pointer. */
async function nextCommit({ folder, view }: SmallProject): Promise<void> {
  const catalog = new Database(join(folder, 'catalog.db'), { readonly: true, timeout: 5000 });
  try {
    const pointer = catalog.prepare('SELECT metadata_location FROM iceberg_tables WHERE table_name = ?');
    const locationOf = (): unknown => (pointer.get(view) as { metadata_location: unknown }).metadata_location;
    const before = locationOf();
    while (locationOf() === before) await sleep(1);
  } finally {
    catalog.close();
  }
}

test('services are killed while clients push and read', async () => {
  const small = await SmallProject.create({ buckets: 8 });
  await small.append(1000);
  await materializeDirect(await materializationDeps(small.project), { view: small.view });
  const pair = new Pair(small.folder);
  await Promise.all([pair.start(0), pair.start(1)]);

  const clients = Array.from({ length: CLIENTS }, (_, number) => new Client(number, pair, small.view));
  let isOver = false;
  const running = Promise.all(clients.map((client) => client.run(() => isOver)));
  running.catch(() => undefined);
  for (let kill = 0; kill < KILLS; kill += 1) {
    await sleep(300 + ((kill * 397) % 700));
    // A commit is there, and those who pushed do not know it yet.
    await nextCommit(small);
    await pair.kill(kill % 2);
    await pair.start(kill % 2);
  }
  isOver = true;
  await running;

  const pushes = clients.reduce((sum, client) => sum + client.pushes, 0);
  expect(pushes).toBeGreaterThan(KILLS * CLIENTS);
  // Without a snapshot that is asked for, the pushes of the other service come with the next look at the table.
  for (const client of clients) {
    for (const place of [0, 1]) await vi.waitFor(() => client.read({}, place), { timeout: 10_000, interval: 100 });
  }
  // Each push is in the table once: nobody compacts.
  const counts = 'SELECT reading, count(*)::INTEGER FROM rows WHERE sensor >= 1000 GROUP BY ALL ORDER BY ALL';
  const expected = clients.flatMap((client) =>
    Array.from({ length: client.pushes }, (_, push) => [client.readingOf(push), ROWS]),
  );
  expect(await small.query(await small.online(), counts)).toEqual(expected);

  // Keys outlive the processes that took them.
  await Promise.all([pair.kill(0), pair.kill(1)]);
  await Promise.all([pair.start(0), pair.start(1)]);
  const [client] = clients as [Client];
  const { body, headers } = client.pushOf(0);
  const again = await pair.answer('/write-to-online-store', body, headers, 1);
  expect([again.status, again.snapshots]).toEqual([200, expect.stringContaining(`${small.view}=`)]);
  const other = await pair.answer('/write-to-online-store', client.pushOf(1).body, headers, 0);
  expect(other.status).toBe(422);
  expect(await small.query(await small.online(), counts)).toEqual(expected);
});
