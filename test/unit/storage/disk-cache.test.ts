/** Fetched files that processes of this machine share. */
import { mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { rm, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { DiskCache } from '../../../storage/index.js';
import { smallDisk } from '../../support/small-disk.js';
import { temporaryFolder } from '../../support/temp-folder.js';

const KIB = 1024;
const MIB = 2 ** 20;
const never = (): Promise<never> => Promise.reject(new Error('made again'));
const writes = (content: string | Uint8Array) => (path: string) => writeFile(path, content);

function openCache(maxBytes = 2 ** 20) {
  const home = temporaryFolder();
  const folder = join(home, 'cache');
  let count = 0;
  return {
    folder,
    cache: new DiskCache({ folder, maxBytes }),
    other: new DiskCache({ folder, maxBytes }),
    /** A path for a file to be placed at. */
    copy: () => join(home, `copy-${(count += 1)}`),
  };
}

const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

test('a file is made once for all who ask, and is there for other processes', async () => {
  const { cache, other, copy } = openCache();
  let made = 0;
  const make = async (path: string) => {
    made += 1;
    await writeFile(path, 'content');
  };
  const copies = [copy(), copy(), copy()];
  await Promise.all(copies.map((to) => cache.place('s3://b/k', 'whole', to, make)));
  expect(made).toBe(1);
  const last = copy();
  await other.place('s3://b/k', 'whole', last, never);
  for (const path of [...copies, last]) expect(readFileSync(path, 'utf8')).toBe('content');
  expect(await other.names('s3://b/k')).toEqual(['whole']);
  expect(await other.names('s3://b/K')).toEqual([]);
});

test('nobody else may look into it', async () => {
  const { cache, copy, folder } = openCache();
  await cache.place('g', 'n', copy(), writes('x'));
  expect(statSync(folder).mode & 0o777).toBe(0o700);
});

test('what fails leaves nothing, and is tried again by the next who asks', async () => {
  const { cache, copy, folder } = openCache();
  const half = async (path: string) => {
    await writeFile(path, 'ha');
    throw new Error('the connection broke');
  };
  await expect(cache.place('g', 'n', copy(), half)).rejects.toThrow('the connection broke');
  expect(filesIn(folder)).toEqual([]);
  await cache.place('g', 'n', copy(), writes('half and half'));
  expect(await cache.names('g')).toEqual(['n']);
});

test('who waits for a file that another gives up makes it', async () => {
  const { cache, copy } = openCache();
  const cancelled = async () => {
    await new Promise((resolve) => setImmediate(resolve));
    throw new Error('cancelled');
  };
  const [first, second] = [copy(), copy()];
  const results = await Promise.allSettled([
    cache.place('g', 'n', first, cancelled),
    cache.place('g', 'n', second, writes('x')),
  ]);
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
  expect(readFileSync(second, 'utf8')).toBe('x');
});

test('a file that a killed process was writing is not believed, and goes after an hour', async () => {
  const { cache, copy, folder } = openCache();
  await cache.place('g', 'n', copy(), writes('x'));
  const [path = ''] = filesIn(folder);
  const left = [`${path}.1.new`, join(dirname(path), 'm.2.new')];
  for (const each of left) writeFileSync(each, 'ha');
  utimesSync(left[0] as string, 0, 0);
  expect(await cache.names('g')).toEqual(['n']);
  expect(await cache.content()).toEqual({ files: 1, bytes: statSync(path).blocks * 512 });
  expect(filesIn(folder).sort()).toEqual([path, left[1]].sort());
});

test('files of an earlier start of the machine are not believed', async () => {
  const { cache, copy, folder } = openCache();
  const former = join(folder, 'boot-00000000', 'aa');
  mkdirSync(former, { recursive: true });
  writeFileSync(join(former, 'n'), 'zeros, for all that is known');
  mkdirSync(join(folder, 'not-ours'));
  await cache.place('g', 'n', copy(), writes('x'));
  expect(readdirSync(folder).filter((name) => name === 'boot-00000000' || name === 'not-ours')).toEqual(['not-ours']);
});

test('the files that were not asked for the longest go, by the blocks that they take, and none that is read', async () => {
  const { cache, copy, folder } = openCache(64 * KIB);
  const read: string[] = [];
  for (let index = 0; index < 6; index += 1) {
    const to = copy();
    read.push(to);
    await cache.place('g', `n${index}`, to, writes(new Uint8Array(16 * KIB)));
    // Of those that nobody reads the first was asked for last.
    const usedS = index === 1 ? 2_000 : 1_000 + index;
    utimesSync(to, usedS, usedS);
    if (index !== 0) await rm(to);
  }
  // The fifth was one too many: two went, so that there is room for the next. A hole takes none.
  await cache.place('g', 'sparse', copy(), async (path) => {
    await writeFile(path, '');
    await truncate(path, 2 ** 30);
  });
  expect((await cache.names('g')).toSorted()).toEqual(['n0', 'n1', 'n4', 'n5', 'sparse']);
  expect((await cache.content()).bytes).toBe(64 * KIB);
  expect(statSync(read[0] as string).nlink).toBe(2);
  expect(filesIn(folder)).toHaveLength(5);
});

test('a file that is larger than the limit is placed all the same', async () => {
  const { cache, copy } = openCache(KIB);
  const to = copy();
  await cache.place('g', 'n', to, writes('x'.repeat(9 * KIB)));
  expect(statSync(to).size).toBe(9 * KIB);
});

test('what is read stays when everything is cleared', async () => {
  const { cache, copy } = openCache();
  const to = copy();
  await cache.place('g', 'n', to, writes('x'));
  await cache.clear();
  expect(await cache.content()).toEqual({ files: 0, bytes: 0 });
  expect(readFileSync(to, 'utf8')).toBe('x');
});

test('a small file is kept, and one group is forgotten without the others', async () => {
  const { cache, other } = openCache();
  const loads: string[] = [];
  const load = (text: string) => () => {
    loads.push(text);
    return Promise.resolve(Buffer.from(text));
  };
  const textOf = async (of: DiskCache, group: string) =>
    Buffer.from(await of.bytes(group, 'c', load(group))).toString();
  expect([await textOf(cache, 'a'), await textOf(other, 'a'), await textOf(cache, 'b')]).toEqual(['a', 'a', 'b']);
  expect(loads).toEqual(['a', 'b']);
  await cache.forget('a');
  expect([await textOf(cache, 'a'), await textOf(cache, 'b')]).toEqual(['a', 'b']);
  expect(loads).toEqual(['a', 'b', 'a']);
});

test('a folder that cannot be written does no harm to what is only kept, and is an error for what is opened', async () => {
  const { copy } = openCache();
  const file = copy();
  writeFileSync(file, '');
  const cache = new DiskCache({ folder: join(file, 'cache'), maxBytes: KIB });
  expect(await cache.bytes('g', 'n', () => Promise.resolve(Buffer.of(7)))).toEqual(Buffer.of(7));
  await expect(cache.place('g', 'n', copy(), writes('x'))).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
});

test('on a full disk unread files make room; if all are read, an error says so, nothing is left, and room helps', async ({
  skip,
}) => {
  const home = temporaryFolder();
  const disk = smallDisk(home, 8 * MIB);
  disk.fill(8 * MIB);
  skip(disk.limits().length > 0, 'this user may not mount a file system');
  disk.free();
  const folder = join(home, 'cache');
  const cache = new DiskCache({ folder, maxBytes: 2 ** 30 });
  const place = (name: string) =>
    cache.place('g', name, join(home, name), (path) => writeFile(path, Buffer.alloc(3 * MIB, name)));
  const isFilledWith = (name: string) => readFileSync(join(home, name)).equals(Buffer.alloc(3 * MIB, name));
  const placed = () => filesIn(folder).map((path) => path.split('/').at(-1));

  await place('a');
  await place('b');
  await rm(join(home, 'b'));
  // There is no room for a third one beside both.
  await place('c');
  expect(placed().toSorted()).toEqual(['a', 'c']);

  await expect(place('d')).rejects.toMatchObject({
    code: 'STORAGE_UNAVAILABLE',
    message: `The disk of the cache ${folder} is full, and all its files are being read. Free space there, or set storage.cache.directory to a folder of a larger disk.`,
  });
  expect(placed().toSorted()).toEqual(['a', 'c']);
  // What is only kept is read all the same.
  expect(await cache.bytes('g', 'large', () => Promise.resolve(Buffer.alloc(3 * MIB)))).toHaveLength(3 * MIB);
  expect(placed().toSorted()).toEqual(['a', 'c']);
  for (const name of ['a', 'c']) expect(isFilledWith(name)).toBe(true);

  await rm(join(home, 'c'));
  await place('d');
  expect(placed().toSorted()).toEqual(['a', 'd']);
  expect(isFilledWith('d')).toBe(true);
});
