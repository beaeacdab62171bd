/** Who waits for a reduction: how it is ended, who hears of it, and which attempt at what work it is. */
import type { TrinoProgress } from '../catalogs/index.js';

/** One of several attempts at the same work, of which at most one counts. */
export interface WorkAttempt {
  /** 16 hex digits: equal for all attempts at the same work, and for no other work. */
  readonly work: string;
  /** From 1. What earlier attempts have left in Trino is taken away. */
  readonly number: number;
}

export interface ReduceContext {
  readonly signal?: AbortSignal | undefined;
  /** Called about once a second while Trino runs a query. */
  readonly onQuery?: ((query: TrinoProgress) => void) | undefined;
  /** The id of the run's workflow, for the tags of queries; absent outside of workflows. */
  readonly run?: string | undefined;
  /** Absent: nobody tries again. */
  readonly attempt?: WorkAttempt | undefined;
}
