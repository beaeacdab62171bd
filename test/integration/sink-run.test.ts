/** `moraine sink run` as a command, killed again and again: each record is in the table once, in whole batches. */
import { once } from 'node:events';
import { appendFileSync, copyFileSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { jsonObjects, openIcebergSink } from '../../client/index.js';
import { jsonLines, moraine, moraineOk, startMoraine } from '../support/cli.js';
import { numberIn } from '../support/environment.js';
import { rejectionCode } from '../support/error-code.js';
import { lookAt } from '../support/table-look.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { upTo } from '../support/up-to.js';

const SCHEMA = {
  type: 'struct',
  fields: [
    { id: 1, name: 'id', required: true, type: 'long' },
    { id: 2, name: 'device', required: false, type: 'string' },
    { id: 3, name: 'at', required: false, type: 'timestamptz' },
  ],
};
const BATCH = 100;
/** Importing the number of rounds made it shorter. */
vi.setConfig({ testTimeout: 600_000 });

const lines = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, index) => {
    const id = from + index;
    return `${JSON.stringify({ id, device: `dé-${id % 5}`, at: `2026-01-0${(id % 3) + 1}T00:00:00Z` })}\n`;
  }).join('');

async function project() {
  const folder = temporaryFolder();
  const ok = (...args: string[]) => moraineOk(args, { cwd: folder });
  writeFileSync(
    join(folder, 'moraine.yaml'),
    'catalogs:\n  local: { uri: catalog.db, warehouse: warehouse }\nengine: { threads: 1 }\n',
  );
  writeFileSync(join(folder, 'schema.json'), JSON.stringify(SCHEMA));
  await ok('table', 'create', 'iot.uplinks', '--schema', 'schema.json', '--partition', 'day(at), bucket[2](device)');
  return { folder, ok, ids: (await lookAt(folder)).ids };
}

/** `MORAINE_SINK_ROUNDS` (1): in each the kills come at other moments. */
const rounds = Array.from({ length: numberIn('MORAINE_SINK_ROUNDS', /^[1-9]\d{0,3}$/) ?? 1 }, (_, round) => round);

it.each(rounds)(
  'a run that is killed at any moment has written whole batches, and the next one goes on behind them (round %d)',
  async (round) => {
    const { folder, ok, ids } = await project();
    const [first, second] = [4_000, 3_050];
    writeFileSync(join(folder, 'a.ndjson'), lines(0, first));
    writeFileSync(join(folder, 'b.ndjson'), lines(first, first + second));
    const run = ['sink', 'run', 'iot.uplinks', 'a.ndjson', 'b.ndjson', '--batch-size', String(BATCH)];
    let [kills, code] = [0, null as number | null];
    // Longer and longer by a share, so that a slow machine has hardly more kills before the first batch.
    for (let life = 400 + ((round * 37) % 200); code !== 0; life *= 1.4) {
      const child = startMoraine(run, { cwd: folder });
      const ended = once(child, 'exit');
      const timer = setTimeout(() => child.kill('SIGKILL'), life);
      [code] = (await ended) as [number | null];
      clearTimeout(timer);
      if (code === 0) break;
      kills += 1;
      const found = await ids();
      expect(found).toEqual(upTo(found.length));
      // The last batch of the first file has no more than are left.
      expect(found.length % BATCH).toBe(0);
    }
    expect(kills).toBeGreaterThan(1);
    expect(await ids()).toEqual(upTo(first + second));
    expect(await ok(...run)).toContain('iot.uplinks: nothing new.\n');
    expect(await ids()).toEqual(upTo(first + second));
  },
);

it('files that grow are read on, and an interrupted run has written what it has read', async () => {
  const { folder, ok, ids } = await project();
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
  expect(await ids()).toEqual(upTo(260));
  appendFileSync(file, 'ice": "x"}');
  const whole = JSON.parse(await ok(...run, '--json')) as object;
  expect(whole).toMatchObject({
    ...{ table: 'iot.uplinks', rows: 1, commits: 1, isInterrupted: false, delivery: 'exactly-once' },
  });
  appendFileSync(file, `\n${lines(261, 60_000)}`);
  const child = startMoraine([...run, '--json'], { cwd: folder });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  const ended = once(child, 'close');
  while ((await ids()).length < 500) await sleep(100);
  child.kill('SIGTERM');
  await ended;
  const interrupted = JSON.parse(stdout) as { rows: number; isInterrupted: boolean; files: [{ position: number }] };
  expect(interrupted.isInterrupted).toBe(true);
  const written = 261 + interrupted.rows;
  expect(await ids()).toEqual(upTo(written));
  expect(written).toBeLessThan(60_000);
});

