/**
 * The worker is killed with SIGKILL at each step of a run and started again: the workflow finishes, the online table
 * equals a recomputation, and the run's key has one commit. All points at once, because each waits for a heartbeat to
 * time out.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FAULT_POINTS } from '../../materialization/index.js';
import { REDUCTION_FAULT_POINTS } from '../../reduction/index.js';
import { killAtPoint } from '../support/kill-at-point.js';
import { KilledRun, type Survival } from '../support/killed-run.js';
import { KilledTrainingSet } from '../support/killed-training-set.js';
import { MATERIALIZE, MATERIALIZE_IN_PARTS, type Work } from '../support/works.js';

const POINTS: readonly (readonly [point: string, work: Work])[] = [
  ...FAULT_POINTS.map((point) => [point, MATERIALIZE] as const),
  ...REDUCTION_FAULT_POINTS.map((point) => [point, MATERIALIZE_IN_PARTS] as const),
];

let trainingSet: KilledTrainingSet;
const runs = new Map<string, { readonly run: KilledRun; readonly survival: Promise<Survival> }>();

beforeAll(() => {
  trainingSet = new KilledTrainingSet('dataset-rows-committed');
  for (const [point, work] of POINTS) {
    const run = new KilledRun(work, (marker) => killAtPoint(point, marker));
    const survival = run.run();
    survival.catch(() => undefined); // reported by the point's own test
    runs.set(point, { run, survival });
  }
});

afterAll(async () => {
  await Promise.all([trainingSet.clean(), ...[...runs.values()].map(({ run }) => run.clean())]);
});

describe('a worker that is killed', () => {
  test.each(POINTS)(
    'at %s: the run finishes, with one commit and the right rows',
    async (point) => {
      const started = runs.get(point);
      if (started === undefined) throw new Error('not started');
      const survival = await started.survival;
      expect(survival.killedBy).toBe('SIGKILL');
      await started.run.expectWhole(survival);
    },
    180_000,
  );

  test(
    'between the rows and the record of a training set: the dataset is whole, and there once',
    () => trainingSet.expectWhole(),
    180_000,
  );
});
