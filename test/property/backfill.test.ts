/**
 * Backfills of a changing table against plain recomputation: windows are staged, held, and committed in groups of any order, beside
 * runs that read a part of them meanwhile or were planned before and commit after, appends and copy-on-write deletes. After every
 * commit the newest row per entity online is the newest per entity over every moment, each read at the source snapshot of the last
 * run that covered it, and no moment goes back to an older snapshot.
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
  | { do: 'delete'; fact: number }
  | { do: 'stage'; window: number }
  | { do: 'commit'; order: number }
  | { do: 'repeat' }
  | { do: 'run'; end: number | null }
  | { do: 'run-range'; from: number; moments: number }
  | { do: 'plan-run'; window: number | null }
  | { do: 'finish-run' };

const at = fc.integer({ min: 0, max: MOMENTS - 1 });
const k = fc.integer({ min: 0, max: KEYS - 1 });
const window = fc.nat(3);
const step = <Do extends Step['do']>(name: Do) => fc.constant(name);
const append = fc.record({ do: step('append'), rows: fc.array(fc.record({ k, at }), { minLength: 1, maxLength: 5 }) });
const remove = fc.record({ do: step('delete'), fact: fc.nat() });
const stage = fc.record({ do: step('stage'), window });
const commit = fc.record({ do: step('commit'), order: fc.nat(1) });
const run = fc.record({ do: step('run'), end: fc.option(at, { nil: null }) });
const planRun = fc.record({ do: step('plan-run'), window: fc.option(window, { nil: null }) });
const finishRun = fc.record({ do: step('finish-run') });

const anything: fc.Arbitrary<Step[]> = fc
  .oneof(
    { weight: 4, arbitrary: append },
    { weight: 1, arbitrary: remove },
    { weight: 6, arbitrary: stage },
    { weight: 3, arbitrary: commit },
    { weight: 1, arbitrary: fc.record({ do: step('repeat') }) },
    { weight: 1, arbitrary: run },
    { weight: 2, arbitrary: planRun },
    { weight: 2, arbitrary: finishRun },
  )
  .map((only) => [only]);

/** Only rows of that window. */
const within = (window: number, { rows }: { readonly rows: readonly { k: number; at: number }[] }): Step => ({
  do: 'append',
  rows: rows.map((row) => ({ ...row, at: window * 2 + (row.at % 2) })),
});
/** The rows that were read of a window become wrong: meanwhile the source changes, and a run reads a part of the window anew. */
const overtaken: fc.Arbitrary<Step[]> = fc
  .tuple(append, stage, fc.oneof(append, remove), fc.constantFrom(0, 1), commit)
  .map(([before, read, change, half, last]) => {
    const part: Step = { do: 'run-range', from: read.window * 2 + half, moments: half + 1 };
    return [within(read.window, before), read, change, part, last];
  });
/** The same by a run that was planned before: what it read has left since. */
const outdated: fc.Arbitrary<Step[]> = fc
  .tuple(append, planRun, remove, stage, commit)
  .map(([before, plan, change, read, last]) => [
    within(read.window, before),
    plan,
    change,
    read,
    { do: 'finish-run' },
    last,
  ]);