it('files are known by what they hold: renamed, moved and copied ones are not written again', async () => {
  const { folder, ok, ids } = await project();
  const inFolder = (name: string) => join(folder, name);
  writeFileSync(inFolder('app.ndjson'), lines(0, 150));
  const run = (...files: string[]) => ok('sink', 'run', 'iot.uplinks', ...files, '--batch-size', '100');
  await run('app.ndjson');
  // Rotated: the old file has got its last lines, and a new one has its name.
  appendFileSync(inFolder('app.ndjson'), lines(150, 170));
  renameSync(inFolder('app.ndjson'), inFolder('app.ndjson.1'));
  writeFileSync(inFolder('app.ndjson'), lines(170, 200));
  expect(await run('app.ndjson.1', 'app.ndjson')).toContain('wrote 50 rows');
  expect(await ids()).toEqual(upTo(200));
  copyFileSync(inFolder('app.ndjson'), inFolder('copy.ndjson'));
  expect(await run('copy.ndjson', 'app.ndjson', 'app.ndjson.1')).toContain('nothing new');
  // Two copies in one run, of which one goes on; and files that begin with the same line.
  const heartbeat = '{"id": 200}\n';
  writeFileSync(inFolder('one.ndjson'), heartbeat + lines(201, 210));
  copyFileSync(inFolder('one.ndjson'), inFolder('same.ndjson'));
  appendFileSync(inFolder('same.ndjson'), lines(210, 220));
  writeFileSync(inFolder('other.ndjson'), heartbeat + lines(220, 260));
  await run('one.ndjson', 'same.ndjson', 'other.ndjson');
  const all = [...upTo(260), 200].sort((a, b) => a - b);
  expect(await ids()).toEqual(all);
  expect(await run('other.ndjson', 'same.ndjson')).toContain('nothing new');
  truncateSync(inFolder('app.ndjson'), Buffer.byteLength(lines(170, 180)));
  const cut = await moraine(['sink', 'run', 'iot.uplinks', 'app.ndjson'], { cwd: folder });
  expect(cut.stderr).toContain('begins like a file that the table has up to byte');
  expect(await ids()).toEqual(all);
});

it('a record that does not fit is named, and its batch is not written', async () => {
  const { folder, ok, ids } = await project();
  const bad = async (record: string): Promise<string> => {
    writeFileSync(join(folder, 'a.ndjson'), `${lines(0, 150)}${record}\n${lines(151, 160)}`);
    const { stderr, code } = await moraine(['sink', 'run', 'iot.uplinks', 'a.ndjson', '--batch-size', '100'], {
      cwd: folder,
    });
    expect(code).not.toBe(0);
    expect(await ids()).toEqual(upTo(100));
    return stderr;
  };
  const from = Buffer.byteLength(lines(0, 100));
  const place = `a.ndjson, byte ${from + Buffer.byteLength(lines(100, 150))}: `;
  for (const record of ['{"id": "x"}', '{"id": 1.5}', '{"id": 9223372036854775808}', '{"id": null}', '{"id": 1', '[1]'])
    expect(await bad(record)).toContain(place);
  expect(await bad('{"id": 150, "at": "2026-02-30T00:00:00Z"}')).toContain(place);
  expect(await bad('{"id": 150, "other": 1}')).toContain('"other"');
  writeFileSync(join(folder, 'a.ndjson'), lines(0, 160));
  await ok('sink', 'run', 'iot.uplinks', 'a.ndjson');
  expect(await ids()).toEqual(upTo(160));
});

