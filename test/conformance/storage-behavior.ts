/**
 * The behaviour of every storage. A test file of a storage calls {@link describeStorageBehavior} with the means to open it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { MoraineError } from '../../errors/index.js';
import { type FileIO, joined, listFiles } from '../../storage/index.js';
import { failureOf, rejectionCode } from '../support/error-code.js';

export interface StorageUnderTest {
  readonly io: FileIO;
  /** The only root that may be touched, without a trailing slash. It is empty. */
  readonly root: string;
  /** Other spellings of the root. */
  readonly spellings: readonly string[];
  /** Locations of paths out of the root, by way of `..`; none where that is a name like any other. */
  readonly waysOut: readonly string[];
  /** How coarsely the storage's clock ticks; those of file systems some milliseconds. */
  readonly clockTickMs?: number;
}

/** Content that comes in pieces. */
async function* pieces(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const each of texts) {
    await Promise.resolve();
    yield bytes(each);
  }
}

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (content: Uint8Array) => new TextDecoder().decode(content);

/** Sizes of all files below a location, by location. */
async function sizes(io: FileIO, location: string): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>();
  for await (const file of listFiles(io, location)) found.set(file.location, file.sizeBytes);
  return found;
}

/** Runs the suite. `open` gives a fresh, empty storage; it is called in every test. */
export function describeStorageBehavior(name: string, open: () => Promise<StorageUnderTest>): void {
  describe(`${name}: files`, () => {
    test('every spelling of a location reads the same file', async () => {
      const { root, io, spellings } = await open();
      await io.create(`${root}/a b%20+#?.txt`, bytes('x'));
      for (const spelling of [root, ...spellings]) {
        expect(text(await io.read(`${spelling}/a b%20+#?.txt`))).toBe('x');
        expect(await io.canonical(`${spelling}/a b%20+#?.txt`)).toBe(`${root}/a b%20+#?.txt`);
      }
    });

    test('a file created twice keeps its first content and leaves nothing beside it', async () => {
      const { root, io } = await open();
      await io.create(`${root}/d/e/f`, bytes('first'));
      expect(await rejectionCode(io.create(`${root}/d/e/f`, bytes('second')))).toBe('FILE_ALREADY_EXISTS');
      expect(text(await io.read(`${root}/d/e/f`))).toBe('first');
      expect(await sizes(io, `${root}/d/e`)).toEqual(new Map([[`${root}/d/e/f`, 5]]));
    });

    test('of many that create one file at once exactly one wins', async () => {
      const { root, io } = await open();
      const results = await Promise.allSettled(
        Array.from({ length: 16 }, (_, i) => io.create(`${root}/one`, bytes(`${i}`))),
      );
      expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
      const winner = results.findIndex((result) => result.status === 'fulfilled');
      expect(text(await io.read(`${root}/one`))).toBe(`${winner}`);
    });

    test('a file that was created does not change with the bytes it was made of, or that were read', async () => {
      const { root, io } = await open();
      const content = bytes('x');
      await io.create(`${root}/f`, content);
      content[0] = 0;
      (await io.read(`${root}/f`))[0] = 0;
      expect(text(await io.read(`${root}/f`))).toBe('x');
    });

    test('outside the roots, and under another scheme, everything is refused', async () => {
      const { root, io, waysOut } = await open();
      for (const location of [`${root}-other/x`, ...waysOut, '/etc/passwd', 's3://b/k']) {
        expect(await rejectionCode(io.canonical(location)), location).toBe('LOCATION_REFUSED');
        expect(await rejectionCode(joined(io.readRange(location, { offset: 0, length: 1 }))), location).toBe(
          'LOCATION_REFUSED',
        );
        expect(await rejectionCode(io.createFrom(location, pieces('x'))), location).toBe('LOCATION_REFUSED');
        expect(await rejectionCode(io.read(location)), location).toBe('LOCATION_REFUSED');
        expect(await rejectionCode(io.stat(location)), location).toBe('LOCATION_REFUSED');
        expect(await rejectionCode(io.create(location, bytes('x'))), location).toBe('LOCATION_REFUSED');
        expect(await rejectionCode(io.delete(location)), location).toBe('LOCATION_REFUSED');
      }
    });

    test('missing, too large and short are clear errors that name the file', async () => {
      const { root, io } = await open();
      await io.create(`${root}/ten`, bytes('0123456789'));
      expect(await rejectionCode(io.read(`${root}/none`))).toBe('FILE_NOT_FOUND');
      expect(await rejectionCode(io.stat(`${root}/none`))).toBe('FILE_NOT_FOUND');
      expect(await rejectionCode(io.read(`${root}/ten/x`))).toBe('FILE_NOT_FOUND');
      expect(await rejectionCode(io.read(root))).toBe('FILE_NOT_FOUND');
      expect(await rejectionCode(io.read(`${root}/ten`, { maxBytes: 9 }))).toBe('LIMIT_EXCEEDED');
      expect(text(await joined(io.readRange(`${root}/ten`, { offset: 8, length: 2 })))).toBe('89');
      const short = await failureOf(joined(io.readRange(`${root}/ten`, { offset: 8, length: 3 })));
      expect(short.code).toBe('DATA_FILE_CORRUPT');
      expect(short.message).toContain(`${root}/ten`);
    });

    test('the end of a file comes with its length and identity, and all of a file that is no longer', async () => {
      const { root, io } = await open();
      await io.create(`${root}/ten`, bytes('0123456789'));
      await io.create(`${root}/empty`, bytes(''));
      const { identity } = await io.stat(`${root}/ten`);
      for (const [length, end] of [
        [3, '789'],
        [10, '0123456789'],
        [11, '0123456789'],
      ] as const) {
        const tail = await io.readTail(`${root}/ten`, length);
        expect([text(tail.bytes), tail.sizeBytes, tail.identity]).toEqual([end, 10, identity]);
      }
      expect((await io.readTail(`${root}/empty`, 8)).sizeBytes).toBe(0);
      expect(await rejectionCode(io.readTail(`${root}/none`, 8))).toBe('FILE_NOT_FOUND');
      expect(await rejectionCode(io.readTail(`${root}-other/x`, 8))).toBe('LOCATION_REFUSED');
    });

    test('a deleted file is gone, and deleting it again is no error', async () => {
      const { root, io } = await open();
      await io.create(`${root}/f`, bytes('x'));
      await io.delete(`${root}/f`);
      expect(await rejectionCode(io.read(`${root}/f`))).toBe('FILE_NOT_FOUND');
      await io.delete(`${root}/f`);
      await io.create(`${root}/f`, bytes('again'));
      expect((await io.stat(`${root}/f`)).sizeBytes).toBe(5);
    });

    test('a file has appeared when it was created, by the status and both listings alike', async () => {
      const { root, io, clockTickMs = 50 } = await open();
      const before = Date.now();
      await io.create(`${root}/a/new`, bytes('x'));
      const after = Date.now();
      const { appearedMs } = await io.stat(`${root}/a/new`);
      expect(appearedMs).toBeGreaterThan(before - clockTickMs);
      expect(appearedMs).toBeLessThan(after + 50);
      for await (const file of listFiles(io, root)) expect(file.appearedMs).toBe(appearedMs);
      const page = await io.listPage(root, { maxFiles: 5 });
      expect(page.files.map((file) => file.appearedMs)).toEqual([appearedMs]);
    });

    test('a file that comes in pieces is there whole or not at all, and never replaces another', async () => {
      const { root, io } = await open();
      await io.createFrom(`${root}/d/whole`, pieces('ab', '', 'cde'));
      expect(text(await io.read(`${root}/d/whole`))).toBe('abcde');
      expect(await rejectionCode(io.createFrom(`${root}/d/whole`, pieces('other')))).toBe('FILE_ALREADY_EXISTS');
      expect(text(await io.read(`${root}/d/whole`))).toBe('abcde');
      const broken = async function* () {
        yield* pieces('ab');
        throw new MoraineError('CANCELLED', 'Enough.');
      };
      expect(await rejectionCode(io.createFrom(`${root}/d/broken`, broken()))).toBe('CANCELLED');
      expect(await sizes(io, root)).toEqual(new Map([[`${root}/d/whole`, 5]]));
    });

    test('a file that took the place of another is noticed by who expects that one', async () => {
      const { root, io } = await open();
      await io.create(`${root}/f`, bytes('first'));
      const { identity } = await io.stat(`${root}/f`);
      expect((await io.stat(`${root}/f`)).identity).toBe(identity);
      expect((await io.listPage(root, { maxFiles: 1 })).files.map((file) => file.identity)).toEqual([identity]);
      expect(text(await io.read(`${root}/f`, { identity }))).toBe('first');
      expect(text(await joined(io.readRange(`${root}/f`, { offset: 1, length: 2, identity })))).toBe('ir');
      await io.delete(`${root}/f`);
      await sleep(2); // a file system tells files of one length and one moment apart by their inode alone
      await io.create(`${root}/f`, bytes('other'));
      expect(await rejectionCode(io.read(`${root}/f`, { identity }))).toBe('FILE_CHANGED');
      expect(await rejectionCode(joined(io.readRange(`${root}/f`, { offset: 1, length: 2, identity })))).toBe(
        'FILE_CHANGED',
      );
      expect(text(await io.read(`${root}/f`))).toBe('other');
    });

    test('of many files that are deleted at once missing ones do not matter, and refused ones spare no other', async () => {
      const { root, io } = await open();
      for (const name of ['a', 'b', 'c']) await io.create(`${root}/${name}`, bytes(name));
      await io.delete(`${root}/a`, `${root}/none`, `${root}/b`);
      expect(await sizes(io, root)).toEqual(new Map([[`${root}/c`, 1]]));
      expect(await rejectionCode(io.delete('/etc/passwd', `${root}/c`))).toBe('LOCATION_REFUSED');
      expect(await sizes(io, root)).toEqual(new Map());
    });

    test('lists every file below a folder and nothing of a missing one', async () => {
      const { root, io } = await open();
      await io.create(`${root}/a/1`, bytes('1'));
      await io.create(`${root}/a/b/22`, bytes('22'));
      await io.create(`${root}/ab`, bytes('333'));
      const expected = new Map([
        [`${root}/a/1`, 1],
        [`${root}/a/b/22`, 2],
      ]);
      expect(await sizes(io, `${root}/a`)).toEqual(expected);
      expect(await sizes(io, `${root}/none`)).toEqual(new Map());
    });

    test('pages of a listing hold every file once, whatever the names and the size of a page', async () => {
      const { root, io, spellings } = await open();
      const files = ['a.b', 'a/1', 'a/b/22', 'a0', 'b/%2e', 'b/ü', 'b/B', 'c/d/e/f'];
      for (const file of files) await io.create(`${root}/p/${file}`, bytes(file));
      for (const maxFiles of [1, 2, 3, 100]) {
        const listed: string[] = [];
        for (let after: string | undefined; ; ) {
          const page = await io.listPage(`${spellings[0] ?? root}/p`, {
            maxFiles,
            ...(after === undefined ? {} : { after }),
          });
          expect(page.files.length).toBeLessThanOrEqual(maxFiles);
          listed.push(...page.files.map(({ location, sizeBytes }) => `${location} ${sizeBytes}`));
          if (page.next === null) break;
          after = page.next;
        }
        const expected = files.map((file) => `${root}/p/${file} ${bytes(file).length}`);
        expect(listed.toSorted(), `${maxFiles}`).toEqual(expected.toSorted());
      }
      expect(await io.listPage(`${root}/none`, { maxFiles: 5 })).toEqual({ files: [], next: null });
    });

    test('a page goes on where the last one ended though files come and go meanwhile', async () => {
      const { root, io } = await open();
      for (const file of ['a', 'c', 'e', 'g']) await io.create(`${root}/${file}`, bytes(file));
      const first = await io.listPage(root, { maxFiles: 2 });
      expect(first.files.map(({ location }) => location)).toEqual([`${root}/a`, `${root}/c`]);
      await io.delete(`${root}/c`);
      await io.create(`${root}/b`, bytes('b'));
      const second = await io.listPage(root, { maxFiles: 2, after: first.next ?? '' });
      expect(second.files.map(({ location }) => location)).toEqual([`${root}/e`, `${root}/g`]);
      expect(second.next).toBeNull();
      expect(await rejectionCode(io.listPage('/etc', { maxFiles: 1 }))).toBe('LOCATION_REFUSED');
    });
  });
}
