/** `moraine features historical --shards`: the workflow `trainingSet` on an own Temporal server that ends with the command. */
import { once } from 'node:events';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ERROR_TABLE } from '../../errors/index.js';
import { jsonLines, moraineOk, moraine as runMoraine, startMoraine } from '../support/cli.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { TrainingProject } from '../support/training-project.js';

test('the command runs it on an own server, and prints what a save at once prints', async () => {
  const made = await TrainingProject.createIn(temporaryFolder());
  onTestFinished(() => made.close());
  const { folder, view } = made.small;
  const historical = ['features', 'historical', '--features', view];
  const file = join(folder, 'rows.jsonl');
  writeFileSync(
    file,
    '{"sensor":1,"event_timestamp":"1970-01-01T00:30:00Z"}\n{"sensor":2,"event_timestamp":"1970-01-01T00:30:00Z"}\n',
  );
  const whole = await moraineOk([...historical, '--entities', file, '--save-as', 'demo.whole'], { cwd: folder });
  const sharded = await moraineOk([...historical, '--entities', file, '--save-as', 'demo.sharded', '--shards', '2'], {
    cwd: folder,
  });
  expect(sharded).toBe(whole.replace('dataset whole', 'dataset sharded'));
  expect(sharded).toMatch(/^Saved dataset sharded: 2 rows, digest [0-9a-f]{64}\.\n$/);
  expect(jsonLines(await moraineOk(['features', 'replay', 'sharded', '--json'], { cwd: folder }))).toMatchObject([
    { matches: true },
  ]);
  expect(existsSync(join(made.moraine.project.config.stateFolder, 'temporal/server.pipe'))).toBe(false);
  for (const [args, message] of [
    [['--shards', '2'], '--shards goes with --save-as'],
    [['--save-as', 'demo.x', '--shards', '0'], 'It must be a whole number from 1 to 1000.'],
    [['--save-as', 'demo.x', '--no-wait'], '--no-wait goes with --shards'],
    [['--save-as', join(folder, 'x.parquet'), '--shards', '2'], 'saved as a table'],
    [['--save-as', 'demo.x', '--shards', '2', '--no-wait'], 'No Temporal server is configured'],
  ] as const) {
    const refused = await runMoraine([...historical, '--entities', file, ...args], { cwd: folder });
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain(message);
  }
});

test('Ctrl-C cancels it, and what it has made is taken back', async () => {
  const made = await TrainingProject.createIn(temporaryFolder());
  onTestFinished(() => made.close());
  const { folder, view } = made.small;
  const historical = ['features', 'historical', '--features', view, '--entities', join(folder, 'labels.csv')];
  const child = startMoraine([...historical, '--save-as', 'demo.much', '--shards', '500', '--pin'], { cwd: folder });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const ended = once(child, 'close');
  const location = join(folder, 'warehouse/demo/much');
  const filesBelow = () =>
    (existsSync(location) ? readdirSync(location, { recursive: true, withFileTypes: true }) : []).filter((entry) =>
      entry.isFile(),
    );
  // Far fewer than the shards: it is in the middle of its work.
  await expect.poll(() => filesBelow().some(({ name }) => name.endsWith('.avro')), { timeout: 120_000 }).toBe(true);
  child.kill('SIGINT');
  expect(await ended).toEqual([ERROR_TABLE.CANCELLED.exitCode, null]);
  expect(errors).toContain('[CANCELLED]');
  expect(filesBelow()).toEqual([]);
  expect(await made.moraine.datasets()).toEqual([]);
  expect([...(await made.moraine.project.loadTable('demo.readings')).metadata.refs.keys()]).toEqual(['main']);
  const { catalog, identifier } = await made.moraine.project.resolveTable('demo.much');
  expect(await catalog.tableExists(identifier)).toBe(false);
});