const steps = fc
  .array(fc.oneof({ weight: 4, arbitrary: anything }, overtaken, outdated), { minLength: 4, maxLength: 8 })
  .map((parts) => parts.flat());

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
    this.coveredAt = this.coveredAt.map((id, moment) => {
      if (moment < from || moment >= to) return id;
      if (id !== null) expect(this.order.indexOf(snapshotId)).toBeGreaterThanOrEqual(this.order.indexOf(id));
      return snapshotId;
    });
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
      const gone = this.rows[next.fact % this.rows.length];
      const rest = this.rows.filter((row) => row.k !== gone?.k || row.at !== gone.at);
      if (gone !== undefined)
        this.#record(await lab.deleteWhere(`k = ${gone.k} AND epoch(event_ts) = ${gone.at}`), rest);
    }
    if (next.do === 'stage') await this.#stage(next.window * 2);
    if (next.do === 'commit') return this.#commit(next.order === 1 ? this.held.toReversed() : this.held);
    if (next.do === 'repeat') return this.#commit(this.committed);
    if (next.do === 'run') {
      const endUs = next.end === null ? undefined : BigInt(next.end) * SECOND;
      const ran = await materializeDirect(lab.deps, { view: 'readings', endUs });
      return this.#ran(0, next.end ?? MOMENTS, ran);
    }
    if (next.do === 'run-range') {
      const to = Math.min(next.from + next.moments, MOMENTS);
      return this.#ran(next.from, to, await materializeRange(lab, next.from, to));
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
      this.#ran(
        from,
        from + 2,
        await materializeDirect(this.lab.deps, { view: 'readings', ...window, isBackfill: true }),
      );
    }
    if (staged.kind === 'staged' && this.head !== null)
      this.held.push({ staged: staged.window, from, head: this.head });
  }

  /** A run that finds nothing to write and nothing to move on from records nothing. */
  #ran(from: number, to: number, { commit }: Awaited<ReturnType<typeof materializeDirect>>): boolean {
    if (commit !== null && this.head !== null) this.#cover(from, to, this.head);
    return this.head !== null;
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

/** One run of a range of moments. */
function materializeRange(lab: Lab, from: number, to: number): ReturnType<typeof materializeDirect> {
  const range = { startUs: BigInt(from) * SECOND, endUs: BigInt(to) * SECOND };
  return materializeDirect(lab.deps, { view: 'readings', ...range });
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
        fc.asyncProperty(steps, (happening) =>
          inLab(async (lab) => {
            const world = new World(lab);
            for (const next of happening) {
              if (await world.apply(next)) expect(await world.online()).toEqual(world.expected());
            }
          }),
        ),
        { numRuns: runs(8), endOnFailure: false },
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

/** The visible state of the online table. */
interface Seen {
  readonly rows: unknown;
  readonly coverage: readonly { readonly startUs: bigint | null; readonly endUs: bigint | null }[];
}

async function seenOf(lab: Lab): Promise<Seen> {
  const { rows } = await getOnlineFeatures(lab.deps, {
    view: 'readings',
    entities: Array.from({ length: KEYS }, (_, key) => ({ k: key })),
    nowUs: BigInt(MOMENTS) * SECOND,
    readTimeoutMs: 60_000,
  });
  const { metadata } = await lab.online();
  const coverage = effectiveProgress(metadata).progress?.coverage ?? [];
  return { rows, coverage: coverage.map(({ startUs, endUs }) => ({ startUs, endUs })) };
}

async function afterwards(facts: readonly Fact[], materialize: (lab: Lab) => Promise<unknown>): Promise<Seen> {
  const seen: Seen[] = [];
  await inLab(async (lab) => {
    await lab.append(facts);
    await materialize(lab);
    seen.push(await seenOf(lab));
  });
  return seen[0] as Seen;
}

async function materializeEach(lab: Lab): Promise<void> {
  for (let moment = 0; moment < MOMENTS; moment++) await materializeRange(lab, moment, moment + 1);
}

describe('a backfill', () => {
  it(
    'gives what one run of the whole range gives, and a run of each window: oldest or newest first, in groups of any size',
    async () => {
      await fc.assert(
        fc.asyncProperty(rowsAt, fc.boolean(), fc.integer({ min: 1, max: 8 }), async (rows, newestFirst, groupSize) => {
          const facts = rows.map((row, index) => ({ ...row, created: index, v: index }));
          const whole = await afterwards(facts, (lab) => materializeRange(lab, 0, MOMENTS));
          expect(await afterwards(facts, (lab) => backfillAll(lab, newestFirst, groupSize))).toEqual(whole);
          const each = await afterwards(facts, materializeEach);
          expect(each.rows).toEqual(whole.rows);
          // A run of a window without rows records nothing.
          const isCovered = ({ at: moment }: Fact): boolean =>
            each.coverage.some(
              ({ startUs, endUs }) =>
                (startUs ?? 0n) <= BigInt(moment) * SECOND && (endUs ?? 0n) > BigInt(moment) * SECOND,
            );
          expect(facts.filter((fact) => !isCovered(fact))).toEqual([]);
        }),
        { numRuns: runs(2), endOnFailure: false },
      );
    },
    timeLimit(120_000),
  );
});
