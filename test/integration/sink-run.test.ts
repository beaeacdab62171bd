/** `moraine sink run` as a command, killed again and again: each record is in the table once, in whole batches. */
import { once } from 'node:events';
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { moraine, moraineOk, startMoraine } from '../support/cli.js';
import { temporaryFolder } from '../support/temp-folder.js';

const SCHEMA = {
  type: 'struct',
  fields: [
    { id: 1, name: 'id', required: true, type: 'long' },
    { id: 2, name: 'device', required: false, type: 'string' },
    { id: 3, name: 'at', required: false, type: 'timestamptz' },
  ],
};
const BATCH = 100;

const lines = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, index) => {
    const id = from + index;
    return `${JSON.stringify({ id, device: `dé-${id % 5}`, at: `2026-01-0${(id % 3) + 1}T00:00:00Z` })}\n`;
  }).join('');

async function project(): Promise<{ folder: string; ok: (...args: string[]) => Promise<string> }> {
  const folder = temporaryFolder();
  const ok = (...args: string[]) => moraineOk(args, { cwd: folder });
  writeFileSync(
    join(folder, 'moraine.yaml'),
    'catalogs:\n  local: { uri: catalog.db, warehouse: warehouse }\nengine: { threads: 1 }\n',
  );
  writeFileSync(join(folder, 'schema.json'), JSON.stringify(SCHEMA));
  await ok('table', 'create', 'iot.uplinks', '--schema', 'schema.json', '--partition', 'day(at), bucket[2](device)');
  return { folder, ok };
}

type Ok = (...args: string[]) => Promise<string>;

async function ids(ok: Ok): Promise<readonly number[]> {
  const rows = (await ok('table', 'scan', 'iot.uplinks', '--columns', 'id')).trim();
  if (rows === '') return [];
  return rows
    .split('\n')
    .map((line) => (JSON.parse(line) as { id: number }).id)
    .sort((a, b) => a - b);
}

const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, id) => id);

it('a run that is killed at any moment has written whole batches, and the next one goes on behind them', async () => {
  const { folder, ok } = await project();
  const [first, second] = [4_000, 3_050];
  writeFileSync(join(folder, 'a.ndjson'), lines(0, first));
  writeFileSync(join(folder, 'b.ndjson'), lines(first, first + second));
  const run = ['sink', 'run', 'iot.uplinks', 'a.ndjson', 'b.ndjson', '--batch-size', String(BATCH)];
  let [kills, code] = [0, null as number | null];
  for (let life = 400; code !== 0; life += 200) {
    const child = startMoraine(run, { cwd: folder });
    const ended = once(child, 'exit');
    const timer = setTimeout(() => child.kill('SIGKILL'), life);
    [code] = (await ended) as [number | null];
    clearTimeout(timer);
    if (code === 0) break;
    kills += 1;
    const found = await ids(ok);
    expect(found).toEqual(upTo(found.length));
    // The last batch of the first file has no more than are left.
    expect(found.length % BATCH).toBe(0);
  }
  expect(kills).toBeGreaterThan(1);
  expect(await ids(ok)).toEqual(upTo(first + second));
  expect(await ok(...run)).toContain('iot.uplinks: nothing new.\n');
  expect(await ids(ok)).toEqual(upTo(first + second));
});

it('files that grow are read on, and an interrupted run has written what it has read', async () => {
  const { folder, ok } = await project();
  const file = join(folder, 'a.ndjson');
  writeFileSync(file, lines(0, 250));
  const run = ['sink', 'run', 'iot.uplinks', 'a.ndjson', '--batch-size', '100'];
  expect(await ok(...run)).toMatch(
    /^iot\.uplinks: wrote 250 rows in 3 commits, snapshot \d+\.\na\.ndjson: written up to byte \d+\.\n$/,
  );
  appendFileSync(file, `${lines(250, 260)}{"id": 260, "dev`);
  const cut = await moraine(run, { cwd: folder });
  expect(cut.stderr).toContain(`a.ndjson ends within the record at byte ${Buffer.byteLength(lines(0, 260))}`);
  expect(cut.code).not.toBe(0);
  expect(await ids(ok)).toEqual(upTo(260));
  appendFileSync(file, 'ice": "x"}');
  const whole = JSON.parse(await ok(...run, '--json')) as object;
  expect(whole).toMatchObject({ table: 'iot.uplinks', rows: 1, commits: 1, isInterrupted: false });
  appendFileSync(file, `\n${lines(261, 60_000)}`);
  const child = startMoraine([...run, '--json'], { cwd: folder });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  const ended = once(child, 'close');
  while ((await ids(ok)).length < 500) await sleep(100);
  child.kill('SIGTERM');
  await ended;
  const interrupted = JSON.parse(stdout) as { rows: number; isInterrupted: boolean; files: [{ position: number }] };
  expect(interrupted.isInterrupted).toBe(true);
  const written = 261 + interrupted.rows;
  expect(await ids(ok)).toEqual(upTo(written));
  expect(written).toBeLessThan(60_000);
});

it('a record that does not fit is named, and its batch is not written', async () => {
  const { folder, ok } = await project();
  const bad = async (record: string): Promise<string> => {
    writeFileSync(join(folder, 'a.ndjson'), `${lines(0, 150)}${record}\n${lines(151, 160)}`);
    const { stderr, code } = await moraine(['sink', 'run', 'iot.uplinks', 'a.ndjson', '--batch-size', '100'], {
      cwd: folder,
    });
    expect(code).not.toBe(0);
    expect(await ids(ok)).toEqual(upTo(100));
    return stderr;
  };
  const from = Buffer.byteLength(lines(0, 100));
  const place = `a.ndjson (bytes ${from} to `;
  for (const record of ['{"id": "x"}', '{"id": 1.5}', '{"id": 9223372036854775808}', '{"id": null}', '{"id": 1', '[1]'])
    expect(await bad(record)).toContain(place);
  expect(await bad('{"id": 150, "at": "2026-02-30T00:00:00Z"}')).toContain(place);
  expect(await bad('{"id": 150, "other": 1}')).toContain('"other"');
  writeFileSync(join(folder, 'a.ndjson'), lines(0, 160));
  await ok('sink', 'run', 'iot.uplinks', 'a.ndjson');
  expect(await ids(ok)).toEqual(upTo(160));
});
