/** Starting materializations and waiting for them, from a command or a library call. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { MaterializeResult, RequestedRun, RunProgress } from '../activities/contract.js';
import {
  awaitOutcome,
  hasSearchAttributes,
  type MaterializeRequest,
  runHandle,
  startRun,
} from '../activities/index.js';
import { ERROR_TABLE, type ErrorCode, MoraineError } from '../errors/index.js';
import type { TemporalClient } from './connection.js';
import { assertPickedUp, assertTaskQueuePolled } from './task-queue.js';
import type { TemporalSettings } from './temporal-settings.js';

/** Within this time it is reported that nobody works on a task queue. */
const UNPOLLED_AFTER_MS = 5_000;
const PROGRESS_INTERVAL_MS = 500;

/**
 * Starts the run of a view and interval on the server, or joins the one in flight.
 *
 * @throws `TASK_QUEUE_UNPOLLED` within 5 s if no worker takes it
 */
export async function startMaterialization(
  { client, connection }: TemporalClient,
  settings: TemporalSettings,
  request: MaterializeRequest,
): Promise<RequestedRun> {
  const { namespace, taskQueue } = settings;
  const deadlineMs = Date.now() + UNPOLLED_AFTER_MS;
  await assertTaskQueuePolled(client, taskQueue, UNPOLLED_AFTER_MS);
  const searchAttributes = await hasSearchAttributes(connection, namespace);
  const run = await startRun(client, request, { taskQueue, searchAttributes });
  await assertPickedUp(client, run, taskQueue, deadlineMs);
  return run;
}

export interface WaitOptions {
  /** Stops the waiting; the run goes on. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: RunProgress) => void;
}

/**
 * Waits until the run has ended.
 *
 * @throws the run's own error code if it failed; `CANCELLED` if it was cancelled or the waiting was stopped
 */
export async function waitForRun(
  client: Client,
  run: RequestedRun,
  options: WaitOptions = {},
): Promise<MaterializeResult> {
  const ended = new AbortController();
  const stop = options.signal === undefined ? ended.signal : AbortSignal.any([options.signal, ended.signal]);
  if (options.onProgress !== undefined) void followProgress(client, run, options.onProgress, stop);
  try {
    const outcome = await Promise.race([awaitOutcome(client, run), rejectWhenAborted(options.signal, run)]);
    if (outcome.status === 'completed') return outcome.result;
    throw new MoraineError(knownCode(outcome.code), outcome.message, { details: { workflowId: run.workflowId } });
  } finally {
    ended.abort();
  }
}

async function followProgress(
  client: Client,
  run: RequestedRun,
  onProgress: (progress: RunProgress) => void,
  stop: AbortSignal,
): Promise<void> {
  const handle = runHandle(client, run);
  while (!stop.aborted) {
    try {
      const progress = await handle.query<RunProgress>('progress');
      if (!stop.aborted) onProgress(progress);
    } catch {
      // A worker that restarts cannot answer for a moment; the result tells how it ended.
    }
    await sleep(PROGRESS_INTERVAL_MS, undefined, { signal: stop }).catch(() => {});
  }
}

function rejectWhenAborted(signal: AbortSignal | undefined, run: RequestedRun): Promise<never> {
  return new Promise((_, reject) => {
    const stopped = (): void =>
      reject(new MoraineError('CANCELLED', `stopped waiting; the run ${run.workflowId} goes on`));
    if (signal?.aborted === true) stopped();
    else signal?.addEventListener('abort', stopped, { once: true });
  });
}

function knownCode(code: string): ErrorCode {
  return Object.hasOwn(ERROR_TABLE, code) ? (code as ErrorCode) : 'RUN_FAILED';
}
