/** An ingest on real worker processes: paused, resumed, changed, drained, its worker ended and killed; each record in the table once. */
import { appendFileSync, existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { jsonLines } from '../support/cli.js';
import { IS_LONG_FORM } from '../support/environment.js';
import { ingestProject } from '../support/ingest-project.js';
import { KILL_AT_ACCESS, SINK_KILLS_ASKED } from '../support/sink-kills.js';
import { upTo } from '../support/up-to.js';

const ID = 'ingest/iot.uplinks/files';

const lines = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, index) => `{"id":${from + index}}\n`).join('');

async function project() {
  const opened = await ingestProject(ID, '  ingestFolders: [logs]\n');
  mkdirSync(join(opened.folder, 'logs'));
  return { ...opened, log: join(opened.folder, 'logs/log') };
}

test('an ingest is paused, resumed, changed and drained, and ends with every record written once', async () => {
  const { log, ok, run, ids, untilRows, startWorker, status, untilStep } = await project();
  await startWorker();
  writeFileSync(log, lines(0, 100));
  const start = [
    'ingest',
    'start',
    'iot.uplinks',
    'logs/log',
    '--batch-interval',
    '1',
    '--dead-letters',
    'iot.dead',
    '--evolve',
  ];
  expect(await ok(...start)).toContain(`Started ${ID}@`);
  const twice = await run(...start);
  expect(twice.stderr).toContain('is being written already');
  await untilRows(100);
  expect(await status()).toMatchObject({ step: 'running', batchSize: 10_000, batchIntervalMs: 1_000 });

  await ok('ingest', 'pause', ID);
  // Its attempt has ended, with what it had read.
  while ((await status()).rows !== '100') await sleep(200);
  await untilStep('paused');
  appendFileSync(log, lines(100, 150));
  await sleep(2_500);
  expect(await ids()).toEqual(upTo(100));
  await ok('ingest', 'resume', ID);
  await untilRows(150);

  expect(await ok('ingest', 'batch', ID, '--batch-size', '20')).toContain('now commits every 20 records');
  appendFileSync(log, `{"id":true}\n${lines(150, 250)}`);
  await untilRows(250);
  expect(await status()).toMatchObject({ batchSize: 20, batchIntervalMs: 1_000 });

  renameSync(log, `${log}.1`);
  appendFileSync(`${log}.1`, lines(250, 270));
  writeFileSync(log, `${lines(270, 299)}{"id":299,"fw":"1.2"}\n{"id":`);
  await ok('ingest', 'drain', ID);
  await untilStep('done');
  expect(await ids()).toEqual(upTo(300));
  expect(jsonLines(await ok('table', 'scan', 'iot.dead', '--columns', 'reason'))).toEqual([{ reason: 'WRONG_TYPE' }]);
  const evolved = await ok('table', 'scan', 'iot.uplinks', '--columns', 'id,fw', '--where', 'id >= 298');
  expect(jsonLines(evolved)).toEqual(
    expect.arrayContaining([
      { id: 298, fw: null },
      { id: 299, fw: '1.2' },
    ]),
  );
  const told = JSON.parse(await ok('ingest', 'status', ID, '--json')) as { rows: string };
  expect(told.rows).toBe('300');
  const shown = JSON.parse(await ok('run', 'show', ID, '--json')) as { status: string };
  expect(shown.status).toBe('COMPLETED');
});

test('the worker is killed in mid batch or ended, and the next one goes on behind what the table has', async () => {
  const { log, ok, untilBatches, startWorker, ids, untilStep } = await project();
  let worker = await startWorker();
  writeFileSync(log, '');
  await ok('ingest', 'start', 'iot.uplinks', 'logs/log', '--batch-size', '50', '--batch-interval', '3600');
  let written = 0;
  for (let life = 0; life < (IS_LONG_FORM ? 3 : 2); life += 1) {
    appendFileSync(log, lines(written, written + 120));
    written += 120;
    // What makes no whole batch waits in the memory of the worker.
    await untilBatches(written, 50);
    worker.kill('SIGKILL');
    await worker.ended;
    worker = await startWorker();
    await sleep(life * 400);
  }
  appendFileSync(log, lines(written, written + 70));
  written += 70;
  await untilBatches(written, 50);
  worker.kill('SIGTERM');
  expect(await worker.ended).toMatchObject({ code: 0 });
  // What was read is committed before it ends.
  expect(await ids()).toEqual(upTo(written));
  appendFileSync(log, lines(written, written + 10));
  await startWorker();
  await ok('ingest', 'drain', ID);
  await untilStep('done');
  expect(await ids()).toEqual(upTo(written + 10));
});

// The server gives up an attempt after ten seconds without a heartbeat: only if a number of kills is asked for.
if (SINK_KILLS_ASKED)
  test('an attempt that stood still before its claim does not take the sink from the one that came after it', async () => {
    const { folder, log, ok, untilRows, startWorker, status, untilStep, claims } = await project();
    const marker = join(folder, 'stopped');
    const first = await startWorker({
      ...{ NODE_OPTIONS: `--import ${KILL_AT_ACCESS}`, MORAINE_ACCESS_ROOT: folder, MORAINE_FAULT_MARKER: marker },
      // What it was to commit is on the base that it has loaded, and nobody else has claimed the sink by then.
      MORAINE_ACCESS_FROM: '1 iot/uplinks/metadata/[^/]*\\.metadata\\.json$',
      ...{ MORAINE_KILL_AT: '1', MORAINE_FAULT_SIGNAL: 'SIGSTOP' },
    });
    writeFileSync(log, lines(0, 50));
    await ok('ingest', 'start', 'iot.uplinks', 'logs/log', '--batch-interval', '1');
    while (!existsSync(marker)) await sleep(50);
    await startWorker();
    // The server hears nothing of the first one, and begins another attempt.
    await untilRows(50);
    expect(await claims()).toBe(1);
    first.kill('SIGCONT');
    // It may have been given several attempts while it stood still.
    while (!first.errors().includes('is a later attempt')) {
      expect(await claims()).toBe(1);
      await sleep(200);
    }
    appendFileSync(log, lines(50, 100));
    await untilRows(100);
    expect(await claims()).toBe(1);
    expect(await status()).toMatchObject({ step: 'running' });
    first.kill('SIGKILL');
    await ok('ingest', 'drain', ID);
    await untilStep('done');
  });

test('an error that is final fails the run with its reason', async () => {
  const { log, run, startWorker, ids, failureOf } = await project();
  await startWorker();
  writeFileSync(log, `${lines(0, 5)}{"id":"x"}\n`);
  expect(await failureOf(log)).toContain('byte 45: column "id"');
  expect(await ids()).toEqual([]);
  expect(await failureOf('/etc/hostname')).toContain('is in no folder that this worker may read');
  const missing = await run('ingest', 'start', 'iot.nothing', log);
  expect(missing.stderr).toContain('[TABLE_NOT_FOUND]');
  const unknown = await run('ingest', 'pause', 'ingest/iot.nothing/files');
  expect(unknown.stderr).toContain('[WORKFLOW_NOT_FOUND]');
});
