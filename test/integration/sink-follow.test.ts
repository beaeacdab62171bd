/** `moraine sink run --follow` as a command: files that grow, are rotated and truncated while it runs, and while it does not; each record once. */
import { appendFileSync, copyFileSync, renameSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { moraine } from '../support/cli.js';
import { idLines as lines, followedProject as project } from '../support/followed-runs.js';
import { upTo } from '../support/up-to.js';

it('a file that comes later and grows is read on by whole lines, and SIGTERM commits what was read', async () => {
  const { file, ids, snapshots, follow } = await project();
  const run = follow('log.ndjson');
  await sleep(1_500);
  writeFileSync(file('log.ndjson'), '{"id":');
  await sleep(500);
  appendFileSync(file('log.ndjson'), `0}\n${lines(1, 50)}{"id":50}`);
  await run.until(({ progress }) => progress.at(-1)?.committedRows === 50);
  expect(run.progress.at(-1)).toMatchObject({ committedBatches: 1, bufferedRecords: 0, lagBytes: 9, rejected: {} });
  expect(await ids()).toEqual(upTo(50));
  const before = await snapshots();
  await sleep(3_000);
  expect(await snapshots()).toBe(before);
  appendFileSync(file('log.ndjson'), `\n${lines(51, 60)}{"id":6`);
  await run.until(({ progress }) => progress.at(-1)?.committedRows === 60);
  expect(await run.end('SIGTERM')).toBe(0);
  expect(run.result).toMatchObject({ table: 'iot.uplinks', rows: 60, isInterrupted: true });
  // Without a commit for an hour.
  const waiting = follow('log.ndjson', '--batch-interval', '3600');
  appendFileSync(file('log.ndjson'), `0}\n${lines(61, 80)}`);
  await waiting.until(({ progress }) => progress.at(-1)?.bufferedRecords === 20);
  expect(await ids()).toEqual(upTo(60));
  expect(await waiting.end('SIGTERM')).toBe(0);
  expect(waiting.result).toMatchObject({ rows: 20, commits: 1, isInterrupted: true });
  expect(waiting.progress.at(-1)).toMatchObject({ committedRows: 20, bufferedRecords: 0, lagBytes: 0 });
  expect(await ids()).toEqual(upTo(80));
});

it('a file that is renamed is read to its end, and the new one after it', async () => {
  const { file, ids, follow } = await project();
  writeFileSync(file('log'), lines(0, 10));
  const run = follow('log');
  await run.rows(10);
  for (let rotation = 1; rotation <= 3; rotation += 1) {
    const from = rotation * 10;
    appendFileSync(file('log'), lines(from, from + 3));
    renameSync(file('log'), file(`log.${rotation}`));
    writeFileSync(file('log'), lines(from + 3, from + 6));
    // Whoever writes has it open for a while.
    appendFileSync(file(`log.${rotation}`), lines(from + 6, from + 10));
    await run.rows(from + 10);
  }
  expect(await run.end('SIGINT')).toBe(0);
  expect(await ids()).toEqual(upTo(40));
  const again = follow('log');
  appendFileSync(file('log'), lines(40, 45));
  await again.rows(5);
  expect(await again.end('SIGTERM')).toBe(0);
  expect(await ids()).toEqual(upTo(45));
});

it('a file that is truncated in place is a new one, and what was written of it stays', async () => {
  const { file, ids, follow } = await project();
  writeFileSync(file('log'), lines(0, 30));
  const run = follow('log');
  await run.rows(30);
  // As logrotate does with copytruncate.
  copyFileSync(file('log'), file('log.1'));
  writeFileSync(file('log'), lines(30, 35));
  await run.rows(35);
  expect(run.stderr).toContain('log was truncated or rewritten after it had been read up to byte');
  // Longer than before, and with the same first line.
  writeFileSync(file('log'), `{"id":30}\n${lines(35, 90)}`);
  await run.rows(91);
  expect(await run.end('SIGTERM')).toBe(0);
  expect(await ids()).toEqual([...upTo(31), 30, ...upTo(90).slice(31)]);
  // Each of the three is known again.
  const again = follow('log.1', 'log');
  appendFileSync(file('log.1'), lines(90, 92));
  appendFileSync(file('log'), lines(92, 94));
  await again.rows(4);
  expect(await again.end('SIGTERM')).toBe(0);
  expect(await ids()).toEqual([...upTo(31), 30, ...upTo(94).slice(31)]);
});

it('runs that are killed while the file is rotated lose nothing and write nothing twice', async () => {
  const { file, ids, follow } = await project();
  let [written, rotations] = [0, 0];
  const append = (count: number) => {
    appendFileSync(file('log'), lines(written, written + count));
    written += count;
  };
  append(50);
  for (let life = 0; life < 5; life += 1) {
    const run = follow('log', '--batch-size', '40');
    await run.until(({ progress }) => progress.at(-1)?.lagBytes === 0);
    append(95);
    await sleep(life * 130);
    expect(await run.end('SIGKILL')).toBe('SIGKILL');
    append(20);
    rotations += 1;
    renameSync(file('log'), file(`log.${rotations}`));
    append(30);
    const found = await ids();
    expect(new Set(found).size).toBe(found.length);
  }
  const last = follow('log');
  await last.until(({ stderr }) => stderr.includes(`log.${rotations} was`));
  await last.until(({ progress }) => progress.at(-1)?.lagBytes === 0);
  expect(await last.end('SIGTERM')).toBe(0);
  expect(await ids()).toEqual(upTo(written));
});

it('a sink that another one takes over ends, and a bad record stops it where it is', async () => {
  const { file, ids, snapshots, follow } = await project();
  writeFileSync(file('log'), lines(0, 5));
  const first = follow('log');
  await first.rows(5);
  const claimed = await snapshots();
  const second = follow('log');
  while ((await snapshots()) === claimed) await sleep(100);
  appendFileSync(file('log'), lines(5, 10));
  await second.rows(5);
  await expect(first.until(() => false)).rejects.toThrow('SINK_FENCED');
  appendFileSync(file('log'), '{"id":"x"}\n');
  await expect(second.until(() => false)).rejects.toThrow(`byte ${lines(0, 10).length}: column`);
  expect(await ids()).toEqual(upTo(10));
});

it('standard input is no file to follow, and is given once', async () => {
  const { folder } = await project();
  const run = (...args: string[]) => moraine(['sink', 'run', 'iot.uplinks', ...args], { cwd: folder });
  const [followed, twice, nowhere] = [await run('-', '--follow'), await run('-', '-'), await run('no/log', '--follow')];
  expect(followed.stderr).toContain(
    'standard input is read to its end; only files can be followed. [INVALID_ARGUMENT]',
  );
  expect(twice.stderr).toContain('standard input is given twice, and can be read once only. [INVALID_ARGUMENT]');
  expect(nowhere.stderr).toContain('cannot follow no/log: there is no such folder [INPUT_UNREADABLE]');
});
