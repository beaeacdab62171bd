import { ApplicationFailure, workflowInfo } from '@temporalio/workflow';

/** Turns of a loop within one workflow task. Loops of Moraine take a few, at most one per window or request at hand. */
const MAX_TURNS_PER_TASK = 1000;

/**
 * Bounds a loop that has no end of its own: `for (const turn of turns())`, where `turn` counts from 0. A turn has to wait for a step, a
 * timer or a message sooner or later. One that never waits would hold the worker's thread, and with it every other run there.
 *
 * @throws `INTERNAL`, which fails the run, after 1,000 turns within one workflow task
 */
export function* turns(): Generator<number, never> {
  let task = workflowInfo().historyLength;
  let firstOfTask = 0;
  // eslint-disable-next-line no-restricted-syntax -- the one loop without an end, which this bounds
  for (let turn = 0; ; turn += 1) {
    const { historyLength, workflowType } = workflowInfo();
    if (historyLength !== task) {
      task = historyLength;
      firstOfTask = turn;
    }
    if (turn - firstOfTask >= MAX_TURNS_PER_TASK) {
      const message = `A loop of ${workflowType} turned ${MAX_TURNS_PER_TASK} times without a step. This is a defect of Moraine: report it with the run's history, and start the run again.`;
      throw ApplicationFailure.create({ message, type: 'INTERNAL', nonRetryable: true });
    }
    yield turn;
  }
}
