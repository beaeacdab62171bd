/** Statements that DuckDB's own threads compute while the caller sleeps. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { DuckDBConnection, DuckDBValue } from '@duckdb/node-api';
import type { PendingResult, PendingState } from '@duckdb/node-bindings';
import { duckdb } from './duckdb.js';

const POLL_INTERVAL_MS = 5;

/** DuckDB's prefix of the message of a statement that failed before its result was asked for. */
const WRAPPED_ERROR =
  /^Invalid Input Error: Attempting to execute an unsuccessful or closed pending query result\nError: /;

/**
 * All rows of a small result, computed by background threads only; there must be one.
 *
 * A caller who waits inside DuckDB helps with the work, but while there is no task for it, it asks for one again and again: as long
 * as a single thread writes files or reads rows in order, the caller burns a second core. Source: DuckDB,
 * `PendingQueryResult::ExecuteInternal`, which waits only for blocked tasks.
 */
export async function rowsInBackground(connection: DuckDBConnection, sql: string): Promise<DuckDBValue[][]> {
  const pending = await connection.start(sql);
  // The binding has no public call that asks for the state without doing a part of the work on the event loop. Its handle is private:
  // a release without it costs the spinning again, nothing else.
  const handle = pending['pending_result'] as PendingResult | undefined;
  // Done or failed, the state is no longer one of these two (it then says ERROR for both); which of them it was, the result says.
  const { RESULT_NOT_READY, NO_TASKS_AVAILABLE } = duckdb.bindings.PendingState;
  const isRunning = (state: PendingState): boolean => state === RESULT_NOT_READY || state === NO_TASKS_AVAILABLE;
  while (handle !== undefined && isRunning(duckdb.bindings.pending_execute_check_state(handle)))
    await sleep(POLL_INTERVAL_MS);
  const reader = await pending.readAll().catch((error: Error) => {
    throw new Error(error.message.replace(WRAPPED_ERROR, ''), { cause: error });
  });
  return reader.getRows();
}
