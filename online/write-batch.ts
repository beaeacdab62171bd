/** Writing rows into an online table beside materialization: a batch of rows is one commit. */
import { type IdempotencyKey, idempotencyKey } from '../tables/index.js';
import type { BatchRows } from './batch-rows.js';
import { type OnlineWriteResult, writeOnlineGroup } from './write-group.js';
import type { OnlineWriteDeps } from './write-target.js';

/** A batch of rows for the online table of a view. */
export type OnlineBatch = BatchRows & {
  readonly view: string;
  /**
   * Whether the rows are the client's own, which rebuilds from the source keep; true by default. False for rows that the source table has,
   * too: when they are deleted there, they go here.
   */
  readonly pushed?: boolean | undefined;
  /** A batch under a key is committed once within 24 hours. */
  readonly key?: string | IdempotencyKey | undefined;
  /** Microseconds since the epoch; the time of this machine by default. */
  readonly nowUs?: bigint | undefined;
  readonly signal?: AbortSignal | undefined;
};

/**
 * Writes a batch in one commit. The newest row of an entity wins by event time, then by `created_timestamp`, then by the order of commits, whatever is
 * written first. A row without `created_timestamp` gets the time of the write if the view has such a column. The table is made if the view was never materialized.
 * @throws FEATURE_VIEW_NOT_FOUND; INVALID_ARGUMENT for a view that is not online; MATERIALIZATION_REQUIRED if the stored values are those of another definition;
 * TABLE_NOT_FOUND for the source of a view whose table has to be made; COMMIT_CONFLICT; COMMIT_STATE_UNKNOWN (a repetition under the same `key` finds out)
 */
export async function writeOnlineBatch(deps: OnlineWriteDeps, batch: OnlineBatch): Promise<OnlineWriteResult> {
  const { view, pushed = true, nowUs = BigInt(Date.now()) * 1000n, signal } = batch;
  const { outcomes } = await writeOnlineGroup(deps, {
    view,
    pushed,
    batches: [{ rows: batch, nowUs, key: batch.key === undefined ? undefined : keyOf(batch.key) }],
    signal,
  });
  const [outcome] = outcomes;
  if (outcome === undefined || 'error' in outcome) throw outcome?.error;
  return outcome.result;
}

/** A batch under a key may come from a table or a query: its rows are not compared. */
function keyOf(key: string | IdempotencyKey): IdempotencyKey {
  return typeof key === 'string' ? idempotencyKey(`online-write/${key}`) : key;
}
