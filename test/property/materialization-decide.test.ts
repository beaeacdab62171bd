/**
 * The decision of every run, checked against the definition of *recomputation*, on a source and an online table that are
 * plain arrays: whatever happened to the source, the newest row per entity online is the newest row per entity over every
 * moment of event time, each read at the source snapshot of the last run that covered it.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  advancesProgress,
  assessBase,
  type Decision,
  type DecisionInput,
  decide,
} from '../../materialization/decide.js';
import type { Interval } from '../../materialization/interval.js';
import type { Progress } from '../../materialization/progress.js';
import { runs } from '../support/property-runs.js';

interface Row {
  readonly key: number;
  readonly at: number;
  /** Unique: tells rows apart and decides among equal times. */
  readonly serial: number;
}
interface ModelSnapshot {
  readonly id: number;
  readonly parent: number | null;
  readonly operation: 'append' | 'replace' | 'overwrite';
  readonly files: readonly (readonly Row[])[];
  readonly added: readonly (readonly Row[])[];
  readonly removed: readonly (readonly Row[])[];
}

const BUCKETS = 3;
const MOMENTS = 12;
const DEFINITION = { keys: 'k', source: 's', mapping: 'm', features: 'f', partitioning: 'p' };

class Model {
  readonly snapshots: ModelSnapshot[] = [
    { id: 1, parent: null, operation: 'append', files: [], added: [], removed: [] },
  ];
  current = 1;
  firstKept = 1;
  progress: Progress | null = null;
  definition = DEFINITION;
  online: Row[] = [];
  /** For each moment the snapshot at which it was covered last. */
  readonly coveredAt: (number | null)[] = Array.from({ length: MOMENTS }, () => null);
  /** Moments that a run has covered and recorded: a full run reads them again if their snapshot has expired. */
  readonly recorded = new Set<number>();
  #serial = 0;

  at(id: number): ModelSnapshot {
    const found = this.snapshots.find((snapshot) => snapshot.id === id);
    if (found === undefined) throw new Error(`no snapshot ${id}`);
    return found;
  }

  commit(operation: ModelSnapshot['operation'], added: Row[][], removed: readonly (readonly Row[])[]): void {
    const id = this.snapshots.length + 1;
    const files = [...this.at(this.current).files.filter((file) => !removed.includes(file)), ...added];
    this.snapshots.push({ id, parent: this.current, operation, files, added, removed });
    this.current = id;
  }

