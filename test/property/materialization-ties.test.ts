/**
 * Rows that tie in entity, event time and mostly created time, in the past and in the future of runs, windows, rebuilds and
 * compactions: what is served online at every time from the present on is the row that wins by created time, commit and value,
 * read of each moment at the commit that covered it last. Pushed rows, which were created later than all others, tie among each other, also those
 * that come while a run is under way. The reference is a loop over arrays.
 */
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { compactDirect } from '../../maintenance/index.js';
import { commitMaterialization, extractPlan, planMaterialization } from '../../materialization/index.js';
import { getOnlineFeatures } from '../../online/index.js';
import { hasCode } from '../../tables/index.js';
import { compactDeps } from '../support/compaction-lab.js';
import { Lab, VIEW } from '../support/materialization-lab.js';
import { runs, timeLimit } from '../support/property-runs.js';

const MOMENTS = 5;
const KEYS = [0, 1];

interface Fact {
  readonly k: number;
  readonly at: number;
  readonly created: number | null;
  readonly v: number;
  /** The number of the append that made the file; what is left of it when it is written again keeps it. */
  readonly file: number;
  /** The number of the commit that wrote the file last. */
  readonly commit: number;
}

const moment = fc.integer({ min: 0, max: MOMENTS - 1 });
const row = fc.record({
  k: fc.constantFrom(...KEYS),
  at: moment,
  created: fc.option(fc.constantFrom(1, 2), { freq: 1, nil: null }),
  v: fc.integer({ min: 0, max: 9 }),
});
const PUSHED_CREATED = 3;
/** Rows that a client writes in one commit: of one entity, or of both. */
const push = fc.uniqueArray(fc.record({ k: fc.constantFrom(...KEYS), at: moment, v: fc.integer({ min: 0, max: 9 }) }), {
  selector: ({ k, at }) => `${k} ${at}`,
  minLength: 1,
  maxLength: 3,
});
/** Several commits between two runs, so that one run meets their ties. */
const round = fc.record({
  appends: fc.array(fc.array(row, { minLength: 3, maxLength: 8 }), { minLength: 1, maxLength: 3 }),
  deleted: fc.option(row),
  pushed: fc.option(push, { freq: 1, nil: null }),
  run: fc.record({
    start: fc.option(moment, { freq: 1, nil: null }),
    end: fc.option(moment, { freq: 1, nil: null }),
    /** Movement of the present. */
    passed: fc.integer({ min: 0, max: 1 }),
    /** With several, files are read in parts. */
    shards: fc.integer({ min: 1, max: 3 }),
    pushedMeanwhile: fc.option(push, { freq: 1, nil: null }),
  }),
  compact: fc.option(fc.constantFrom('binpack' as const, 'latest' as const), { freq: 1, nil: null }),
});
type Round = typeof round extends fc.Arbitrary<infer T> ? T : never;

class World {
  readonly #lab: Lab;
  #rows: readonly Fact[] = [];
  #commits = 0;
  #now = 0;
  #pushed: readonly Fact[] = [];
  /** The rows of each moment when it was covered last. */
  #covered: (readonly Fact[])[] = Array.from({ length: MOMENTS }, () => []);

  constructor(lab: Lab) {
    this.#lab = lab;
  }