it('records are mapped to columns, and bad ones are left out and counted, if asked for', async () => {
  const { folder, ok } = await project();
  const record = (id: unknown, more: object = {}) =>
    `${JSON.stringify({ up: { id }, ms: 1_767_225_600_000, ...more })}\n`;
  const bad = [record('x'), record(1.5), '{"up": \n', record(null), record(9, { device: 5 }), '[]\n'];
  writeFileSync(join(folder, 'a.ndjson'), [record(0), ...bad, record(1, { extra: true }), record(2)].join(''));
  const run = [
    'sink',
    'run',
    'iot.uplinks',
    'a.ndjson',
    '--field',
    'id=up.id',
    '--field',
    'at=ms',
    '--time',
    'at=epoch_ms',
    '--extra-fields',
    'ignore',
  ];
  const stopped = await moraine(run, { cwd: folder });
  expect([stopped.code, stopped.stderr]).toEqual([
    2,
    expect.stringContaining(
      `a.ndjson, byte ${Buffer.byteLength(record(0))}: column "id": "x" does not fit long exactly.`,
    ),
  ]);
  const { stdout, stderr } = await moraine([...run, '--bad-records', 'drop'], { cwd: folder });
  expect(stdout).toContain('wrote 3 rows in 1 commit');
  expect(stdout).toContain(
    'Left out: 6 records (WRONG_TYPE 2, OUT_OF_RANGE 1, MALFORMED_JSON 1, MISSING_REQUIRED 1, NOT_AN_OBJECT 1).\n',
  );
  expect(stderr).toContain('a.ndjson, byte');
  const rows = (await ok('table', 'scan', 'iot.uplinks'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as object);
  expect(rows).toEqual([0, 1, 2].map((id) => ({ id, device: null, at: '2026-01-01T00:00:00.000000Z' })));
  expect(await ok(...run)).toContain('nothing new');
  const usage = await moraine([...run, '--time', 'at=epoch'], { cwd: folder });
  expect(usage.stderr).toContain('at is given twice');
});

it('records are kept as they came, and those that are no rows with what is wrong with them, if asked for', async () => {
  const { folder, ok } = await project();
  const columns = ['id', 'raw', 'error'].map((name, index) => {
    return { id: index + 1, name, required: false, type: index === 0 ? 'long' : 'string' };
  });
  writeFileSync(join(folder, 'kept.json'), JSON.stringify({ type: 'struct', fields: columns }));
  await ok('table', 'create', 'iot.kept', '--schema', 'kept.json');
  const [good, bad, half] = ['{"id": 1}', '{"id": "x"}', '{"id": '];
  writeFileSync(join(folder, 'a.ndjson'), `${good}\n${bad}\n${half}\n`);
  const run = ['sink', 'run', 'iot.kept', 'a.ndjson', '--raw', 'raw', '--error', 'error'];
  expect(await ok(...run)).toMatch(
    /^iot\.kept: wrote 3 rows in 1 commit, snapshot \d+\.\na\.ndjson: written up to byte 30\.\n$/,
  );
  const scan = await ok('table', 'scan', 'iot.kept');
  const rows = scan
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as object);
  expect(rows).toEqual([
    { id: 1, raw: good, error: null },
    {
      id: null,
      raw: bad,
      error: `WRONG_TYPE: ${join(folder, 'a.ndjson')}, byte 10: column "id": "x" does not fit long exactly`,
    },
    { id: null, raw: half, error: `MALFORMED_JSON: ${join(folder, 'a.ndjson')}, byte 22: ${half} is not JSON` },
  ]);
  expect(await ok(...run)).toContain('nothing new');
  for (const others of [
    ['--bad-records', 'drop'],
    ['--dead-letters', 'iot.dead'],
  ]) {
    const { code, stderr } = await moraine([...run, ...others], { cwd: folder });
    expect([code, stderr]).toEqual([2, expect.stringContaining('give one of them')]);
  }
});

it('lines of standard input are committed with the interval while it goes on, and SIGTERM ends the run though nothing comes', async () => {
  const { folder, ids } = await project();
  const run = ['sink', 'run', 'iot.uplinks', '-', '--batch-interval', '1', '--json'];
  const child = startMoraine(run, { cwd: folder, stdin: 'pipe' });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  const ended = once(child, 'close');
  const stdin = child.stdin as unknown as Writable;
  for (let batch = 0; batch < 2; batch += 1) {
    stdin.write(lines(5 * batch, 5 * batch + 5));
    while ((await ids()).length < 5 * batch + 5) await sleep(100);
  }
  // Nothing comes, and the pipe stays open.
  child.kill('SIGTERM');
  expect((await ended)[0]).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ rows: 10, commits: 2, isInterrupted: true });
  expect(await ids()).toEqual(upTo(10));
});