  row(key: number, at: number): Row {
    this.#serial += 1;
    return { key, at, serial: this.#serial };
  }

  /** Ancestors of the current snapshot that are kept, newest first. */
  chain(): ModelSnapshot[] {
    const chain: ModelSnapshot[] = [];
    for (let id: number | null = this.current; id !== null && !this.isExpired(id); id = this.at(id).parent)
      chain.push(this.at(id));
    return chain;
  }

  isExpired(id: number): boolean {
    return id < this.firstKept && id !== this.current;
  }

  materialize(request: DecisionInput['request']): Decision {
    const source: DecisionInput['source'] = {
      table: 'source',
      tableUuid: 'uuid',
      snapshotId: BigInt(this.current),
      standing: (id) => {
        if (this.isExpired(Number(id))) return { kind: 'expired' };
        const age = this.chain().findIndex((snapshot) => snapshot.id === Number(id));
        return age < 0 ? { kind: 'not-ancestor' } : { kind: 'ancestor', age };
      },
    };
    const input: DecisionInput = {
      progress: this.progress,
      hasUnknownRows: false,
      hasUnwrittenColumns: false,
      definition: this.definition,
      source,
      request,
    };
    const base = assessBase(input);
    const since = base.kind === 'changes-since' ? this.changesSince(Number(base.sinceSnapshotId)) : null;
    const relevant = (files: readonly (readonly Row[])[]): (readonly Row[])[] =>
      files.filter((file) => file.some((row) => inside(row, request.interval)));
    const changes = since && {
      hasAdded: relevant(since.added).length > 0,
      hasRemoved: relevant(since.removed).length > 0,
    };
    const decision = decide(input, base, changes);
    const isRecorded = decision.kind !== 'nothing' || advancesProgress(input);
    if (isRecorded) this.execute(decision, since, request.interval);
    this.recordCoverage(request.interval, decision, isRecorded);
    return decision;
  }

  changesSince(base: number): { added: (readonly Row[])[]; removed: (readonly Row[])[] } {
    const newer = this.chain();
    const changes = newer
      .slice(
        0,
        newer.findIndex((snapshot) => snapshot.id === base),
      )
      .filter((snapshot) => snapshot.operation !== 'replace');
    return {
      added: changes.flatMap((snapshot) => snapshot.added),
      removed: changes.flatMap((snapshot) => snapshot.removed),
    };
  }

  execute(decision: Decision, since: ReturnType<Model['changesSince']> | null, interval: Interval): void {
    const touched =
      decision.kind === 'full'
        ? null
        : new Set(
            (decision.kind === 'rebuild-buckets' ? (since?.removed ?? []) : [])
              .flat()
              .filter((row) => inside(row, interval))
              .map((row) => row.key % BUCKETS),
          );
    const isRebuilt = (row: Row): boolean => touched === null || touched.has(row.key % BUCKETS);
    const { delta, whole } = decision;
    const appended = [
      ...(delta === null ? [] : (since?.added ?? []).flat().filter((row) => inside(row, delta.interval))),
      ...(whole === null
        ? []
        : this.at(this.current)
            .files.flat()
            .filter((row) => inside(row, whole))),
    ].filter((row) => !isRebuilt(row));
    const rebuilt = decision.rebuildFrom
      .flatMap((piece) =>
        this.at(Number(piece.sourceSnapshotId))
          .files.flat()
          .filter((row) => inside(row, piece)),
      )
      .filter(isRebuilt);
    this.online = [...this.online.filter((row) => !isRebuilt(row)), ...newest(appended), ...newest(rebuilt)];
    this.progress = {
      sourceTable: 'source',
      sourceTableUuid: 'uuid',
      definition: this.definition,
      coverage: decision.coverageAfter,
      incremental:
        decision.incrementalAfter.kind === 'unchanged'
          ? decision.incrementalAfter.progress
          : this.moved(decision.incrementalAfter.heldBackAfterUs),
    };
  }

  moved(heldBackAfterUs: bigint | null): Progress['incremental'] {
    const heldBack =
      heldBackAfterUs === null
        ? []
        : this.at(this.current)
            .files.flat()
            .filter((row) => BigInt(row.at) >= heldBackAfterUs);
    const from = heldBack.length === 0 ? null : BigInt(Math.min(...heldBack.map((row) => row.at)));
    return { sourceSnapshotId: BigInt(this.current), heldBackFromUs: from };
  }

  recordCoverage(interval: Interval, decision: Decision, isRecorded: boolean): void {
    this.coveredAt.forEach((id, moment) => {
      const gone = id !== null && this.isExpired(id) && decision.kind === 'full' && this.recorded.has(moment);
      const isInside = inside({ at: moment }, interval);
      if (gone || isInside) this.coveredAt[moment] = this.current;
      if (isInside && isRecorded) this.recorded.add(moment);
    });
  }

  recomputation(): Row[] {
    return newest(
      this.coveredAt.flatMap((id, moment) =>
        id === null
          ? []
          : this.at(id)
              .files.flat()
              .filter((row) => row.at === moment),
      ),
    );
  }
}

function inside(row: { at: number }, interval: Interval): boolean {
  return (
    (interval.startUs === null || BigInt(row.at) >= interval.startUs) &&
    (interval.endUs === null || BigInt(row.at) < interval.endUs)
  );
}

function newest(rows: readonly Row[]): Row[] {
  const best = new Map<number, Row>();
  for (const row of rows) {
    const other = best.get(row.key);
    if (other === undefined || row.at > other.at || (row.at === other.at && row.serial > other.serial))
      best.set(row.key, row);
  }
  return [...best.values()].sort((a, b) => a.key - b.key);
}

type Step =
  | { do: 'append'; rows: { key: number; at: number }[] }
  | { do: 'compact' }
  | { do: 'delete'; pick: number }
  | { do: 'rollback'; pick: number }
  | { do: 'expire' }
  | { do: 'redefine' }
  | { do: 'run'; end: number | null }
  | { do: 'window'; start: number; length: number | null };

const moment = fc.integer({ min: 0, max: MOMENTS - 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      rows: fc.array(fc.record({ key: fc.integer({ min: 0, max: 4 }), at: moment }), { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'compact' as const }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('delete' as const), pick: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('rollback' as const), pick: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.constant({ do: 'expire' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'redefine' as const }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('run' as const), end: fc.option(moment, { nil: null }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('window' as const),
      start: moment,
      length: fc.option(fc.integer({ min: 1, max: 6 }), { nil: null }),
    }),
  },
);

function apply(model: Model, next: Step): void {
  const { files } = model.at(model.current);
  if (next.do === 'append') model.commit('append', [next.rows.map(({ key, at }) => model.row(key, at))], []);
  if (next.do === 'compact' && files.length > 1) model.commit('replace', [files.flat()], files);
  if (next.do === 'delete') {
    const file = files[next.pick % Math.max(1, files.length)];
    if (file !== undefined) {
      const rest = file.filter((_, index) => index !== next.pick % file.length);
      model.commit('overwrite', rest.length === 0 ? [] : [rest], [file]);
    }
  }
  if (next.do === 'rollback') model.current = model.chain()[next.pick % model.chain().length]?.id ?? model.current;
  if (next.do === 'expire') model.firstKept = model.snapshots.length;
  if (next.do === 'redefine') model.definition = { ...model.definition, features: `${model.definition.features}'` };
  if (next.do === 'run') {
    model.materialize({
      kind: 'incremental',
      interval: { startUs: null, endUs: next.end === null ? null : BigInt(next.end) },
    });
  }
  if (next.do === 'window') {
    const end = next.length === null ? null : BigInt(next.start + next.length);
    model.materialize({ kind: 'window', interval: { startUs: BigInt(next.start), endUs: end } });
  }
}

describe('the decision of a materialization run', () => {
  it('keeps the online table equal to its recomputation', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const model = new Model();
        for (const next of steps) {
          apply(model, next);
          if (next.do === 'run' || next.do === 'window') expect(newest(model.online)).toEqual(model.recomputation());
        }
      }),
      { numRuns: runs(3000) },
    );
  });
});
