/**
 * Clients write under keys and read through two services on one project, which are killed and started again while the online table is compacted:
 * every acknowledged row is read at once through either, none is there twice, and no read is wrong. Half of the clients push to the source
 * table and the online table, which are two commits.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DuckDBInstance } from '@duckdb/node-api';
import Database from 'libsql';
import { expect, test, vi } from 'vitest';
import { compactDirect } from '../../maintenance/index.js';
import { materializeDirect } from '../../materialization/index.js';
import { compactDeps, materializationDeps } from '../../project/index.js';
import { filesAddedBy } from '../support/added-files.js';
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
const PUSH_SOURCE = 'readings_push';

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly snapshots: string;
}

interface Request {
  readonly path: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Two services. One of them may be dead at any moment. */
class Pair {
  readonly #folder: string;
  readonly #services: (ServiceProcess | null)[] = [null, null];
  /** Requests that were under way when their service was killed, by path. */
  readonly cut = new Map<string, number>();

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
  async ask(request: Request, first: number): Promise<Answer> {
    for (let attempt = first; ; attempt += 1) {
      const answer = await this.#try(request, attempt % 2);
      if (answer?.status === 200) return answer;
      // What is not known, or too much at present, is asked again; every other answer is a mistake.
      if (answer !== null && ![429, 503, 504].includes(answer.status))
        throw new Error(`${request.path}: ${answer.status} ${answer.text}`);
      await sleep(20);
    }
  }

  async answer(request: Request, place: number): Promise<Answer> {
    const answer = await this.#try(request, place);
    if (answer === null) throw new Error(`service ${place} does not answer`);
    return answer;
  }

  async #try({ path, body, headers }: Request, place: number): Promise<Answer | null> {
    const url = this.#services[place]?.url;
    if (url === undefined) return null;
    try {
      const all = { 'content-type': 'application/json', ...headers };
      const response = await fetch(`${url}${path}`, { method: 'POST', headers: all, body });
      const text = await response.text();
      return { status: response.status, text, snapshots: response.headers.get('moraine-snapshots') ?? '' };
    } catch {
      this.cut.set(path, (this.cut.get(path) ?? 0) + 1);
      return null;
    }
  }
}