  /** @param check after each change of the online table */
  async live({ appends, deleted, pushed, run, compact }: Round, check: () => Promise<void>): Promise<void> {
    for (const rows of appends) {
      this.#commits += 1;
      this.#rows = [...this.#rows, ...rows.map((fact) => ({ ...fact, file: this.#commits, commit: this.#commits }))];
      await this.#lab.append(rows);
    }
    if (deleted !== null) await this.#delete(deleted);
    if (pushed !== null) await this.#push(pushed);
    await this.#run(run);
    await check();
    if (compact === null || !this.#hasRows) return;
    const deps = compactDeps(this.#lab, this.#lab.definitions);
    await compactDirect(deps, { table: 'moraine_online.readings', strategy: compact }, { nowUs: us(this.#now) });
    await check();
  }

  /** Copy-on-write: what is left of a file that held a matching row is committed again. */
  async #delete({ k, at }: Pick<Fact, 'k' | 'at'>): Promise<void> {
    const hit = (fact: Fact): boolean => fact.k === k && fact.at === at;
    const touched = new Set(this.#rows.filter(hit).map(({ file }) => file));
    if (touched.size === 0) return;
    this.#commits += 1;
    this.#rows = this.#rows
      .filter((fact) => !hit(fact))
      .map((fact) => (touched.has(fact.file) ? { ...fact, commit: this.#commits } : fact));
    await this.#lab.deleteWhere(`k = ${k} AND epoch(event_ts) = ${at}`);
  }

  get #hasRows(): boolean {
    return this.#pushed.length > 0 || this.#covered.some((rows) => rows.length > 0);
  }

  async #push(rows: readonly Pick<Fact, 'k' | 'at' | 'v'>[]): Promise<void> {
    this.#commits += 1;
    const [file, commit, created] = [this.#commits, this.#commits, PUSHED_CREATED];
    const facts = rows.map((fact) => ({ ...fact, created, file, commit }));
    this.#pushed = [...this.#pushed, ...facts];
    await this.#lab.pushRows(facts);
  }

  async #run({ start, end, passed, shards, pushedMeanwhile }: Round['run']): Promise<void> {
    if (start !== null && end !== null && start >= end) return;
    this.#now += passed;
    const at = (time: number | null) => (time === null ? undefined : us(time));
    const request = { view: 'readings', startUs: at(start), endUs: at(end), nowUs: us(this.#now), shards };
    await this.#materialize(request, pushedMeanwhile);
    this.#covered = this.#covered.map((covered, time) =>
      time >= (start ?? 0) && time < (end ?? MOMENTS) ? this.#rows.filter((fact) => fact.at === time) : covered,
    );
  }

  /** @param pushedMeanwhile between the plan of the run and its commit */
  async #materialize(
    request: Omit<Parameters<typeof planMaterialization>[1], 'attemptId'>,
    pushedMeanwhile: Round['run']['pushedMeanwhile'],
  ): Promise<void> {
    const { deps } = this.#lab;
    const plan = await planMaterialization(deps, { ...request, attemptId: randomUUID() });
    if (pushedMeanwhile !== null) await this.#push(pushedMeanwhile);
    if (plan.planLocation === null) return;
    const shards = await extractPlan(deps, plan.planLocation, plan);
    const manifests = shards.flatMap(({ manifestLocation }) => manifestLocation ?? []);
    try {
      await commitMaterialization(deps, plan.planLocation, manifests);
    } catch (error) {
      if (!hasCode('COMMIT_CONFLICT', 'PLAN_STALE')(error)) throw error;
      await this.#materialize(request, null);
    }
  }

  /** The served rows at each time from the present on, and the right ones. */
  async served(): Promise<readonly [unknown, unknown]> {
    const times = Array.from({ length: MOMENTS }, (_, time) => time).filter((time) => time >= this.#now);
    const found: unknown[] = [];
    if (!this.#hasRows) return [[], []];
    for (const time of times) {
      const request = { view: 'readings', entities: KEYS.map((k) => ({ k })), nowUs: us(time), readTimeoutMs: 60_000 };
      const { rows } = await getOnlineFeatures(this.#lab.deps, request);
      found.push(rows.map(([value]) => (value?.status === 'PRESENT' ? value.value : null)));
    }
    return [found, times.map((time) => KEYS.map((k) => this.#winner(k, time)))];
  }

  #winner(k: number, time: number): number | null {
    const facts = [...this.#covered.flat(), ...this.#pushed].filter((fact) => fact.k === k && fact.at <= time);
    const order = ({ at, created, commit, v }: Fact) => [at, created ?? -1, commit, v];
    const [newest] = facts.toSorted((a, b) => {
      const [left, right] = [order(a), order(b)];
      const index = left.findIndex((value, place) => value !== right[place]);
      return index < 0 ? 0 : (right[index] ?? 0) - (left[index] ?? 0);
    });
    return newest?.v ?? null;
  }
}

const us = (seconds: number): bigint => BigInt(seconds) * 1_000_000n;

it('online and recomputation agree on ties at every time', { timeout: timeLimit(120_000) }, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(round, { minLength: 1, maxLength: 4 }),
      fc.constantFrom(1, 3),
      async (rounds, buckets) => {
        const lab = await Lab.open();
        try {
          lab.view = { ...VIEW, onlineBuckets: buckets };
          await lab.createSource();
          const world = new World(lab);
          const check = async (): Promise<void> => {
            const [found, wanted] = await world.served();
            expect(found).toEqual(wanted);
          };
          for (const next of rounds) await world.live(next, check);
        } finally {
          await lab.close();
        }
      },
    ),
    { numRuns: runs(12), endOnFailure: true },
  );
});
