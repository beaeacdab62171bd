/**
 * Backfills of a changing table against plain recomputation: windows are staged, held, and committed in groups of any order, beside
 * runs that were planned before and commit after, appends, copy-on-write deletes and pushes. After every commit the newest row per
 * entity online is the newest per entity over every moment, each read at the source snapshot of the last run that covered it.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planBackfill, segmentPage, stageSegment, windowAt } from '../../backfill/index.js';
import { isMoraineError } from '../../errors/index.js';
import {
  commitMaterialization,
  commitWindows,
  effectiveProgress,
  extractShard,
  materializeDirect,
  planMaterialization,
  type StagedWindow,
} from '../../materialization/index.js';
import { getOnlineFeatures } from '../../online/index.js';
import { Lab } from '../support/materialization-lab.js';
import { runs, timeLimit } from '../support/property-runs.js';

const MOMENTS = 8;
const KEYS = 4;
const SECOND = 1_000_000n;

interface Fact {
  readonly k: number;
  readonly at: number;
  readonly created: number;
  readonly v: number;
}

type Step =
  | { do: 'append'; rows: { k: number; at: number }[] }
  | { do: 'delete'; k: number; at: number }
  | { do: 'stage'; window: number }
  | { do: 'commit'; order: number }
  | { do: 'repeat' }
  | { do: 'run'; end: number | null }
  | { do: 'plan-run'; window: number | null }
  | { do: 'finish-run' };

const at = fc.integer({ min: 0, max: MOMENTS - 1 });
const k = fc.integer({ min: 0, max: KEYS - 1 });
const just = <Do extends Step['do']>(name: Do) => fc.constant({ do: name });
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      rows: fc.array(fc.record({ k, at }), { minLength: 1, maxLength: 5 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete' as const), k, at }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('stage' as const), window: fc.nat(3) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('commit' as const), order: fc.nat(1) }) },
  { weight: 1, arbitrary: just('repeat') },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('run' as const), end: fc.option(at, { nil: null }) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('plan-run' as const), window: fc.option(fc.nat(3), { nil: null }) }),
  },
  { weight: 2, arbitrary: just('finish-run') },
) as fc.Arbitrary<Step>;

interface Held {
  readonly staged: StagedWindow;
  readonly from: number;
  readonly head: bigint;
}

class World {
  readonly lab: Lab;
  readonly states = new Map<bigint, readonly Fact[]>();
  rows: readonly Fact[] = [];
  head: bigint | null = null;
  order: bigint[] = [];
  coveredAt: (bigint | null)[] = Array.from({ length: MOMENTS }, () => null);
  held: Held[] = [];
  committed: Held[] = [];
  run: {
    readonly planLocation: string;
    readonly manifests: string[];
    readonly from: number;
    readonly to: number;
    readonly head: bigint;
  } | null = null;
  readonly seen = { conflicts: 0, stale: 0, covered: 0, rebased: 0, alone: 0, already: 0 };
  #serial = 0;

  constructor(lab: Lab) {
    this.lab = lab;
  }

  #record(snapshotId: bigint, rows: readonly Fact[]): void {
    this.rows = rows;
    this.head = snapshotId;
    this.order.push(snapshotId);
    this.states.set(snapshotId, rows);
  }

  #cover(from: number, to: number, snapshotId: bigint): void {
    this.coveredAt = this.coveredAt.map((id, moment) => (moment >= from && moment < to ? snapshotId : id));
  }

  async apply(next: Step): Promise<boolean> {
    const { lab } = this;
    if (next.do === 'append') {
      const added = next.rows.map((row) => {
        this.#serial += 1;
        return { ...row, created: this.#serial, v: this.#serial };
      });
      this.#record(await lab.append(added), [...this.rows, ...added]);
    }
    if (next.do === 'delete' && this.head !== null) {
      const rest = this.rows.filter((row) => row.k !== next.k || row.at !== next.at);
      if (rest.length < this.rows.length)
        this.#record(await lab.deleteWhere(`k = ${next.k} AND epoch(event_ts) = ${next.at}`), rest);
    }
    if (next.do === 'stage') await this.#stage(next.window * 2);
    if (next.do === 'commit') return this.#commit(next.order === 1 ? this.held.toReversed() : this.held);
    if (next.do === 'repeat') return this.#commit(this.committed);
    if (next.do === 'run') {
      await materializeDirect(lab.deps, {
        view: 'readings',
        endUs: next.end === null ? undefined : BigInt(next.end) * SECOND,
      });
      if (this.head !== null) this.#cover(0, next.end ?? MOMENTS, this.head);
      return this.head !== null;
    }
    if (next.do === 'plan-run') await this.#planRun(next.window);
    if (next.do === 'finish-run') return this.#finishRun();
    return false;
  }

  async #stage(from: number): Promise<void> {
    const window = { startUs: BigInt(from) * SECOND, endUs: BigInt(from + 2) * SECOND };
    const staged = await stageSegment(this.lab.deps, { view: 'readings', ...window });
    if (staged.kind === 'alone') {
      this.seen.alone += 1;
      await materializeDirect(this.lab.deps, { view: 'readings', ...window, isBackfill: true });
    }
    if (this.head === null) return;
    if (staged.kind === 'staged') this.held.push({ staged: staged.window, from, head: this.head });
    else this.#cover(from, from + 2, this.head);
  }

  async #commit(group: readonly Held[]): Promise<boolean> {
    if (group.length === 0) return false;
    const { outcomes } = await commitWindows(
      this.lab.deps,
      group.map(({ staged }) => staged),
    );
    for (const [index, window] of group.entries()) {
      const outcome = outcomes[index];
      if (outcome === 'committed') this.#cover(window.from, window.from + 2, window.head);
      if (outcome === 'stale') this.seen.stale += 1;
      if (outcome === 'covered') this.seen.covered += 1;
      if (outcome === 'already-committed') this.seen.already += 1;
      if (outcome === 'covered' || outcome === 'already-committed') {
        // Whatever covers it was read no earlier.
        const covering = this.coveredAt.slice(window.from, window.from + 2);
        for (const id of covering) {
          expect(this.order.indexOf(id ?? -1n)).toBeGreaterThanOrEqual(this.order.indexOf(window.head));
        }
      }
    }
    this.committed = [...group];
    this.held = [];
    return true;
  }

  async #planRun(window: number | null): Promise<void> {
    const [from, to] = window === null ? [0, MOMENTS] : [window * 2, window * 2 + 2];
    const range = window === null ? {} : { startUs: BigInt(from) * SECOND, endUs: BigInt(to) * SECOND };
    const { deps } = this.lab;
    const attemptId = String(Math.random());
    const plan = await planMaterialization(deps, { view: 'readings', attemptId, ...range });
    this.run = null;
    if (plan.planLocation === null || this.head === null) return;
    const manifests: string[] = [];
    for (let shard = 0; shard < plan.shards; shard++) {
      const { manifestLocation } = await extractShard(deps, plan.planLocation, shard);
      if (manifestLocation !== null) manifests.push(manifestLocation);
    }
    this.run = { planLocation: plan.planLocation, manifests, from, to, head: this.head };
  }

  async #finishRun(): Promise<boolean> {
    const { run } = this;
    if (run === null) return false;
    this.run = null;
    try {
      await commitMaterialization(this.lab.deps, run.planLocation, run.manifests);
    } catch (error) {
      if (!isMoraineError(error, 'COMMIT_CONFLICT')) throw error;
      this.seen.conflicts += 1;
      return true;
    }
    this.#cover(run.from, run.to, run.head);
    return true;
  }

  expected(): [number, number][] {
    const facts = this.coveredAt.flatMap((id, moment) =>
      id === null ? [] : (this.states.get(id) ?? []).filter((fact) => fact.at === moment),
    );
    const best = new Map<number, Fact>();
    for (const fact of facts) {
      const other = best.get(fact.k);
      if (other === undefined || fact.at > other.at || (fact.at === other.at && fact.created > other.created))
        best.set(fact.k, fact);
    }
    return [...best.values()].map(({ k: key, v }): [number, number] => [key, v]).sort(([a], [b]) => a - b);
  }

  async online(): Promise<[number, number][]> {
    const entities = Array.from({ length: KEYS }, (_, key) => ({ k: key }));
    const { rows } = await getOnlineFeatures(this.lab.deps, {
      view: 'readings',
      entities,
      nowUs: 10n ** 15n,
      readTimeoutMs: 60_000,
    });
    return rows.flatMap(([value], key): [number, number][] =>
      value?.status === 'PRESENT' ? [[key, value.value as number]] : [],
    );
  }
}

async function inLab(work: (lab: Lab) => Promise<void>): Promise<void> {
  const lab = await Lab.open();
  try {
    await lab.createSource();
    await work(lab);
  } finally {
    await lab.close();
  }
}

describe('windows of a backfill beside other runs', () => {
  it(
    'keep the online table equal to its recomputation, whatever order they are committed in',
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 16 }), (steps) =>
          inLab(async (lab) => {
            const world = new World(lab);
            for (const next of steps) {
              if (await world.apply(next)) expect(await world.online()).toEqual(world.expected());
            }
          }),
        ),
        { numRuns: runs(10), endOnFailure: false },
      );
    },
    timeLimit(300_000),
  );
});

const rowsAt = fc.array(fc.record({ k, at }), { minLength: 1, maxLength: 12 });

/** All windows of a plan, staged and then committed in groups of a size. */
async function backfillAll(lab: Lab, newestFirst: boolean, groupSize: number): Promise<void> {
  const order = newestFirst ? 'newest-first' : 'oldest-first';
  const range = { startUs: 0n, endUs: BigInt(MOMENTS) * SECOND, stepUs: SECOND };
  const plan = await planBackfill(lab.deps, { view: 'readings', ...range, order });
  const staged: StagedWindow[] = [];
  for (const { first, last } of segmentPage(plan, 0, 100).segments) {
    const segment = await stageSegment(lab.deps, { view: 'readings', ...windowAt(plan, first, last) });
    if (segment.kind === 'staged') staged.push(segment.window);
  }
  for (let from = 0; from < staged.length; from += groupSize) {
    const group = staged.slice(from, from + groupSize);
    const { outcomes } = await commitWindows(lab.deps, group);
    expect(outcomes).toEqual(group.map(() => 'committed'));
  }
}

