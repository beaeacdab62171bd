/** Feature semantics as plain nested loops: slow, and obviously what `feature-semantics` says. Times are exact nanoseconds. */

/** A feature row: typed key tuple, times, and features in the view's order. */
export interface OracleRow {
  readonly key: readonly (number | string | null)[];
  readonly timeNs: bigint | null;
  readonly createdNs: bigint | null;
  readonly sequence: number;
  readonly features: readonly OracleValue[];
}

export type OracleValue = number | string | null | readonly (number | null)[];

/** Negative: `a` loses. Null is below everything, NaN above every number, -0 below 0, text by code point, lists by element. */
export function compareFeature(a: OracleValue, b: OracleValue): number {
  if (a === null || b === null) return (a === null ? 0 : 1) - (b === null ? 0 : 1);
  if (typeof a === 'number' && typeof b === 'number') {
    if (Number.isNaN(a) || Number.isNaN(b)) return (Number.isNaN(a) ? 1 : 0) - (Number.isNaN(b) ? 1 : 0);
    if (a !== b) return a < b ? -1 : 1;
    return (Object.is(a, -0) ? 0 : 1) - (Object.is(b, -0) ? 0 : 1);
  }
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b));
  const left = a as readonly (number | null)[];
  const right = b as readonly (number | null)[];
  for (let index = 0; index < Math.min(left.length, right.length); index++) {
    const order = compareFeature(left[index] ?? null, right[index] ?? null);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

const compareNullable = (a: bigint | null, b: bigint | null): number => {
  if (a === null || b === null) return (a === null ? 0 : 1) - (b === null ? 0 : 1);
  return a < b ? -1 : a > b ? 1 : 0;
};

/** Negative: `a` loses against `b`, a row of the same entity. */
export function compareRows(a: OracleRow, b: OracleRow): number {
  const byTime =
    compareNullable(a.timeNs, b.timeNs) || compareNullable(a.createdNs, b.createdNs) || a.sequence - b.sequence;
  if (byTime !== 0) return byTime;
  for (let index = 0; index < a.features.length; index++) {
    const order = compareFeature(a.features[index] ?? null, b.features[index] ?? null);
    if (order !== 0) return order;
  }
  return 0;
}

/** The row that wins among rows of one entity, if there is any. */
export function winner(rows: readonly OracleRow[]): OracleRow | undefined {
  let best: OracleRow | undefined;
  for (const row of rows) if (best === undefined || compareRows(row, best) > 0) best = row;
  return best;
}

/** Whether two key tuples are the same entity; null is no entity. */
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
