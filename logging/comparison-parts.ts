/** Cutting a comparison into parts by time, so that what it holds at once does not grow with the log; and adding their answers up. */
import type { Connection } from '../engine/index.js';
import {
  CAUSES,
  type CauseCounts,
  type DifferenceExample,
  type FeatureComparison,
  type LogComparison,
} from './comparison.js';
import type { LogWindow } from './read-log.js';

/** A window of a log, and how many rows it has. */
export interface LogPart {
  readonly window: LogWindow;
  readonly rows: number;
}

/**
 * Windows that follow each other and together are the whole one, each with about `partRows` rows: a minute is not cut.
 * @param relation rows of the whole window
 * @param timestamp their column with the time that an answer is as of
 * @returns at least one
 */
export async function logParts(
  connection: Connection,
  relation: string,
  timestamp: string,
  window: LogWindow,
  partRows: number,
): Promise<readonly LogPart[]> {
  const minutes = `SELECT epoch_us(date_trunc('minute', ${timestamp})) AS us, count(*) AS n FROM ${relation} GROUP BY us`;
  const packed = `SELECT us, n, (sum(n) OVER (ORDER BY us) - n) // ${partRows} AS part FROM (${minutes})`;
  const found = await connection.rows(`SELECT min(us), sum(n) FROM (${packed}) GROUP BY part ORDER BY part`);
  if (found.length === 0) return [{ window, rows: 0 }];
  const starts = found.map(([startUs]) => BigInt(String(startUs)));
  return found.map(([, rows], index) => {
    const startUs = index === 0 ? window.startUs : starts[index];
    const endUs = starts[index + 1] ?? window.endUs;
    const part = { ...(startUs === undefined ? {} : { startUs }), ...(endUs === undefined ? {} : { endUs }) };
    return { window: part, rows: Number(rows) };
  });
}

/**
 * The comparison of all parts: counts added up, and of each feature, difference and cause the first examples.
 * @param parts of one service at one state, in order of time; at least one
 */
export function mergeComparisons(parts: readonly LogComparison[], examples: number): LogComparison {
  const [first] = parts;
  if (first === undefined) throw new TypeError('a comparison has a part');
  const names = first.features.map(({ name }) => name);
  return {
    ...first,
    rows: sumOf(parts, ({ rows }) => rows),
    sources: new Map(parts.flatMap(({ sources }) => [...sources])),
    features: names.map((name, index) =>
      mergeFeatures(
        name,
        parts.flatMap(({ features }) => features[index] ?? []),
      ),
    ),
    matches: parts.every(({ matches }) => matches),
    undatable: sumOf(parts, ({ undatable }) => undatable),
    examples: firstOfEach(
      names,
      parts.flatMap((part) => part.examples),
      examples,
    ),
  };
}

function mergeFeatures(name: string, parts: readonly FeatureComparison[]): FeatureComparison {
  return {
    name,
    match: sumOf(parts, ({ match }) => match),
    mismatch: mergeCounts(parts.map(({ mismatch }) => mismatch)),
    missing: mergeCounts(parts.map(({ missing }) => missing)),
    extra: mergeCounts(parts.map(({ extra }) => extra)),
    notLogged: sumOf(parts, ({ notLogged }) => notLogged),
  };
}

function mergeCounts(parts: readonly CauseCounts[]): CauseCounts {
  const count = (cause: keyof CauseCounts) => [cause, sumOf(parts, (counts) => counts[cause])] as const;
  return Object.fromEntries((['total', ...CAUSES] as const).map(count)) as unknown as CauseCounts;
}

/** Ordered as one part orders them: by feature, difference and cause, then by time. */
function firstOfEach(names: readonly string[], all: readonly DifferenceExample[], examples: number) {
  const groups = new Map<string, DifferenceExample[]>();
  for (const example of all) {
    const key = `${String(names.indexOf(example.feature)).padStart(6, '0')} ${example.difference} ${example.cause}`;
    const group = groups.get(key) ?? [];
    if (group.length < examples) group.push(example);
    groups.set(key, group);
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, group]) => group);
}

function sumOf<T>(parts: readonly T[], count: (part: T) => number): number {
  return parts.reduce((sum, part) => sum + count(part), 0);
}
