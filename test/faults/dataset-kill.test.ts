/**
 * Saving a dataset is killed with SIGKILL between its table, its rows and its record. A training set of a workflow is finished by the next
 * worker; a save of the command by running it again. Further points of a training set: `test/integration/training-set-kill.test.ts`.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { jsonLines, moraine, moraineOk } from '../support/cli.js';
import { KilledTrainingSet } from '../support/killed-training-set.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { TrainingProject } from '../support/training-project.js';

let killed: KilledTrainingSet;
beforeAll(() => {
  killed = new KilledTrainingSet('dataset-rows-committed');
});
afterAll(() => killed.clean());

test.each(['dataset-table-created', 'dataset-rows-committed'])(
  'a save that is killed at %s: the same save finishes it',
  async (point) => {
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
    const env = { MORAINE_FAULT_POINT: point, MORAINE_FAULT_MARKER: join(folder, 'killed') };
    expect((await moraine(save, { cwd: folder, env })).signal).toBe('SIGKILL');
    expect(await made.moraine.datasets()).toEqual([]);
    const whole = await made.saveWhole('whole');
    expect(jsonLines(await moraineOk([...save, '--json'], { cwd: folder, env }))).toMatchObject([
      { digest: whole.digest },
    ]);
    expect(await made.rowsOf('demo.set')).toEqual(await made.rowsOf('demo.whole'));
    expect(await made.runKeys('demo.set')).toHaveLength(1);
    expect(await made.moraine.replayDataset('set')).toMatchObject({ matches: true });
  },
);

test('a worker that is killed between the rows and the record of a training set', () => killed.expectWhole(), 180_000);
