/**
 * Incremental materialization of tables from which engines delete by position, by vector, by equality and by writing files
 * again: after every run the online table equals nested loops over the rows that the source had, and a table that is made
 * anew. No run is a full one. `MORAINE_WORLD` repeats one of the worlds of `MORAINE_SEED` alone.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { expect, test } from 'vitest';
import { type MaterializationDeps, materializeDirect, type PlanReference } from '../../materialization/index.js';
import { getOnlineFeatures, type OnlineSettings } from '../../online/index.js';
import { loadTableAt } from '../../tables/index.js';
import { numberIn } from '../support/environment.js';
import { Lab, VIEW } from '../support/materialization-lab.js';
import { runs, seed, timeLimit } from '../support/property-runs.js';
import { latestPerEntity, type OracleRow } from '../worlds/oracle.js';
import { Random } from '../worlds/random.js';
import { KEYS, MOMENTS, SourceHistory, sourceRow } from '../worlds/source-history.js';

const WORLDS = runs(4);
const ONLY = numberIn('MORAINE_WORLD', /^\d{1,7}$/);
/** The same in every run of the test command; nights go on from other seeds. */
const SEED = seed ?? 1;
const BUCKETS = 5;
const US = 1_000_000n;

/** Runs by what they were; of those that rebuilt buckets the ones that left some alone. */
type Counts = Map<string, number>;

test(`materialization beside deletes in worlds of seed ${SEED}`, { timeout: timeLimit(120_000) }, async () => {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const duckdb = await instance.connect();
  const counts: Counts = new Map();
  const indexes = ONLY === undefined ? Array.from({ length: WORLDS }, (_, index) => index) : [ONLY];
  for (const index of indexes) await checkWorld(index, duckdb, counts);
  instance.closeSync();
  expect(counts.get('full')).toBeUndefined();
  if (seed !== undefined || indexes.length < 4) return;
  for (const kind of ['incremental', 'rebuild-buckets', 'some buckets']) {
    expect(counts.get(kind), JSON.stringify([...counts])).toBeGreaterThan(0);
  }
});

async function checkWorld(index: number, duckdb: DuckDBConnection, counts: Counts): Promise<void> {
  const random = new Random(`materialization/${SEED}/${index}`);
  const lab = await Lab.open();
  const history = new SourceHistory(random, duckdb, join(lab.folder, 'source'));
  try {
    await history.writer.prepare();
    await new World(random, lab, history, counts).live();
  } catch (cause) {
    throw new Error(`MORAINE_SEED=${SEED} MORAINE_WORLD=${index}\n${history.steps.join('\n')}\n${String(cause)}`, {
      cause,
    });
  } finally {
    await lab.close();
    await rm(lab.folder, { recursive: true, force: true });
  }
}

class World {
  readonly #random: Random;
  readonly #lab: Lab;
  readonly #history: SourceHistory;
  readonly #counts: Counts;
  #metadata = '';
  /** The rows of the moment when it was last read. */
  #covered: (readonly OracleRow[])[] = Array.from({ length: MOMENTS }, () => []);

  constructor(random: Random, lab: Lab, history: SourceHistory, counts: Counts) {
    this.#random = random;
    this.#lab = lab;
    this.#history = history;
    this.#counts = counts;
    lab.view = { ...VIEW, onlineBuckets: BUCKETS };
  }

  async live(): Promise<void> {
    await this.#history.append(20);
    await this.#run();
    for (let round = this.#random.int(3, 5); round > 0; round--) {
      for (let changes = this.#random.int(1, 3); changes > 0; changes--) await this.#history.change();
      await this.#run();
    }
    await this.#compareWithAnew();
  }

  #deps(settings?: OnlineSettings): MaterializationDeps {
    const loadSource = () => loadTableAt(this.#lab.io, this.#metadata);
    return { ...this.#lab.deps, loadSource, ...(settings === undefined ? {} : { settings }) };
  }

  get #rows(): readonly OracleRow[] {
    return this.#history.rows.map(sourceRow);
  }

  async #run(): Promise<void> {
    this.#metadata = await this.#history.writer.finish();
    const [start, end] = this.#window();
    const at = (moment: number | null): bigint | undefined => (moment === null ? undefined : BigInt(moment) * US);
    const nowUs = this.#random.chance(0.3) ? at(this.#random.int(0, MOMENTS)) : undefined;
    const request = { view: VIEW.name, startUs: at(start), endUs: at(end), nowUs, shards: this.#random.int(1, 2) };
    const { plan } = await materializeDirect(this.#deps(), request);
    await this.#count(plan);
    this.#history.steps.push(`run from ${start ?? ''} to ${end ?? ''}: ${plan.kind}, ${plan.reason}`);
    const rows = this.#rows;
    this.#covered = this.#covered.map((covered, moment) =>
      moment >= (start ?? 0) && moment < (end ?? MOMENTS) ? rowsAt(rows, moment) : covered,
    );
    expect(await this.#online(this.#deps())).toEqual(this.#newest(this.#covered.flat()));
  }

  #window(): readonly [number | null, number | null] {
    if (this.#random.chance(0.6)) return [null, null];
    if (this.#random.chance(0.5)) return [null, this.#random.int(0, MOMENTS)];
    const start = this.#random.int(0, MOMENTS - 1);
    return [start, this.#random.int(start + 1, MOMENTS)];
  }

  async #count(plan: PlanReference): Promise<void> {
    const count = (what: string): Counts => this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
    count(plan.kind);
    if (plan.kind !== 'rebuild-buckets') return;
    const stored = JSON.parse(Buffer.from(await this.#lab.io.read(plan.planLocation ?? '')).toString()) as {
      rebuild: { buckets: number[] };
    };
    if (stored.rebuild.buckets.length < BUCKETS) count('some buckets');
  }

  /** The whole table, in one and in another namespace. */
  async #compareWithAnew(): Promise<void> {
    const anew = this.#deps({ namespace: ['anew'], buckets: BUCKETS });
    await materializeDirect(this.#deps(), { view: VIEW.name });
    await materializeDirect(anew, { view: VIEW.name });
    const rows = this.#newest(this.#rows.filter(({ timeNs }) => timeNs !== null));
    expect(await this.#online(this.#deps())).toEqual(rows);
    expect(await this.#online(anew)).toEqual(rows);
  }

  async #online(deps: MaterializationDeps): Promise<readonly Served[]> {
    const keys = KEYS[this.#history.keyKind];
    const { rows } = await getOnlineFeatures(deps, {
      view: VIEW.name,
      entities: keys.map((k) => ({ k })),
      nowUs: 10n ** 15n,
      readTimeoutMs: 60_000,
    });
    return rows.flatMap(([value], index): Served[] =>
      value === undefined || value.status === 'NOT_FOUND'
        ? []
        : [[keys[index] ?? '', value.eventTimestampUs, value.value]],
    );
  }

  /** The served rows: for each entity the newest. */
  #newest(rows: readonly OracleRow[]): readonly Served[] {
    const latest = latestPerEntity(rows);
    return KEYS[this.#history.keyKind].flatMap((k): Served[] => {
      const row = latest.find(({ key }) => key[0] === k);
      return row === undefined ? [] : [[k, (row.timeNs ?? 0n) / 1000n, row.features[0]]];
    });
  }
}

/** Key, event time in microseconds, value. */
type Served = readonly [bigint | string, bigint | null, unknown];

function rowsAt(rows: readonly OracleRow[], moment: number): readonly OracleRow[] {
  return rows.filter(({ timeNs }) => timeNs === BigInt(moment) * US * 1000n);
}
