import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { LocalFileIO } from '../../../storage/index.js';
import { storageError } from '../../../storage/storage-error.js';
import { failureOf, rejectionCode } from '../../support/error-code.js';
import { temporaryFolder } from '../../support/temp-folder.js';

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (content: Uint8Array) => new TextDecoder().decode(content);

function setup() {
  const base = temporaryFolder();
  const root = join(base, 'root');
  const outside = join(base, 'outside');
  mkdirSync(root);
  mkdirSync(outside);
  writeFileSync(join(outside, 'secret'), 'secret');
  return { base, root, outside, io: new LocalFileIO({ roots: [root] }) };
}

test('every spelling of a location reads the same file', async () => {
  const { root, io } = setup();
  await io.create(`${root}/a b%20+#?.txt`, bytes('x'));
  for (const spelling of [`file:${root}`, `file://${root}`, `${root}/.`, `${root}/none/..`]) {
    expect(text(await io.read(`${spelling}/a b%20+#?.txt`))).toBe('x');
  }
});

test('a file created twice keeps its first content and leaves nothing beside it', async () => {
  const { root, io } = setup();
  await io.create(`${root}/d/e/f`, bytes('first'));
  expect(await rejectionCode(io.create(`${root}/d/e/f`, bytes('second')))).toBe('FILE_ALREADY_EXISTS');
  expect(readFileSync(`${root}/d/e/f`, 'utf8')).toBe('first');
  expect(readdirSync(`${root}/d/e`)).toEqual(['f']);
});

test('of many that create one file at once exactly one wins', async () => {
  const { root, io } = setup();
  const results = await Promise.allSettled(
    Array.from({ length: 16 }, (_, i) => io.create(`${root}/one`, bytes(`${i}`))),
  );
  expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
  const winner = results.findIndex((result) => result.status === 'fulfilled');
  expect(readFileSync(`${root}/one`, 'utf8')).toBe(`${winner}`);
});

test('existing files outside the roots are refused by path, by dots, by links and by prefix of a name', async () => {
  const { base, root, outside, io } = setup();
  symlinkSync(outside, join(root, 'link'));
  symlinkSync(join(outside, 'secret'), join(root, 'file-link'));
  mkdirSync(`${root}-other`);
  writeFileSync(`${root}-other/x`, 'x');
  const locations = [`${outside}/secret`, `${root}/../outside/secret`, `file:${root}/link/secret`, `${root}/file-link`];
  for (const location of [...locations, `${root}-other/x`, `${base}/root/link/../outside/secret`, '/etc/passwd']) {
    expect(await rejectionCode(io.read(location)), location).toBe('LOCATION_REFUSED');
    expect(await rejectionCode(io.stat(location)), location).toBe('LOCATION_REFUSED');
    expect(await rejectionCode(io.delete(location)), location).toBe('LOCATION_REFUSED');
  }
  expect(readFileSync(`${outside}/secret`, 'utf8')).toBe('secret');
});

test('files to be created outside the roots are refused, through links that lead nowhere too', async () => {
  const { root, outside, io } = setup();
  symlinkSync(outside, join(root, 'link'));
  symlinkSync(join(outside, 'new-folder'), join(root, 'dangling'));
  symlinkSync('dangling', join(root, 'link-to-dangling'));
  for (const location of [
    `${outside}/new`,
    `${root}/none/../../outside/new`,
    `${root}/link/a/b`,
    `${root}/dangling/x`,
    `${root}/link-to-dangling`,
  ]) {
    expect(await rejectionCode(io.create(location, bytes('x'))), location).toBe('LOCATION_REFUSED');
    expect(await rejectionCode(io.prepareFolder(location)), location).toBe('LOCATION_REFUSED');
  }
  expect(readdirSync(outside)).toEqual(['secret']);
});

test('links inside the roots, and a root that is a link, work', async () => {
  const { base, root } = setup();
  symlinkSync(root, join(base, 'alias'));
  const io = new LocalFileIO({ roots: [join(base, 'alias')] });
  await io.create(`${base}/alias/x`, bytes('x'));
  symlinkSync('x', join(root, 'y'));
  expect(text(await io.read(`${root}/y`))).toBe('x');
  expect(await io.resolve(`${base}/alias/y`)).toBe(join(root, 'x'));
});

test('a root may be a single file', async () => {
  const { outside } = setup();
  const io = new LocalFileIO({ roots: [join(outside, 'secret')] });
  expect(text(await io.read(`${outside}/secret`))).toBe('secret');
  expect(await rejectionCode(io.read(`${outside}/secret2`))).toBe('LOCATION_REFUSED');
});

