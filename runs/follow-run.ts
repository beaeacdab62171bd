/** Following a run until it has ended. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { ERROR_TABLE, type ErrorCode, MoraineError } from '../errors/index.js';
import { throwIfAborted } from '../processes/index.js';
import { type Run, showRun } from './show-run.js';

const POLL_MS = 1000;

export interface FollowOptions {
  /** The execution to begin with; the latest unless given. */
  readonly runId?: string;
  /** Receives the run as it is, at once, then every second, and when it has ended. A promise that it returns is awaited. */
  readonly onProgress?: (run: Run) => void | Promise<void>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Follows a run over all of its executions until it has ended.
 *
 * @returns the completed run
 * @throws the run's own error if it failed; `CANCELLED` if it was cancelled, or the signal is aborted; `WORKFLOW_NOT_FOUND`
 */
export async function followRun(
  client: Client,
  workflowId: string,
  { runId, onProgress, signal }: FollowOptions = {},
): Promise<Run> {
  const end = new ExecutionEnd(client, workflowId);
  let execution = runId;
  for (;;) {
    const run = await showRun(client, workflowId, execution);
    await onProgress?.(run);
    if (run.status === 'CONTINUED_AS_NEW') execution = undefined;
    else if (run.outcome?.status === 'failed') throw asError(run.outcome);
    else if (run.outcome !== null) return run;
    else await end.orPause(run.runId, signal);
  }
}

/** The end of an execution, as the server announces it. */
class ExecutionEnd {
  readonly #client: Client;
  readonly #workflowId: string;
  #runId: string | undefined;
  #ended: Promise<void> = new Promise(() => {});

  constructor(client: Client, workflowId: string) {
    this.#client = client;
    this.#workflowId = workflowId;
  }

  /** Waits for the end of an execution, at most a second. An announcement counts once: whatever it was, the pauses go on. */
  async orPause(runId: string, signal: AbortSignal | undefined): Promise<void> {
    if (runId !== this.#runId) {
      this.#runId = runId;
      const result = this.#client.workflow.result(this.#workflowId, runId, { followRuns: false });
      this.#ended = result.then(
        () => undefined,
        () => undefined,
      );
    }
    const stop = new AbortController();
    const stopped = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
    const pause = sleep(POLL_MS, false, { signal: stopped }).catch(() => false);
    if (await Promise.race([pause, this.#ended.then(() => true)])) this.#ended = new Promise(() => {});
    stop.abort();
    throwIfAborted(signal);
  }
}

function asError({ code, message }: { readonly code: string; readonly message: string }): MoraineError {
  return new MoraineError(Object.hasOwn(ERROR_TABLE, code) ? (code as ErrorCode) : 'RUN_FAILED', message);
}
