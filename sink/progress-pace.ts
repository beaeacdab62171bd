/** When the progress of a sink is worth telling: after commits, and of a lag now and then. */
import type { SinkMetrics } from './sink-metrics.js';

/** Time after which a lag is told although nothing was committed. */
const LAG_MS = 10_000;

export class ProgressPace {
  #told = { batches: 0, atMs: performance.now() };

  /** Whether to tell it now; it counts as told then. */
  isDue({ committedBatches: batches }: Pick<SinkMetrics, 'committedBatches'>, lag: bigint): boolean {
    const atMs = performance.now();
    const isLate = lag > 0n && atMs - this.#told.atMs >= LAG_MS;
    if (batches === this.#told.batches && !isLate) return false;
    this.#told = { batches, atMs };
    return true;
  }
}
