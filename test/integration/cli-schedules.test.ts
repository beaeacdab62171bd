/** `moraine schedule`, declared schedules, and `moraine runs`, as processes against one Temporal server. */
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, inject, onTestFinished, test } from 'vitest';
import { createMoraine } from '../../client/index.js';
import { createActivities, startMaterialization } from '../../workers/index.js';
import { jsonLines, moraine, moraineOk, startMoraine } from '../support/cli.js';
import { failureOf } from '../support/scripted-activities.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { testClient, testSettings, testWorker } from '../support/temporal.js';

const POLL = { timeout: 60_000, interval: 300 };
const ROWS = 'k,event_ts,v\n1,2001-01-01T00:10:00Z,1\n2,2001-01-01T01:10:00Z,2\n';

/** A project of one online view over two rows, an hour apart. */
async function project() {
  const settings = testSettings();
  const folder = temporaryFolder();
  const view = `view_${randomUUID().slice(0, 8)}`;
  const define = (schedule: string): void =>
    writeFileSync(
      join(folder, 'features.yaml'),
      `entities: [{ name: thing, joinKeys: [k] }]
featureViews:
  - name: ${view}
    entities: [thing]
    source: { table: t.rows, timestampField: event_ts }
    online: true
    features: [v]
    ${schedule}
`,
    );
  define('');
  writeFileSync(
    join(folder, 'moraine.yaml'),
    `temporal: { taskQueue: ${settings.taskQueue} }\ndefinitions: [features.yaml]\n`,
  );
  writeFileSync(join(folder, 'rows.csv'), ROWS);
  const opened = await createMoraine({ cwd: folder, fileFolders: [folder] });
  onTestFinished(() => opened.close());
  await opened.appendFile('t.rows', join(folder, 'rows.csv'), { create: true });
  const options = { cwd: folder, env: { TEMPORAL_ADDRESS: inject('temporalAddress') } };
  return {
    ...{ settings, folder, view, define, options, library: opened },
    ok: (...args: string[]) => moraineOk(args, options),
    run: (...args: string[]) => moraine(args, options),
    json: async (...args: string[]) => jsonLines(await moraineOk([...args, '--json'], options)),
  };
}

test('schedules that a view declares are made, changed and deleted by apply', async () => {
  const { folder, view, define, library, ok, json } = await project();
  define('schedule: { every: 1h }');
  const alone = await moraine(['apply', '--dry-run'], { cwd: folder });
  expect(alone.code).toBe(0);
  expect(alone.stderr).toContain('no Temporal server is configured or runs for this project: nothing will fire');
  expect(alone.stderr).toContain('start `moraine dev`, and run `moraine apply` again');
  // A schedule that is made by hand is kept, and it is said that nothing fires.
  const input = ['--workflow', 'maintain', '--input', '{"table": "t.rows"}'];
  const made = await moraine(['schedule', 'create', ...input, '--every', '1d'], { cwd: folder });
  expect([made.code, made.stdout]).toEqual([
    0,
    `Made schedule maintain/t.rows@${await library.project.identity()}: maintain every 1d.\n`,
  ]);
  expect(made.stderr).toContain('Nothing fires or goes on until `moraine dev` runs');
  const id = `materialize/${view}@${await library.project.identity()}`;
  const gone = await moraine(['schedule', 'delete', 'maintain/t.rows'], { cwd: folder });
  expect([gone.code, gone.stdout, gone.stderr]).toEqual([0, 'Deleted schedule maintain/t.rows.\n', '']);

  expect(await ok('apply', '--dry-run')).toContain(`+ schedule ${id}\nNothing was changed (--dry-run).\n`);
  expect(await ok('schedule', 'list')).toBe('There is no schedule.\n');
  expect(await ok('apply')).toContain(`+ schedule ${id}\nApplied.\n`);
  define('schedule: { every: 30m }');
  expect(await ok('apply')).toContain(`~ schedule ${id}\n    every: "1h" -> "30m"\n`);
  expect(await json('schedule', 'list')).toMatchObject([{ id, every: '30m', declaredOn: view, paused: false }]);
  define('');
  expect(await ok('apply')).toContain(`- schedule ${id}\nApplied.\n`);
  expect(await ok('schedule', 'list')).toBe('There is no schedule.\n');
});

