/**
 * Real tables against plain recomputation: random appends, copy-on-write deletes and updates, compactions, roll-backs of the
 * source and of the online table, pushes, compactions of the online table, other partition strategies, and runs with windows and ends. After every run the newest row per entity online is
 * the newest per entity over every moment, each read at the source snapshot of the last run that covered it, plus pushed rows.
 * A reader that keeps decoded rows for the whole history answers like one that runs a statement, at times of the past, too.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PARTITION_STRATEGIES, type PartitionStrategy } from '../../features/index.js';
import { compactDirect } from '../../maintenance/index.js';
import { materializeDirect } from '../../materialization/index.js';
import { OnlineReader, type OnlineRequest, type OnlineResponse } from '../../online/index.js';
import { compactDeps } from '../support/compaction-lab.js';
import { lostFiles } from '../support/lost-files.js';
import { Lab } from '../support/materialization-lab.js';
import { runs, timeLimit } from '../support/property-runs.js';

const MOMENTS = 8;
const KEYS = 4;
/** Two moments are an hour. */
const MOMENT_S = 1_800;
const secondsOf = (moment: number): number => moment * MOMENT_S;
const microsOf = (moment: number): bigint => BigInt(secondsOf(moment)) * 1_000_000n;
const timed = (facts: readonly Fact[]): readonly Fact[] => facts.map((fact) => ({ ...fact, at: secondsOf(fact.at) }));

interface Fact {
  readonly k: number;
  readonly at: number;
  readonly created: number | null;
  /** Unique among source rows, so that it tells them apart. */
  readonly v: number;
}

/** The expected state, in arrays. */
class Oracle {
  /** Source rows of every snapshot. */
  readonly states = new Map<bigint, readonly Fact[]>();
  readonly pushed: Fact[] = [];
  coveredAt: (bigint | null)[] = Array.from({ length: MOMENTS }, () => null);

  cover(from: number, to: number, snapshotId: bigint): void {
    this.coveredAt = this.coveredAt.map((id, moment) => (moment >= from && moment < to ? snapshotId : id));
  }

  newest(): [number, number][] {
    const facts = this.coveredAt.flatMap((id, moment) =>
      id === null ? [] : (this.states.get(id) ?? []).filter((fact) => fact.at === moment),
    );
    const best = new Map<number, Fact>();
    for (const fact of [...facts, ...this.pushed]) {
      const other = best.get(fact.k);
      if (other === undefined || wins(fact, other)) best.set(fact.k, fact);
    }
    return [...best.values()].map(({ k, v }): [number, number] => [k, v]).sort(([a], [b]) => a - b);
  }
}

/** Newer event time, then newer `created`; every fact has a `created` of its own here, so that nothing else decides. */
function wins(a: Fact, b: Fact): boolean {
  return a.at !== b.at ? a.at > b.at : (a.created ?? -1) > (b.created ?? -1);
}

type Step =
  | { do: 'append'; rows: { k: number; at: number }[] }
  | { do: 'delete' | 'update'; k: number; at: number }
  | { do: 'compact' }
  | { do: 'rollback'; pick: number }
  | { do: 'rollback-online' }
  | { do: 'push'; rows: { k: number; at: number }[] }
  | { do: 'compact-online'; strategy: 'latest' | 'binpack' }
  | { do: 'strategy'; strategy: PartitionStrategy }
  | { do: 'run'; end: number | null; shards: number }
  | { do: 'window'; start: number; length: number };

