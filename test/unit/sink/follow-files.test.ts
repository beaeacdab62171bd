/** Files that are rotated while their lines wait, or while commits do: each line is in the table once. */
import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Engine } from '../../../engine/index.js';
import { FollowedFiles } from '../../../sink/files/follow-files.js';
import type { IcebergSink } from '../../../sink/index.js';
import { openSinkEngine, SinkWorld } from '../../support/sink-world.js';
import { upTo } from '../../support/up-to.js';

let engine: Engine;
let close: () => Promise<void>;
const folder = mkdtempSync(join(tmpdir(), 'moraine-follow-files-'));
beforeAll(async () => {
  ({ engine, close } = await openSinkEngine());
});
afterAll(async () => {
  await close();
  rmSync(folder, { recursive: true });
});

let file: string;
let count = 0;
beforeEach(() => {
  count += 1;
  file = join(folder, `${count}.log`);
});

const lines = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, index) => `{"id":${from + index},"category":"c","amount":1}\n`).join('');
/** Reads in the background, until it is stopped. */
function following(sink: IcebergSink, maxLines: number) {
  const [controller, notices] = [new AbortController(), [] as string[]];
  const { signal } = controller;
  const onNotice = (text: string) => void notices.push(text);
  const files = new FollowedFiles(sink, [file], maxLines, { mapping: {}, signal, onNotice });
  const ended = files.read();
  const stop = async (): Promise<void> => {
    controller.abort();
    await ended;
  };
  return { files, notices, ended, stop };
}

/** @returns what lets it go on */
function holdNextCommit(world: SinkWorld): () => void {
  let release = () => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  world.faults.push(async (commit) => {
    await released;
    return await commit();
  });
  return release;
}

const soon = { interval: 20, timeout: 20_000 };

test('a file whose lines wait for their batch is known to the table: after a crash and a rotation its rest is read', async () => {
  const world = await SinkWorld.open(engine);
  writeFileSync(file, lines(0, 3));
  const first = following(await world.sink(), 1_000);
  await expect.poll(() => world.ids(), soon).toEqual(upTo(3));
  appendFileSync(file, lines(3, 5));
  await expect.poll(() => first.files.progress().bufferedRecords, soon).toBe(2);
  // Nothing more is committed: it dies.
  await first.stop();
  await first.files.close();
  renameSync(file, `${file}.1`);
  appendFileSync(`${file}.1`, lines(5, 6));
  writeFileSync(file, lines(6, 8));
  const sink = await world.sink();
  const second = following(sink, 1_000);
  await expect.poll(() => Number(second.files.progress().committedRows), soon).toBe(5);
  await second.stop();
  await sink.close();
  await second.files.close();
  expect(await world.ids()).toEqual(upTo(8));
  expect(second.notices).toEqual([expect.stringContaining(`${file}.1 was ${file}`)]);
});

test('files that are rotated while a commit hangs are opened meanwhile, and read in their order', async () => {
  const world = await SinkWorld.open(engine);
  writeFileSync(file, lines(0, 4));
  const sink = await world.sink();
  const release = holdNextCommit(world);
  const { files, stop, notices } = following(sink, 2);
  await expect.poll(() => files.progress().pendingBatches, soon).toBe(1);
  const lag = (...parts: readonly string[]) =>
    expect.poll(() => files.progress().lagBytes, soon).toBe(BigInt(parts.join('').length));
  renameSync(file, `${file}.1`);
  writeFileSync(file, lines(4, 7));
  await lag(lines(0, 4), lines(4, 7));
  renameSync(file, `${file}.2`);
  writeFileSync(file, lines(7, 9));
  await lag(lines(0, 4), lines(4, 7), lines(7, 9));
  release();
  await expect.poll(() => files.progress().bufferedRecords + Number(files.progress().committedRows), soon).toBe(9);
  await stop();
  await sink.close();
  await files.close();
  expect(await world.ids()).toEqual(upTo(9));
  expect(notices).toEqual([]);
});

test('a run that ends with a renamed file that it has not read says so', async () => {
  const world = await SinkWorld.open(engine);
  writeFileSync(file, lines(0, 4));
  const sink = await world.sink();
  const release = holdNextCommit(world);
  const { files, stop, notices } = following(sink, 2);
  await expect.poll(() => files.progress().pendingBatches, soon).toBe(1);
  renameSync(file, `${file}.1`);
  writeFileSync(file, lines(4, 7));
  await expect.poll(() => files.progress().lagBytes, soon).toBe(BigInt(lines(0, 7).length));
  renameSync(file, `${file}.2`);
  writeFileSync(file, '');
  const stopped = stop();
  release();
  await stopped;
  await sink.close();
  await files.close();
  expect(await world.ids()).toEqual([0, 1]);
  expect(notices).toEqual([
    `The table has nothing of a file that was ${file} and was renamed: name it, too, before ${file}.`,
  ]);
});

test('a path that cannot be looked at any more ends the reading, with the reason, and what was read stays', async () => {
  const parent = `${file}.folder`;
  mkdirSync(parent);
  file = join(parent, 'log');
  writeFileSync(file, lines(0, 3));
  const world = await SinkWorld.open(engine);
  const sink = await world.sink({ batchSize: 3 });
  const { files, ended } = following(sink, 3);
  await expect.poll(() => world.ids(), soon).toEqual(upTo(3));
  // Somebody puts a file in the folder's place.
  renameSync(parent, `${parent}.old`);
  writeFileSync(parent, '');
  await expect(ended).rejects.toMatchObject({
    code: 'INPUT_UNREADABLE',
    message: expect.stringContaining(`The file ${file} cannot be looked at: ENOTDIR: not a directory`) as string,
  });
  await files.close();
  await sink.close();
  expect(await world.ids()).toEqual(upTo(3));
});