async function answersAndCoverage(lab: Lab): Promise<unknown> {
  const answers = [];
  for (let moment = 0; moment <= MOMENTS; moment++) {
    const { rows } = await getOnlineFeatures(lab.deps, {
      view: 'readings',
      entities: Array.from({ length: KEYS }, (_, key) => ({ k: key })),
      nowUs: BigInt(moment) * SECOND,
      readTimeoutMs: 60_000,
    });
    answers.push(rows);
  }
  const { metadata } = await lab.online();
  const coverage = effectiveProgress(metadata).progress?.coverage;
  return { newest: answers.at(-1), coverage: coverage?.map(({ startUs, endUs }) => [startUs, endUs]) };
}

describe('a backfill', () => {
  it(
    'gives what one run of the whole range gives, oldest or newest first, in groups of any size',
    async () => {
      await fc.assert(
        fc.asyncProperty(rowsAt, fc.boolean(), fc.integer({ min: 1, max: 8 }), async (rows, newestFirst, groupSize) => {
          const facts = rows.map((row, index) => ({ ...row, created: index, v: index }));
          let backfilled: unknown;
          let whole: unknown;
          await inLab(async (lab) => {
            await lab.append(facts);
            await backfillAll(lab, newestFirst, groupSize);
            backfilled = await answersAndCoverage(lab);
          });
          await inLab(async (lab) => {
            await lab.append(facts);
            await materializeDirect(lab.deps, { view: 'readings', startUs: 0n, endUs: BigInt(MOMENTS) * SECOND });
            whole = await answersAndCoverage(lab);
          });
          expect(backfilled).toEqual(whole);
        }),
        { numRuns: runs(3), endOnFailure: false },
      );
    },
    timeLimit(120_000),
  );
});