const at = fc.integer({ min: 0, max: MOMENTS - 1 });
const k = fc.integer({ min: 0, max: KEYS - 1 });
const strategy = fc.constantFrom(...PARTITION_STRATEGIES);
const cacheBytes = fc.constantFrom(2_000, 2 ** 26);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 1, arbitrary: fc.record({ do: fc.constant('strategy' as const), strategy }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      rows: fc.array(fc.record({ k, at }), { minLength: 1, maxLength: 5 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('delete' as const, 'update' as const), k, at }) },
  { weight: 1, arbitrary: fc.constant({ do: 'compact' as const }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('rollback' as const), pick: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.constant({ do: 'rollback-online' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('push' as const),
      rows: fc.array(fc.record({ k, at }), { minLength: 1, maxLength: 4 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('compact-online' as const),
      strategy: fc.constantFrom('latest' as const, 'binpack' as const),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('run' as const),
      end: fc.option(at, { nil: null }),
      shards: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('window' as const), start: at, length: fc.integer({ min: 1, max: 4 }) }),
  },
);

class World {
  readonly lab: Lab;
  readonly oracle = new Oracle();
  rows: readonly Fact[] = [];
  head: bigint | null = null;
  history: bigint[] = [];
  /** Coverage and pushes at every online snapshot, for roll-backs. */
  readonly onlineStates = new Map<bigint, { coveredAt: (bigint | null)[]; pushed: number }>();
  readonly #stating: OnlineReader;
  readonly #decoding: OnlineReader;
  #serial = 0;

  constructor(lab: Lab, cacheBytes: number) {
    this.lab = lab;
    const { catalog, io, engine } = lab;
    const deps = { catalog, io, engine, definitions: () => Promise.resolve(lab.definitions), readTimeoutMs: 60_000 };
    this.#stating = new OnlineReader({ ...deps, cacheBytes: 0 });
    this.#decoding = new OnlineReader({ ...deps, cacheBytes });
  }

  async close(): Promise<void> {
    await this.#stating.close();
    await this.#decoding.close();
  }

  fact(key: number, moment: number): Fact {
    this.#serial += 1;
    return { k: key, at: moment, created: this.#serial, v: this.#serial };
  }

  record(snapshotId: bigint, rows: readonly Fact[]): void {
    if (snapshotId !== this.head) this.history.push(snapshotId);
    this.rows = rows;
    this.head = snapshotId;
    this.oracle.states.set(snapshotId, rows);
  }

  async apply(next: Step): Promise<void> {
    const { lab } = this;
    if (next.do === 'append') {
      const added = next.rows.map((row) => this.fact(row.k, row.at));
      this.record(await lab.append(timed(added)), [...this.rows, ...added]);
    }
    if (next.do === 'delete' && this.head !== null) {
      const rest = this.rows.filter((row) => row.k !== next.k || row.at !== next.at);
      if (rest.length < this.rows.length)
        this.record(await lab.deleteWhere(`k = ${next.k} AND epoch(event_ts) = ${secondsOf(next.at)}`), rest);
    }
    if (next.do === 'update' && this.head !== null) {
      const hit = (row: Fact): boolean => row.k === next.k && row.at === next.at;
      const v = -1 - this.rows.length - this.history.length * 1000;
      const rows = this.rows.map((row) => (hit(row) ? { ...row, v } : row));
      if (this.rows.some(hit))
        this.record(await lab.updateWhere(`k = ${next.k} AND epoch(event_ts) = ${secondsOf(next.at)}`, v), rows);
    }
    if (next.do === 'compact' && this.head !== null) this.record(await lab.compact(), this.rows);
    if (next.do === 'rollback' && this.history.length > 1) {
      this.history = this.history.slice(0, -1 - (next.pick % (this.history.length - 1)));
      this.head = this.history.at(-1) ?? null;
      this.rows = this.oracle.states.get(this.head ?? -1n) ?? [];
      await lab.rollback('source', this.head ?? -1n);
    }
    if (next.do === 'strategy') lab.view = { ...lab.view, onlinePartitionStrategy: next.strategy };
    if (next.do === 'push' && this.onlineStates.size > 0) {
      const facts = next.rows.map((row) => this.fact(row.k, row.at));
      await lab.pushRows(timed(facts));
      this.oracle.pushed.push(...facts);
      await this.rememberOnline();
      await this.#decoding.committed(lab.view.name, await lab.online());
      // What this process wrote is read without a look at the catalog.
      await this.#compare(60_000);
    }
    if (next.do === 'compact-online' && this.onlineStates.size > 0) {
      const table = `moraine_online.${lab.view.name}`;
      await compactDirect(compactDeps(lab, lab.definitions), { table, strategy: next.strategy });
      await this.rememberOnline();
    }
    if (next.do === 'rollback-online' && this.onlineStates.size > 1) await this.rollBackOnline();
    if (next.do === 'run') {
      expect(await lostFiles(lab)).toEqual([]);
      await materializeDirect(lab.deps, {
        view: 'readings',
        endUs: next.end === null ? undefined : microsOf(next.end),
        shards: next.shards,
      });
      if (this.head !== null) this.oracle.cover(0, next.end ?? MOMENTS, this.head);
      await this.rememberOnline();
    }
    if (next.do === 'window') {
      const end = next.start + next.length;
      await materializeDirect(lab.deps, {
        view: 'readings',
        startUs: microsOf(next.start),
        endUs: microsOf(end),
      });
      if (this.head !== null) this.oracle.cover(next.start, end, this.head);
      await this.rememberOnline();
    }
  }

  async rememberOnline(): Promise<void> {
    const { metadata } = await this.lab.online();
    if (metadata.currentSnapshotId === null) return;
    this.onlineStates.set(metadata.currentSnapshotId, {
      coveredAt: [...this.oracle.coveredAt],
      pushed: this.oracle.pushed.length,
    });
  }

  async rollBackOnline(): Promise<void> {
    const { metadata } = await this.lab.online();
    const current = metadata.snapshots.find((snapshot) => snapshot.snapshotId === metadata.currentSnapshotId);
    const parent = current?.parentSnapshotId;
    const state = parent === undefined ? undefined : this.onlineStates.get(parent);
    if (parent === undefined || state === undefined) return;
    await this.lab.rollback('online', parent);
    this.oracle.coveredAt = [...state.coveredAt];
    this.oracle.pushed.length = state.pushed;
  }

  async online(): Promise<[number, number][]> {
    const { rows } = await this.#compare(0);
    return rows.flatMap(([value], key): [number, number][] =>
      value?.status === 'PRESENT' ? [[key, value.value as number]] : [],
    );
  }

  /** The newest rows, which both readers answer alike; and so they do at every moment. */
  async #compare(maxStalenessMs: number): Promise<OnlineResponse> {
    const entities = Array.from({ length: KEYS + 1 }, (_, key) => ({ k: key }));
    const ask = async (nowUs: bigint): Promise<OnlineResponse> => {
      const request: OnlineRequest = { features: ['readings'], entities, nowUs };
      const expected = await this.#stating.getOnlineFeatures(request);
      const found = await this.#decoding.getOnlineFeatures({ ...request, maxStalenessMs });
      expect({ ...found, stalenessMs: 0 }).toEqual({ ...expected, stalenessMs: 0 });
      return found;
    };
    for (let moment = -1; moment < MOMENTS; moment += 3) await ask(microsOf(moment));
    return await ask(10n ** 15n);
  }
}

describe('materialization of a changing table', () => {
  it(
    'keeps the online table equal to its recomputation',
    async () => {
      await fc.assert(
        fc.asyncProperty(
          strategy,
          cacheBytes,
          fc.array(step, { minLength: 3, maxLength: 14 }),
          async (first, bytes, steps) => {
            const lab = await Lab.open();
            const world = new World(lab, bytes);
            try {
              await lab.createSource();
              lab.view = { ...lab.view, onlinePartitionStrategy: first };
              for (const next of steps) {
                await world.apply(next);
                const isWritten = next.do === 'compact-online' && world.onlineStates.size > 0;
                if (next.do === 'run' || next.do === 'window' || isWritten)
                  expect(await world.online()).toEqual(world.oracle.newest());
              }
            } finally {
              await world.close();
              await lab.close();
            }
          },
        ),
        { numRuns: runs(40), endOnFailure: false },
      );
    },
    timeLimit(300_000),
  );
});