it('standard input is written once it comes, and a table may be made of the first file', async () => {
  const { folder, ok, ids } = await project();
  const child = startMoraine(['sink', 'run', 'iot.uplinks', '-', '--batch-size', '100'], {
    cwd: folder,
    stdin: 'pipe',
  });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  const ended = once(child, 'close');
  const stdin = child.stdin as unknown as Writable;
  stdin.write(lines(0, 150));
  while ((await ids()).length < 100) await sleep(100);
  stdin.end(`${lines(150, 180)}{"id": 180}`);
  expect((await ended)[0]).toBe(0);
  expect(await ids()).toEqual(upTo(181));
  expect(stdout).toMatch(
    /^iot\.uplinks: wrote 181 rows in 2 commits, snapshot \d+\.\nStandard input has no positions: its records are written at least once, and again if they are sent again\.\n$/,
  );
  const asJson = startMoraine(['sink', 'run', 'iot.uplinks', '-', '--json'], { cwd: folder, stdin: 'pipe' });
  let told = '';
  asJson.stdout.setEncoding('utf8').on('data', (text: string) => (told += text));
  (asJson.stdin as unknown as Writable).end(lines(181, 183));
  await once(asJson, 'close');
  expect(JSON.parse(told)).toMatchObject({ rows: 2, delivery: 'at-least-once', files: [] });
  expect(await ids()).toEqual(upTo(183));
  writeFileSync(join(folder, 'a.ndjson'), lines(0, 30));
  const created = ['sink', 'run', 'iot.fresh', 'a.ndjson', '--create', '--partition', 'bucket[2](id)'];
  expect(await ok(...created)).toContain('wrote 30 rows in 1 commit');
  expect(await ok(...created)).toContain('nothing new');
  expect(await ok('table', 'show', 'iot.fresh')).toContain('bucket[2](id)');
});

it('a run changes the schema of its table if it may, and refuses the same records if not', async () => {
  const { folder, ok } = await project();
  writeFileSync(join(folder, 'a.ndjson'), '{"id": 1}\n{"id": 2, "fw": "1.2"}\n');
  const run = ['sink', 'run', 'iot.uplinks', 'a.ndjson'];
  const refused = await moraine(run, { cwd: folder });
  expect([refused.code, refused.stderr]).toEqual([
    3,
    expect.stringContaining('a.ndjson, byte 10: no column takes "fw"'),
  ]);
  expect(await ok(...run, '--evolve')).toContain('wrote 2 rows in 1 commit');
  const rows = jsonLines(await ok('table', 'scan', 'iot.uplinks', '--columns', 'id,fw'));
  expect(rows).toEqual([
    { id: 1, fw: null },
    { id: 2, fw: '1.2' },
  ]);
});

it('a run goes on without dead letters whose table is gone, if they are given up', async () => {
  const { folder, ok, ids } = await project();
  const opened = await openIcebergSink({
    ...{ catalogUri: join(folder, 'catalog.db'), warehousePath: join(folder, 'warehouse') },
    ...{ tableName: 'iot.uplinks', sinkName: 'files', deadLetterTable: 'iot.dead' },
  });
  const { sink } = opened;
  const given = { partition: 'p', from: 0n };
  await sink.writer(0).writeBatch(jsonObjects([{ id: 0 }, { id: 'x' }], { ...given, badRecords: 'drop' }), {
    ...given,
    to: 2n,
  });
  const state = await sink.snapshot();
  await ok('table', 'drop', 'iot.dead');
  expect(await rejectionCode(sink.commit(state))).toBe('SINK_TABLE_LOST');
  await opened.close().catch(() => undefined);
  writeFileSync(join(folder, 'a.ndjson'), `${lines(1, 3)}{"id": "y"}\n`);
  const run = ['sink', 'run', 'iot.uplinks', 'a.ndjson', '--dead-letters', 'iot.dead'];
  const lost = await moraine(run, { cwd: folder });
  expect([lost.code === 0, lost.stderr]).toEqual([false, expect.stringContaining('SINK_TABLE_LOST')]);
  expect(await ok(...run, '--abandon-lost')).toContain('wrote 2 rows in 1 commit');
  expect(await ids()).toEqual(upTo(3));
  expect(jsonLines(await ok('table', 'scan', 'iot.dead', '--columns', 'reason'))).toEqual([{ reason: 'WRONG_TYPE' }]);
});
