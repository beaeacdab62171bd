/** The worker is killed with SIGKILL at each step of a training set and started again: the dataset is whole, and there once. */
import { afterAll, beforeAll, test } from 'vitest';
import { TRAINING_FAULT_POINTS, type TrainingFaultPoint } from '../../training/index.js';
import { KilledTrainingSet } from '../support/killed-training-set.js';

const killed = new Map<TrainingFaultPoint, KilledTrainingSet>();
beforeAll(() => {
  for (const point of TRAINING_FAULT_POINTS) killed.set(point, new KilledTrainingSet(point));
});
afterAll(async () => {
  await Promise.all([...killed.values()].map((run) => run.clean()));
});

test.each(TRAINING_FAULT_POINTS)('at %s', async (point) => killed.get(point)?.expectWhole(), 180_000);
