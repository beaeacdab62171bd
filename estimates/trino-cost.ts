/**
 * The cost of a run whose sources Trino reads: a line through the two sizes of the bench's job `trino` (docs/benchmarks.md). No third run has
 * tried it. Pure.
 */
import { largest } from '../errors/index.js';

/** CPU of all processes at two numbers of source rows: Trino, its store, and Moraine's. */
interface MeasuredOnTrino {
  readonly few: { readonly rows: number; readonly cpuSeconds: number };
  readonly many: { readonly rows: number; readonly cpuSeconds: number };
}

/** Rows of eight doubles, a key and a time, twenty for each entity; a retrieval has an entity row for a hundred of them. */
const MEASURED: Readonly<Record<'materialization' | 'retrieval', MeasuredOnTrino>> = {
  materialization: { few: { rows: 1e6, cpuSeconds: 10.54 }, many: { rows: 1e7, cpuSeconds: 54.22 } },
  retrieval: { few: { rows: 1e6, cpuSeconds: 10.71 }, many: { rows: 1e7, cpuSeconds: 53.52 } },
};

/** The most rows that a query on Trino was measured with. */
const MEASURED_TRINO_ROWS = 1e7;

/** What a run is expected to cost on Trino. */
export interface TrinoCost {
  /** One for each source that is read; of views without join keys one for each shard. */
  readonly queries: number;
  /** CPU time of all processes together, Trino's among them. */
  readonly cpuSeconds: number;
  /** Rows of the largest query, over those of the largest that was measured: beyond 1 the line has not been tried. */
  readonly timesMeasured: number;
}

/** @param rows of each query, which are those of its source; of sources without rows Trino is not asked */
export function trinoCost(kind: keyof typeof MEASURED, rows: readonly number[]): TrinoCost {
  const { few, many } = MEASURED[kind];
  const perRow = (many.cpuSeconds - few.cpuSeconds) / (many.rows - few.rows);
  const asked = rows.filter((count) => count > 0);
  const ofQuery = (count: number): number => few.cpuSeconds + (count - few.rows) * perRow;
  return {
    queries: asked.length,
    cpuSeconds: asked.reduce((sum, count) => sum + ofQuery(count), 0),
    timesMeasured: largest(asked) / MEASURED_TRINO_ROWS,
  };
}