/** Writes one batch after the other, and reads what was written after each. */
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

  /** Whether it pushes to the source table, too. */
  get isOffline(): boolean {
    return this.#number % 2 === 1;
  }

  pushOf(push: number): Request {
    const df = { sensor: this.#sensorsOf(push), reading: Array(ROWS).fill(this.readingOf(push)) as number[] };
    const times = Array(ROWS).fill(new Date((FROM + push) * 1000).toISOString().replace('Z', '')) as string[];
    const headers = { 'idempotency-key': `client ${this.#number}, push ${push}` };
    if (this.isOffline) {
      const body = { push_source_name: PUSH_SOURCE, df: { ...df, event_ts: times }, to: 'online_and_offline' };
      return { path: '/push', body: JSON.stringify(body), headers };
    }
    const body = { feature_view_name: this.#view, df: { ...df, event_timestamp: times } };
    return { path: '/write-to-online-store', body: JSON.stringify(body), headers };
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
      // Of each kind of clients half ask one service first.
      const first = push + Math.floor(this.#number / 2);
      const { snapshots } = await this.#pair.ask(this.pushOf(push), first);
      this.pushes += 1;
      for (const sensor of this.#sensorsOf(push)) this.newest.set(sensor, this.readingOf(push));
      // The other service knows the push by its snapshot.
      await this.read({ 'moraine-min-snapshot': snapshots }, first + 1);
    }
  }

  async read(headers: Readonly<Record<string, string>>, place: number): Promise<void> {
    const sensors = [...this.newest.keys()];
    const body = JSON.stringify({ entities: { sensor: sensors }, features: [`${this.#view}:reading`] });
    const { text } = await this.#pair.ask({ path: '/get-online-features', body, headers }, place);
    const { results } = JSON.parse(text) as { readonly results: readonly [unknown, { readonly values: unknown }] };
    expect(results[1].values).toEqual([...this.newest.values()]);
  }
}

/** Waits until a table has another pointer. */
async function nextCommit({ folder }: SmallProject, table: string): Promise<void> {
  const catalog = new Database(join(folder, 'catalog.db'), { readonly: true, timeout: 5000 });
  try {
    const pointer = catalog.prepare('SELECT metadata_location FROM iceberg_tables WHERE table_name = ?');
    const locationOf = (): unknown => (pointer.get(table) as { metadata_location: unknown }).metadata_location;
    const before = locationOf();
    while (locationOf() === before) await sleep(1);
  } finally {
    catalog.close();
  }
}

/** How many rows clients have committed of each reading, by DuckDB: online with all that compactions have taken since, and in the source. */
async function committedRows(small: SmallProject): Promise<{ online: unknown; offline: unknown }> {
  const duckdb = await DuckDBInstance.create(':memory:');
  const connection = await duckdb.connect();
  const count = async (files: readonly string[]): Promise<unknown> => {
    const list = files.map((file) => `'${file}'`).join(', ');
    const sql = `SELECT reading, count(*)::INTEGER FROM read_parquet([${list}]) GROUP BY ALL ORDER BY ALL`;
    return (await connection.runAndReadAll(sql)).getRows();
  };
  try {
    return {
      online: await count(await filesAddedBy(await small.online(), 'online-write')),
      offline: await count(await filesAddedBy(await small.source(), 'push')),
    };
  } finally {
    connection.closeSync();
    duckdb.closeSync();
  }
}

test('services are killed while clients push and read', async () => {
  const small = await SmallProject.create({ buckets: 8, pushSource: PUSH_SOURCE });
  await small.append(1000);
  await materializeDirect(await materializationDeps(small.project), { view: small.view });
  const pair = new Pair(small.folder);
  await Promise.all([pair.start(0), pair.start(1)]);

  const clients = Array.from({ length: CLIENTS }, (_, number) => new Client(number, pair, small.view));
  let isOver = false;
  let groups = 0;
  const compact = async (): Promise<void> => {
    const deps = await compactDeps(small.project);
    while (!isOver) {
      groups += (await compactDirect(deps, { table: `moraine_online.${small.view}`, strategy: 'latest' })).groups;
      await sleep(20);
    }
  };
  const running = Promise.all([compact(), ...clients.map((client) => client.run(() => isOver))]);
  running.catch(() => undefined);
  for (let kill = 0; kill < KILLS; kill += 1) {
    await sleep(300 + ((kill * 397) % 700));
    // A commit is there, and those who pushed do not know it yet; of pushes to both tables the second one is missing.
    await nextCommit(small, kill % 4 < 2 ? 'readings' : small.view);
    await pair.kill(kill % 2);
    await pair.start(kill % 2);
  }
  isOver = true;
  await running;

  const pushes = clients.reduce((sum, client) => sum + client.pushes, 0);
  expect(pushes).toBeGreaterThan(KILLS * CLIENTS);
  expect(groups).toBeGreaterThan(0);
  for (const path of ['/push', '/write-to-online-store']) expect(pair.cut.get(path)).toBeGreaterThan(0);
  // Without a snapshot that is asked for, the pushes of the other service come with the next look at the table.
  for (const client of clients) {
    for (const place of [0, 1]) await vi.waitFor(() => client.read({}, place), { timeout: 10_000, interval: 100 });
  }
  const expectOnce = async (): Promise<void> => {
    const rowsOf = (those: readonly Client[]): readonly unknown[] =>
      those.flatMap((client) => Array.from({ length: client.pushes }, (_, push) => [client.readingOf(push), ROWS]));
    const offline = rowsOf(clients.filter((client) => client.isOffline));
    expect(await committedRows(small)).toEqual({ online: rowsOf(clients), offline });
    const counts = 'SELECT reading, count(*)::INTEGER FROM rows WHERE sensor >= 1000 GROUP BY ALL ORDER BY ALL';
    expect(await small.query(await small.source(), counts)).toEqual(offline);
    // What compactions have left: nothing twice, and of each sensor the newest row.
    const live =
      'SELECT sensor, max_by(reading, event_timestamp), count(*) = count(DISTINCT event_timestamp) FROM rows WHERE sensor >= 1000 GROUP BY ALL ORDER BY ALL';
    const newest = clients.flatMap((client) => [...client.newest]).sort(([a], [b]) => a - b);
    expect(await small.query(await small.online(), live)).toEqual(
      newest.map(([sensor, reading]) => [BigInt(sensor), reading, true]),
    );
  };
  await expectOnce();

  // Keys outlive the processes that took them.
  await Promise.all([pair.kill(0), pair.kill(1)]);
  await Promise.all([pair.start(0), pair.start(1)]);
  for (const client of clients.slice(0, 2)) {
    const first = client.pushOf(0);
    const again = await pair.answer(first, 1);
    expect([again.status, again.snapshots]).toEqual([200, expect.stringContaining(`${small.view}=`)]);
    const other = await pair.answer({ ...client.pushOf(1), headers: first.headers ?? {} }, 0);
    expect(other.status).toBe(422);
  }
  await expectOnce();
});
