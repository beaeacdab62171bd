import { expect, test } from 'vitest';
import { FileCache, FileKind } from '../../../storage/index.js';

const TEXT = new FileKind<string>('text');
const COUNT = new FileKind<number>('count');
const key = (location: string, variant?: string) => ({
  kind: TEXT,
  location,
  ...(variant === undefined ? {} : { variant }),
});
const never = () => Promise.reject(new Error('loaded'));

test('a file is loaded once for all who ask while it is, and then not at all', async () => {
  const cache = new FileCache();
  let loads = 0;
  const load = async () => {
    loads += 1;
    await Promise.resolve();
    return { value: 'x', costBytes: 1 };
  };
  expect(await Promise.all([cache.get(key('/a'), load), cache.get(key('/a'), load)])).toEqual(['x', 'x']);
  expect(await cache.get(key('/a'), never)).toBe('x');
  expect(loads).toBe(1);
});

test('a failure reaches all who wait, and is not kept', async () => {
  const cache = new FileCache();
  const waiting = [cache.get(key('/a'), never), cache.get(key('/a'), never)];
  expect((await Promise.allSettled(waiting)).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(await cache.get(key('/a'), () => Promise.resolve({ value: 'x', costBytes: 1 }))).toBe('x');
});

test('what was used last stays within the limit; a file above it is never kept', async () => {
  const cache = new FileCache({ maxBytes: 10, idleBytes: 10 });
  for (const name of ['a', 'b']) cache.put(key(name), { value: name, costBytes: 4 });
  await cache.get(key('a'), never);
  cache.put(key('c'), { value: 'c', costBytes: 4 });
  expect(await cache.get(key('a'), never)).toBe('a');
  expect(await cache.get(key('c'), never)).toBe('c');
  await expect(cache.get(key('b'), never)).rejects.toThrow('loaded');
  cache.put(key('large'), { value: 'large', costBytes: 11 });
  await expect(cache.get(key('large'), never)).rejects.toThrow('loaded');
  expect(await cache.get(key('a'), never)).toBe('a');
});

test.each([
  // At the last put 7 files are kept, and list 94 was last asked for 27 files ago, which is not more than 4 times 7.
  { idleBytes: 40, first: 94 },
  // The table and 19 lists.
  { idleBytes: 200, first: 81 },
])(
  'files that nobody asks for any more leave beyond $idleBytes bytes, those in use stay',
  async ({ idleBytes, first }) => {
    const cache = new FileCache({ maxBytes: 10_000, idleBytes });
    for (let version = 0; version < 100; version++) {
      cache.put(key(`list-${version}`), { value: 'list', costBytes: 10 });
      for (let read = 0; read < 3; read++) await cache.get(key(`list-${version}`), never);
      for (let read = 0; read < 3; read++)
        await cache.get(key('table'), () => Promise.resolve({ value: 't', costBytes: 10 }));
    }
    const kept = [];
    for (let version = 0; version < 100; version++) {
      const lookup = cache.get(key(`list-${version}`), never);
      if ((await Promise.allSettled([lookup]))[0].status === 'fulfilled') kept.push(version);
    }
    expect(kept).toEqual(Array.from({ length: 100 - first }, (_, index) => first + index));
    expect(await cache.get(key('table'), never)).toBe('t');
  },
);

test('a large table that is read again and again is kept whole', async () => {
  const cache = new FileCache({ maxBytes: 1000, idleBytes: 40 });
  const manifests = Array.from({ length: 90 }, (_, index) => key(`manifest-${index}`));
  for (const manifest of manifests) cache.put(manifest, { value: 'm', costBytes: 10 });
  for (let round = 0; round < 10; round++) {
    for (const manifest of manifests) expect(await cache.get(manifest, never)).toBe('m');
    cache.put(key(`list-${round}`), { value: 'list', costBytes: 1 });
  }
});

test('kinds and variants of one location are kept apart; what is given up is loaded again', async () => {
  const cache = new FileCache();
  cache.put(key('a'), { value: 'plain', costBytes: 1 });
  cache.put(key('a', 'other'), { value: 'other', costBytes: 1 });
  cache.put({ kind: COUNT, location: 'a' }, { value: 7, costBytes: 1 });
  expect(await cache.get(key('a'), never)).toBe('plain');
  expect(await cache.get(key('a', 'other'), never)).toBe('other');
  expect(await cache.get({ kind: COUNT, location: 'a' }, never)).toBe(7);
  cache.forget(key('a'));
  await expect(cache.get(key('a'), never)).rejects.toThrow('loaded');
  expect(await cache.get(key('a', 'other'), never)).toBe('other');
  cache.clear();
  await expect(cache.get(key('a', 'other'), never)).rejects.toThrow('loaded');
});