test('a schedule is made, shown, paused, resumed, triggered, backfilled and deleted', async () => {
  const { settings, view, library, ok, run, json } = await project();
  await testWorker(settings, createActivities(library.project));
  await ok('apply');
  const id = `materialize/${view}@${await library.project.identity()}`;
  const longer = JSON.stringify({ view, every: '2h' });
  const overlapping = await run('schedule', 'create', '--workflow', 'materialize', '--input', longer, '--every', '1h');
  expect(overlapping).toMatchObject({ code: 2, stdout: '' });
  expect(overlapping.stderr).toContain('it overlaps itself: every 1h a run over 2h; make the intervals as long');
  expect(await ok('schedule', 'list')).toBe('There is no schedule.\n');

  const made = await ok(
    'schedule',
    'create',
    view,
    '--every',
    '1h',
    '--runs',
    'window',
    '--paused',
    '--note',
    'by hand',
  );
  expect(made).toBe(`Made schedule ${id}: materialize every 1h.\n`);
  expect(await ok('schedule', 'describe', id)).toMatch(/^state {9}paused \(by hand\)$/m);
  expect(await ok('schedule', 'resume', id)).toBe(`Resumed schedule ${id}.\n`);
  expect(await json('schedule', 'describe', id)).toMatchObject([{ paused: false, overlap: 'buffer-all', every: '1h' }]);
  expect(await ok('schedule', 'pause', id, '--note', 'enough')).toBe(`Paused schedule ${id}.\n`);
  expect(await ok('schedule', 'trigger', id)).toBe(`Triggered schedule ${id}.\n`);
  const range = ['--start', '2001-01-01T00:00Z', '--end', '2001-01-01T02:00Z'];
  expect(await ok('schedule', 'backfill', id, ...range)).toContain(
    `Started 2 intervals of ${id}, from that of 2001-01-01T00:00:00`,
  );
  const rows = async () => {
    const { rows: found } = await library.getOnlineFeatures({ view, entities: [{ k: 1 }, { k: 2 }] });
    return found.map(([v]) => Number(v?.value));
  };
  await expect.poll(() => rows().catch(() => []), POLL).toEqual([1, 2]);
  expect(await ok('schedule', 'delete', id)).toBe(`Deleted schedule ${id}.\n`);
  const gone = await run('schedule', 'describe', id);
  expect(gone).toMatchObject({ code: 3, stdout: '' });
  expect(gone.stderr).toContain('SCHEDULE_NOT_FOUND');
});

test('runs are listed and shown: what is tried again and why, the end of one that is watched, and why one has failed', async () => {
  const { settings, folder, view, library, options, ok, run, json } = await project();
  await ok('apply');
  const real = createActivities(library.project);
  let broken: 'for now' | 'for good' | undefined = 'for now';
  await testWorker(settings, {
    ...real,
    extractShard: async (shard) => {
      if (broken !== undefined) {
        const [code, isFinal] =
          broken === 'for now' ? (['STORAGE_UNAVAILABLE', false] as const) : (['DATA_FILE_CORRUPT', true] as const);
        throw failureOf(code, isFinal);
      }
      return real.extractShard(shard);
    },
  });
  const temporal = await testClient(settings);
  const { workflowId } = await startMaterialization(temporal, settings, { view });
  await expect
    .poll(() => ok('run', 'show', workflowId), POLL)
    .toMatch(
      /Extract: shard 1 of \d+: attempt \d+, retrying, again at .*\n {2}STORAGE_UNAVAILABLE: STORAGE_UNAVAILABLE happened\n/,
    );
  const watching = startMoraine(['run', 'show', workflowId, '--watch'], options);
  let watched = '';
  watching.stdout.setEncoding('utf8').on('data', (text: string) => (watched += text));
  await expect.poll(() => watched, POLL).toContain('1 tried again');
  broken = undefined;
  const code = await new Promise((resolve) => watching.once('close', resolve));
  expect(code).toBe(0);
  expect(watched).toMatch(/^status +completed, /m);
  expect(watched).toMatch(/^committed +snapshot \d+/m);

  broken = 'for good';
  writeFileSync(join(folder, 'later.csv'), 'k,event_ts,v\n3,2001-01-01T02:10:00Z,3\n');
  await library.appendFile('t.rows', join(folder, 'later.csv'));
  const window = { view, start: '2001-01-01T02:00Z', end: '2001-01-01T03:00Z' };
  const failing = await startMaterialization(temporal, settings, window);
  const shown = await run('run', 'show', failing.workflowId, '--watch');
  expect(shown.code).toBe(7);
  expect(shown.stdout).toMatch(/^outcome +DATA_FILE_CORRUPT: DATA_FILE_CORRUPT happened$/m);
  const ids = async (...filter: string[]) =>
    (await json('runs', ...filter)).map((one) => (one as { workflowId: string }).workflowId);
  await expect.poll(() => ids('--view', view, '--status', 'failed'), POLL).toEqual([failing.workflowId]);
  expect(await ids('--view', view, '--status', 'completed')).toEqual([workflowId]);
  expect(await ok('runs', '--view', 'no_such_view')).toBe('There is no such run.\n');
});
