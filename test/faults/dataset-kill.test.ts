/**
 * A command that saves a dataset is killed with SIGKILL between the rows and their record; running it again finishes the dataset. The same
 * of a worker: `worker-kill.test.ts`, and at every step of a training set `test/integration/training-set-kill.test.ts`.
 */
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { jsonLines, moraine, moraineOk } from '../support/cli.js';
import { killAtPoint } from '../support/kill-at-point.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { TrainingProject } from '../support/training-project.js';

test('a save that is killed between its rows and its record: the same save finishes it', async () => {
  const made = await TrainingProject.createIn(temporaryFolder());
  onTestFinished(() => made.close());
  const { folder, view } = made.small;
  const save = [
    'features',
    'historical',
    '--features',
    view,
    '--entities-table',
    'demo.labels',
    '--save-as',
    'demo.set',
  ];
  const env = killAtPoint('dataset-rows-committed', join(folder, 'killed'));
  expect((await moraine(save, { cwd: folder, env })).signal).toBe('SIGKILL');
  expect(await made.moraine.datasets()).toEqual([]);
  const whole = await made.saveWhole('whole');
  const saved = await moraineOk([...save, '--json'], { cwd: folder, env });
  expect(jsonLines(saved)).toMatchObject([{ digest: whole.digest }]);
  expect(await made.rowsOf('demo.set')).toEqual(await made.rowsOf('demo.whole'));
  expect(await made.runKeys('demo.set')).toHaveLength(1);
  expect(await made.moraine.replayDataset('set')).toMatchObject({ matches: true });
});
