/** A file that is truncated while it is read, or renamed away with half a line. */
import { appendFileSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeEach, expect, it } from 'vitest';
import { FollowedPath } from '../../../sink/files/followed-path.js';
import type { Following } from '../../../sink/files/growing-file.js';
import { failureOf } from '../../support/error-code.js';

const folder = mkdtempSync(join(tmpdir(), 'moraine-growing-'));
afterAll(() => rmSync(folder, { recursive: true }));

let file: string;
let notices: string[];
let count = 0;
beforeEach(() => {
  count += 1;
  file = join(folder, `${count}.ndjson`);
  notices = [];
});

const following = (quietMs: number): Following => ({
  ...{ known: { positions: new Map(), marks: new Map() }, read: new Map(), maxLines: 2, quietMs },
  onNotice: (text) => notices.push(text),
});

async function read(path: FollowedPath, between?: () => void): Promise<readonly string[]> {
  const texts: string[] = [];
  for await (const { chunk } of path.pieces()) {
    texts.push(chunk.bytes.toString());
    between?.();
  }
  return texts;
}

const line = (id: number, text = '') => `{"id":${id},"text":"${text}"}\n`;

it('gives no line twice or mixed if it is rewritten between two pieces', async () => {
  const path = new FollowedPath(file, following(Infinity));
  writeFileSync(file, [1, 2, 3, 4, 5].map((id) => line(id)).join(''));
  let isRewritten = false;
  const rewrite = () => {
    if (!isRewritten) writeFileSync(file, [6, 7, 8, 9, 10, 11].map((id) => line(id)).join(''));
    isRewritten = true;
  };
  expect(await read(path, rewrite)).toEqual([line(1) + line(2)]);
  expect(await read(path)).toEqual([line(6) + line(7), line(8) + line(9), line(10) + line(11)]);
  expect(notices).toEqual([
    `${file} was truncated or rewritten after it had been read up to byte ${2 * line(1).length}: what it has now is read from its beginning. Whether it had more before is not known.`,
  ]);
  expect(await read(path)).toEqual([]);
  await path.close();
});

it('is told from what it was before by the first byte that differs, though its first line is the same', async () => {
  const path = new FollowedPath(file, following(Infinity));
  writeFileSync(file, line(0) + line(1));
  expect(await read(path)).toEqual([line(0) + line(1)]);
  writeFileSync(file, line(0));
  expect(await read(path)).toEqual([]);
  expect(await read(path)).toEqual([]);
  expect(notices.slice(1)).toEqual([
    `${file} begins like a file of which more was read: it is read once it differs or has more.`,
  ]);
  appendFileSync(file, '{"id":2');
  expect(await read(path)).toEqual([line(0)]);
  appendFileSync(file, ',"text":""}\n');
  expect(await read(path)).toEqual([line(2)]);
  await path.close();
});

it('stops if it was cut short behind the beginning that is compared', async () => {
  const path = new FollowedPath(file, following(Infinity));
  writeFileSync(file, line(0) + line(1, 'x'.repeat(5_000)) + line(2));
  await read(path);
  writeFileSync(file, line(0) + line(1, 'x'.repeat(5_000)));
  expect(await failureOf(read(path))).toMatchObject({ code: 'INPUT_UNREADABLE' });
  await path.close();
});

it('that was renamed is let go of when it is quiet: its last line without an end is a record if it is whole', async () => {
  const path = new FollowedPath(file, following(0));
  writeFileSync(file, line(0) + line(1).trimEnd());
  expect(await read(path)).toEqual([line(0)]);
  renameSync(file, `${file}.1`);
  expect(await read(path)).toEqual([]);
  expect(await read(path)).toEqual([line(1).trimEnd()]);
  expect(path.files).toEqual([]);
  writeFileSync(file, `${line(2)}{"id":3`);
  expect(await read(path)).toEqual([line(2)]);
  renameSync(file, `${file}.2`);
  expect(await read(path)).toEqual([]);
  expect(notices).toEqual([]);
  expect(await read(path)).toEqual([]);
  expect(notices).toEqual([expect.stringContaining(`ends within the record at byte ${line(2).length}`)]);
  expect(path.files).toEqual([]);
  await path.close();
});

it('that was renamed while nobody looked is found by what it holds, and read before the new one', async () => {
  const before = following(Infinity);
  const path = new FollowedPath(file, before);
  writeFileSync(file, line(0));
  await read(path);
  await path.close();
  appendFileSync(file, line(1));
  renameSync(file, `${file}.1`);
  writeFileSync(`${file}.other`, line(9));
  writeFileSync(file, line(2));
  const again = new FollowedPath(file, { ...before, read: new Map() });
  await again.findRenamed();
  expect(notices).toEqual([`${file}.1 was ${file} when its beginning was read: it is read to its end first.`]);
  expect(await read(again)).toEqual([line(1), line(2)]);
  await again.close();
});

it('is held open from the first look, so that it is read though it is renamed before', async () => {
  const path = new FollowedPath(file, following(Infinity));
  writeFileSync(file, line(0));
  await path.look();
  renameSync(file, `${file}.1`);
  writeFileSync(file, line(1) + line(2));
  await path.look();
  renameSync(file, `${file}.2`);
  writeFileSync(file, line(3));
  expect(await read(path)).toEqual([line(0), line(1) + line(2), line(3)]);
  expect(notices).toEqual([]);
  await path.close();
});

it('that was compressed while nobody looked is named, with what was not read of it', async () => {
  const before = following(Infinity);
  const path = new FollowedPath(file, before);
  writeFileSync(file, line(0) + line(1));
  await read(path);
  await path.close();
  const start = async () => {
    const again = new FollowedPath(file, { ...before, read: new Map() });
    await again.findRenamed();
    await again.close();
  };
  appendFileSync(file, line(2));
  writeFileSync(`${file}.1.gz`, gzipSync(readFileSync(file)));
  writeFileSync(file, line(3));
  await start();
  const [known, rest] = [line(0).length + line(1).length, line(2).length];
  expect(notices).toEqual([
    `${file}.1.gz has ${rest} bytes, behind byte ${known} when it is decompressed, that the table lacks: they are not read. Decompress it, and name it, too, before ${file}.`,
  ]);
  // One that was read to its end, one that is another, and one that is none.
  writeFileSync(`${file}.1.gz`, gzipSync(line(0) + line(1)));
  writeFileSync(`${file}.2.gz`, gzipSync(line(7)));
  writeFileSync(`${file}.3.gz`, 'none');
  await start();
  expect(notices).toHaveLength(1);
  rmSync(`${file}.1.gz`);
  await start();
  expect(notices.slice(1)).toEqual([
    `Neither ${file} nor a file beside it is one that the table has a part of. If one that was here before has more than was read of it, name it, too, before ${file}.`,
  ]);
});

it('is followed under two names as one', async () => {
  const shared = following(Infinity);
  const paths = [new FollowedPath(file, shared), new FollowedPath(`${file}.1`, shared)];
  writeFileSync(file, line(0) + line(1));
  const all = async () => [await read(paths[0] as FollowedPath), await read(paths[1] as FollowedPath)];
  expect(await all()).toEqual([[line(0) + line(1)], []]);
  renameSync(file, `${file}.1`);
  appendFileSync(`${file}.1`, line(2));
  writeFileSync(file, line(3));
  expect(await all()).toEqual([[line(2), line(3)], []]);
  appendFileSync(`${file}.1`, line(4));
  expect(await all()).toEqual([[line(4)], []]);
  for (const path of paths) await path.close();
});
