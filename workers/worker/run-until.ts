/** Running workers until a signal, and not much longer. */
import type { Worker } from '@temporalio/worker';
import { MoraineError } from '../../errors/index.js';

/** Time from the end of the grace until a worker stops regardless of its activities. A supervisor is asked for a grace of 30 s more than the worker's. */
export const FORCE_AFTER_GRACE_MS = 25_000;
/** Time for workflow code to compute after the grace: the SDK ends it after 5 s, if it can. */
const COMPUTE_AFTER_GRACE_MS = 5_000;
/** Time for the workers to end after that. */
const END_MS = 2_000;

type Running = Pick<Worker, 'run' | 'shutdown' | 'getState' | 'getStatus'>;

/**
 * Runs all workers until the signal; when one ends by itself, it has failed, and the others end, too. A thread that workflow code keeps busy
 * does not hold this up: no call of the SDK ends such a thread, so that the caller has to end the process.
 *
 * @throws `TIMED_OUT` if a worker has not ended in time
 */
export async function runUntil(
  signal: AbortSignal,
  workers: readonly Running[],
  graceMs: number,
  onReady?: () => void,
): Promise<void> {
  if (signal.aborted) return;
  let deadline = (): void => {};
  const late = new Promise<'late'>((resolve) => {
    deadline = () => void whenLate(workers, graceMs).then(() => resolve('late'));
  });
  const shutdown = (): void => {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
    deadline();
    deadline = () => {};
  };
  signal.addEventListener('abort', shutdown, { once: true });
  const running = workers.map((worker) => worker.run().finally(shutdown));
  onReady?.();
  const ended = await Promise.race([Promise.allSettled(running), late]);
  if (ended === 'late') throw notEnded(graceMs);
  const failed = ended.find((end) => end.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

/** Resolves once nothing is left to wait for: at the latest when activities have had their time, too. */
async function whenLate(workers: readonly Running[], graceMs: number): Promise<void> {
  await pause(graceMs + COMPUTE_AFTER_GRACE_MS + END_MS);
  if (workers.every((worker) => worker.getStatus().numInFlightActivities === 0)) return;
  await pause(FORCE_AFTER_GRACE_MS - COMPUTE_AFTER_GRACE_MS);
}

/** Does not keep a process whose workers have ended. */
const pause = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms).unref());

function notEnded(graceMs: number): MoraineError {
  return new MoraineError(
    'TIMED_OUT',
    `The worker did not end within its grace (worker.shutdownGraceSeconds: ${graceMs / 1000}): workflow code or an activity keeps a thread busy. Its process ends now, and Temporal gives the work to another worker. \`moraine runs\` lists the runs in flight, and \`moraine run show\` says which one is blocked.`,
  );
}
