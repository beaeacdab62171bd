/** What an online table must answer, from plain lists of the rows that were written to it. */
import type { NestedField } from '../../iceberg/index.js';
import { compareValues, type Values, valueOf } from './online-values.js';

/** A row as it was written. */
export interface Fact {
  readonly entity: number;
  /** Seconds since 1970. */
  readonly at: number;
  /** Seconds since 1970; null: unknown. */
  readonly created: number | null;
  readonly values: Values;
  /** By a client, not by a run. */
  readonly pushed: boolean;
  /** Number of the commit. */
  readonly commit: number;
  /** False: it is in the table, or a compaction or a run has left it out. Which of them is their own choice. */
  readonly sure: boolean;
}

/** A row of the source table. */
export interface SourceFact extends Omit<Fact, 'pushed' | 'sure'> {
  /** Of this row alone. */
  readonly number: number;
}

/** Rows that are ordered, as far as the order goes by them. */
type Ordered = Pick<Fact, 'at' | 'created' | 'commit' | 'values'>;

/** The newest event time, then `created`, then the commit, then the features. */
export function newestFirst(features: readonly NestedField[]): (a: Ordered, b: Ordered) => number {
  return (a, b) =>
    b.at - a.at ||
    (b.created ?? -1) - (a.created ?? -1) ||
    b.commit - a.commit ||
    features.reduce((sign, field) => sign || compareValues(valueOf(b.values, field), valueOf(a.values, field)), 0);
}

/** The rows that a read of an entity may find, null for none: one alone, but where it is not sure which rows are there. */
export function answers(
  facts: readonly Fact[],
  features: readonly NestedField[],
  entity: number,
  nowS: number,
): readonly (Fact | null)[] {
  const rows = facts.filter((fact) => fact.entity === entity && fact.at <= nowS).sort(newestFirst(features));
  const sure = rows.findIndex((fact) => fact.sure);
  return sure < 0 ? [...rows, null] : rows.slice(0, sure + 1);
}

/** Rows of one entity, in turns: all up to now are one, and each later time is one. In each the newest row is the first. */
function turnsOf<Row extends Ordered>(
  rows: readonly Row[],
  features: readonly NestedField[],
  nowS: number,
): readonly (readonly Row[])[] {
  return grouped(rows.toSorted(newestFirst(features)), ({ at }) => (at > nowS ? at : null));
}

function byEntity<Row extends { readonly entity: number }>(rows: readonly Row[]): readonly (readonly Row[])[] {
  return grouped(rows, ({ entity }) => entity);
}

function grouped<Row>(rows: readonly Row[], keyOf: (row: Row) => number | null): readonly (readonly Row[])[] {
  const groups = new Map<number | null, Row[]>();
  for (const row of rows) {
    const group = groups.get(keyOf(row));
    if (group === undefined) groups.set(keyOf(row), [row]);
    else group.push(row);
  }
  return [...groups.values()];
}

/**
 * The rows after a compaction. Rows that a later commit has superseded may go; with `latest` all others of a turn, too, but the newest and the
 * newest that was pushed.
 */
export function compacted(
  facts: readonly Fact[],
  features: readonly NestedField[],
  strategy: 'binpack' | 'latest',
  nowS: number,
): readonly Fact[] {
  const isSuperseded = (fact: Fact, rows: readonly Fact[]): boolean =>
    rows.some(({ at, created, commit }) => at === fact.at && created === fact.created && commit > fact.commit);
  return byEntity(facts).flatMap((rows) =>
    turnsOf(rows, features, nowS).flatMap((turn) => {
      const kept = [turn[0], turn.find(({ pushed }) => pushed)];
      return turn.map((fact): Fact => {
        const stays = !isSuperseded(fact, turn) && (strategy === 'binpack' || kept.includes(fact));
        return { ...fact, sure: fact.sure && stays };
      });
    }),
  );
}

/** What a run of materialization has read: source rows as they are now, and those of each covered time as of the run that covered it last. */
export interface SourceRows {
  /** Rows of the interval that no run has read. */
  readonly fresh: readonly SourceFact[];
  /** Other rows of the interval, which the run may have read again. */
  readonly reread: readonly SourceFact[];
  /** All rows that are covered after the run. */
  readonly covered: readonly SourceFact[];
}

export interface Run {
  readonly source: SourceRows;
  /** Whether it has computed the rows of an entity anew. */
  readonly isRebuilt: (entity: number) => boolean;
  /** A source row as a row of the online table. */
  readonly written: (row: SourceFact) => Fact;
  /** Features of the source table, and of the online table, in their order. */
  readonly sourceFeatures: readonly NestedField[];
  readonly features: readonly NestedField[];
  readonly commit: number;
  readonly nowS: number;
}

/** The rows after a run of materialization. */
export function materialized(facts: readonly Fact[], run: Run): readonly Fact[] {
  const { source, isRebuilt, written, sourceFeatures, nowS } = run;
  const stay = facts.filter(({ entity }) => !isRebuilt(entity));
  const pushed = facts.filter((fact) => isRebuilt(fact.entity) && fact.pushed);
  const turns = (rows: readonly SourceFact[]): readonly (readonly SourceFact[])[] =>
    byEntity(rows).flatMap((those) => turnsOf(those, sourceFeatures, nowS));
  const rebuilt = turns(source.covered.filter(({ entity }) => isRebuilt(entity))).flatMap(([newest]) => newest ?? []);
  const read = [...source.fresh, ...source.reread].filter(({ entity }) => !isRebuilt(entity));
  const isFresh = (row: SourceFact): boolean => source.fresh.includes(row);
  const added = turns(read).flatMap((turn): readonly Fact[] => {
    // Of a turn one row is written: the first fresh one, or one that was there before and came first.
    const first = turn.findIndex(isFresh);
    const may = first < 0 ? turn : turn.slice(0, first + 1);
    return may.map((row) => ({ ...written(row), sure: first === 0 }));
  });
  return [...stay, ...rewrittenPushes(pushed, run), ...rebuilt.map(written), ...added];
}

/** Of pushed rows of one entity and event time one alone is carried over: then all have one commit. */
function rewrittenPushes(pushed: readonly Fact[], { features, commit }: Run): readonly Fact[] {
  const times = byEntity(pushed).flatMap((rows) => turnsOf(rows, features, Number.NEGATIVE_INFINITY));
  return times.flatMap((turn): readonly Fact[] => {
    const first = turn.findIndex(({ sure }) => sure);
    const may = first < 0 ? turn : turn.slice(0, first + 1);
    return may.map((fact) => ({ ...fact, sure: first === 0, commit }));
  });
}
