import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type LocalPath, localPath } from '../../../locations/index.js';
import { LocalFileIO } from '../../../storage/index.js';
import { storageError } from '../../../storage/storage-error.js';
import { rejectionCode } from '../../support/error-code.js';
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
  expect(await io.pathOf(`${base}/alias/y`)).toBe(join(root, 'x'));
});

test('a root may be a single file', async () => {
  const { outside } = setup();
  const io = new LocalFileIO({ roots: [join(outside, 'secret')] });
  expect(text(await io.read(`${outside}/secret`))).toBe('secret');
  expect(await rejectionCode(io.read(`${outside}/secret2`))).toBe('LOCATION_REFUSED');
});

test('a file below a file, a folder and a FIFO cannot be read', async () => {
  const { root, io } = setup();
  await io.create(`${root}/ten`, bytes('0123456789'));
  execFileSync('mkfifo', [`${root}/fifo`]);
  expect(await rejectionCode(io.read(`${root}/ten/x`))).toBe('FILE_NOT_FOUND');
  expect(await rejectionCode(io.read(root))).toBe('FILE_NOT_FOUND');
  expect(await rejectionCode(io.read(`${root}/fifo`))).toBe('FILE_NOT_FOUND');
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

test('links are neither followed nor listed', async () => {
  const { root, outside, io } = setup();
  await io.create(`${root}/p/a`, bytes('a'));
  symlinkSync(outside, `${root}/p/link`);
  symlinkSync(`${outside}/secret`, `${root}/p/file-link`);
  const { files, next } = await io.listPage(`${root}/p`, { maxFiles: 5 });
  expect([files.map(({ location }) => location), next]).toEqual([[`${root}/p/a`], null]);
});

test('a file in the place of a folder is storage that cannot be written, and is named', async () => {
  const { base, root, io } = setup();
  writeFileSync(join(root, 'data'), 'x');
  const inPlace = (what: string) => ({
    code: 'STORAGE_UNAVAILABLE',
    message: `Cannot ${what}: a file is in the place of a folder.`,
  });
  await expect(io.prepareFolder(`${root}/data`)).rejects.toMatchObject(inPlace(`create the folder "${root}/data"`));
  writeFileSync(join(base, 'warehouse'), 'x');
  const warehouse = new LocalFileIO({ roots: [join(base, 'warehouse')], createRoots: true });
  await expect(warehouse.create(`${base}/warehouse/t/f`, bytes('y'))).rejects.toMatchObject(
    inPlace(`open the storage root "${base}/warehouse"`),
  );
  expect([readFileSync(join(root, 'data'), 'utf8'), readFileSync(join(base, 'warehouse'), 'utf8')]).toEqual(['x', 'x']);
});

test('of a link the link is deleted, and its target stays', async () => {
  const { root, io } = setup();
  writeFileSync(join(root, 'target'), 'x');
  symlinkSync('target', join(root, 'link'));
  symlinkSync('link', join(root, 'chain'));
  mkdirSync(join(root, 'folder'));
  symlinkSync('../target', join(root, 'folder/up'));
  symlinkSync('folder', join(root, 'alias'));
  expect(await io.links(root)).toEqual(
    new Map([
      ['link', `${root}/target`],
      ['chain', `${root}/link`],
      ['alias', `${root}/folder`],
    ]),
  );
  expect(await io.links(`${root}/alias`)).toEqual(new Map([['up', `${root}/folder/../target`]]));
  await io.delete(`${root}/chain`);
  await io.delete(`file:${root}/alias/up`);
  expect(readdirSync(root).toSorted()).toEqual(['alias', 'folder', 'link', 'target']);
  expect(readdirSync(join(root, 'folder'))).toEqual([]);
});

test('of files that are published together all appear or none', async () => {
  const { root, outside, io } = setup();
  const staged = ['a', 'b'].map((name) => localPath(join(root, `${name}.staged`)));
  for (const path of staged) writeFileSync(path, path);
  const [a = staged[0], b = staged[1]] = staged;
  const files = (second: string) => [
    { path: a as LocalPath, location: `${root}/f/1` },
    { path: b as LocalPath, location: second },
  ];
  expect(await rejectionCode(io.adopt(files(`${outside}/2`)))).toBe('LOCATION_REFUSED');
  writeFileSync(join(root, 'taken'), 'taken');
  expect(await rejectionCode(io.adopt(files(`${root}/taken`)))).toBe('FILE_ALREADY_EXISTS');
  expect(
    await rejectionCode(
      io.adopt([...files(`${root}/f/2`), { path: localPath(join(root, 'no.staged')), location: `${root}/f/3` }]),
    ),
  ).toBe('FILE_NOT_FOUND');
  expect([readdirSync(join(root, 'f')), readFileSync(join(root, 'taken'), 'utf8')]).toEqual([[], 'taken']);
  await io.adopt(files(`${root}/g/2`));
  expect(readFileSync(join(root, 'f/1'), 'utf8')).toBe(a);
  expect(readFileSync(join(root, 'g/2'), 'utf8')).toBe(b);
  expect(readdirSync(root).filter((name) => name.endsWith('.staged'))).toEqual([]);
});
