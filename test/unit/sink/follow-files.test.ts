/** Files that are rotated while their lines wait, or while commits do: each line is in the table once. */
import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Engine } from '../../../engine/index.js';
import { FollowedFiles } from '../../../sink/files/follow-files.js';
import type { IcebergSink } from '../../../sink/index.js';
import { openSinkEngine, SinkWorld } from '../../support/sink-world.js';

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
const upTo = (end: number): readonly number[] => Array.from({ length: end }, (_, id) => id);

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
  return { files, notices, stop };
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