test('another scheme is refused before anything is opened', async () => {
  const io = new LocalFileIO({ roots: ['/does/not/exist'] });
  expect(await rejectionCode(io.read('s3://bucket/key'))).toBe('LOCATION_REFUSED');
});

test('missing, too large, short, folder and FIFO are clear errors that name the file', async () => {
  const { root, io } = setup();
  await io.create(`${root}/ten`, bytes('0123456789'));
  execFileSync('mkfifo', [`${root}/fifo`]);
  expect(await rejectionCode(io.read(`${root}/none`))).toBe('FILE_NOT_FOUND');
  expect(await rejectionCode(io.read(`${root}/ten/x`))).toBe('FILE_NOT_FOUND');
  expect(await rejectionCode(io.read(root))).toBe('FILE_NOT_FOUND');
  expect(await rejectionCode(io.read(`${root}/fifo`))).toBe('FILE_NOT_FOUND');
  expect(await rejectionCode(io.read(`${root}/ten`, { maxBytes: 9 }))).toBe('LIMIT_EXCEEDED');
  expect(text(await io.readRange(`${root}/ten`, 8, 2))).toBe('89');
  const short = await failureOf(io.readRange(`${root}/ten`, 8, 3));
  expect(short.code).toBe('DATA_FILE_CORRUPT');
  expect(short.message).toContain(`${root}/ten`);
  await io.delete(`${root}/none`);
});

test.each(['ENOSPC', 'EDQUOT', 'EACCES', 'EROFS', 'EMFILE', 'EIO'])(
  '%s is STORAGE_UNAVAILABLE, retryable, and names the file',
  (code) => {
    const failure = storageError(Object.assign(new Error('low-level'), { code }), 'create', '/r/f');
    expect(failure.code).toBe('STORAGE_UNAVAILABLE');
    expect(failure.retryable).toBe(true);
    expect(failure.message).toContain('"/r/f"');
  },
);

test('lists every file below a folder and nothing of a missing one', async () => {
  const { root, io } = setup();
  await io.create(`${root}/a/1`, bytes('1'));
  await io.create(`${root}/a/b/22`, bytes('22'));
  const found = new Map<string, number>();
  for await (const file of io.list(`${root}/a`)) found.set(file.location, file.sizeBytes);
  expect(found).toEqual(
    new Map([
      [`${root}/a/1`, 1],
      [`${root}/a/b/22`, 2],
    ]),
  );
  for await (const file of io.list(`${root}/none`)) expect.unreachable(file.location);
});

test('pages of a listing hold every file once, whatever the names and the size of a page', async () => {
  const { root, outside, io } = setup();
  const names = ['a', 'a.b', 'a/1', 'a/b/22', 'a0', 'b/%2e', 'b/ü', 'b/B', 'c/d/e/f'].map((name) => `p/${name}`);
  const files = names.filter((name) => name !== 'p/a');
  for (const name of files) await io.create(`${root}/${name}`, bytes(name));
  symlinkSync(outside, `${root}/p/link`);
  symlinkSync(`${outside}/secret`, `${root}/p/file-link`);
  for (const maxFiles of [1, 2, 3, 100]) {
    const listed: string[] = [];
    for (let after: string | undefined; ; ) {
      const page = await io.listPage(`file:${root}/p`, { maxFiles, ...(after === undefined ? {} : { after }) });
      expect(page.files.length).toBeLessThanOrEqual(maxFiles);
      listed.push(...page.files.map(({ location, sizeBytes }) => `${location} ${sizeBytes}`));
      if (page.next === null) break;
      after = page.next;
    }
    const expected = files.map((name) => `${root}/${name} ${bytes(name).length}`);
    expect(listed.toSorted(), `${maxFiles}`).toEqual(expected.toSorted());
  }
  expect(await io.listPage(`${root}/none`, { maxFiles: 5 })).toEqual({ files: [], next: null });
});

test('a page goes on where the last one ended though files come and go meanwhile', async () => {
  const { root, io } = setup();
  for (const name of ['a', 'c', 'e', 'g']) await io.create(`${root}/${name}`, bytes(name));
  const first = await io.listPage(root, { maxFiles: 2 });
  expect(first.files.map(({ location }) => location)).toEqual([`${root}/a`, `${root}/c`]);
  await io.delete(`${root}/c`);
  await io.create(`${root}/b`, bytes('b'));
  const second = await io.listPage(root, { maxFiles: 2, after: first.next ?? '' });
  expect(second.files.map(({ location }) => location)).toEqual([`${root}/e`, `${root}/g`]);
  expect(second.next).toBeNull();
  expect(await rejectionCode(io.listPage('/etc', { maxFiles: 1 }))).toBe('LOCATION_REFUSED');
});
