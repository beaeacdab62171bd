/** Feature semantics as plain nested loops: slow, and obviously what `feature-semantics` says. Times are exact nanoseconds. */
import { compareTuples, compareValue } from './order.js';
import type { PlainValue } from './values.js';

/** A feature row: typed key tuple, times, and features in the view's order. */
export interface OracleRow {
  readonly key: readonly PlainValue[];
  readonly timeNs: bigint | null;
  readonly createdNs: bigint | null;
  readonly sequence: bigint | number;
  readonly features: readonly PlainValue[];
}

/** Negative: `a` loses against `b`, a row of the same entity. */
export function compareRows(a: OracleRow, b: OracleRow): number {
  return (
    compareValue(a.timeNs, b.timeNs) ||
    compareValue(a.createdNs, b.createdNs) ||
    compareValue(a.sequence, b.sequence) ||
    compareTuples(a.features, b.features)
  );
}

/** The row that wins among rows of one entity, if there is any. */
export function winner(rows: readonly OracleRow[]): OracleRow | undefined {
  let best: OracleRow | undefined;
  for (const row of rows) if (best === undefined || compareRows(row, best) > 0) best = row;
  return best;
}

/** Whether two key tuples are the same entity; null is not an entity. */
export function sameKey(a: OracleRow['key'], b: OracleRow['key']): boolean {
  return a.every((part, index) => part !== null && part === b[index]);
}

/** The feature row for an entity at a time. */
export function pointInTime(
  rows: readonly OracleRow[],
  key: OracleRow['key'],
  timeNs: bigint | null,
  options: { readonly ttlNs: bigint | null; readonly knownAsOf: boolean },
): OracleRow | undefined {
  if (timeNs === null) return undefined;
  return winner(
    rows.filter((row) => {
      if (row.timeNs === null || row.timeNs > timeNs || !sameKey(row.key, key)) return false;
      if (options.knownAsOf && (row.createdNs === null || row.createdNs > timeNs)) return false;
      return options.ttlNs === null || row.timeNs >= timeNs - options.ttlNs;
    }),
  );
}

/** The newest row of every entity. */
export function latestPerEntity(rows: readonly OracleRow[]): readonly OracleRow[] {
  const whole = rows.filter((row) => row.timeNs !== null && row.key.every((part) => part !== null));
  return whole.filter(
    (row, index) =>
      whole.every((other) => !sameKey(other.key, row.key) || compareRows(other, row) <= 0) &&
      !whole.slice(0, index).some((other) => sameKey(other.key, row.key) && compareRows(other, row) === 0),
  );
}
