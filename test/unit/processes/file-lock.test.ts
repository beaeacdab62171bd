/** Locks of files: they exclude other processes, and what takes them removes nothing that another process may have locked. */
import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import Database from 'libsql';
import { describe, expect, test } from 'vitest';
import { tryLockFile } from '../../../processes/index.js';
import { DIST } from '../../support/cli.js';
import { projectRoot } from '../../support/paths.js';
import { readOnlyDisk } from '../../support/small-disk.js';
import { temporaryFolder } from '../../support/temp-folder.js';

/** Tries to take the lock in a process of its own. */
async function tryInProcess(file: string, kind = ''): Promise<unknown> {
  const program = join(projectRoot, 'test/support/lock-program.mjs');
  const args = ['--nofile=64:64', process.execPath, program, DIST, file, kind];
  const { stdout } = await promisify(execFile)('prlimit', args);
  return JSON.parse(stdout) as unknown;
}

function lockFile(): string {
  return join(temporaryFolder(), 'lock.db');
}

test('a lock excludes this process and others until it is released', async () => {
  const file = lockFile();
  const lock = await tryLockFile(file);
  expect(lock).toBeDefined();
  expect(await tryLockFile(file)).toBeUndefined();
  expect(await tryInProcess(file)).toBe('taken');
  lock?.release();
  expect(await tryInProcess(file)).toBe('locked');
  const [one, other] = await Promise.all([tryLockFile(file), tryLockFile(file)]);
  expect(one).toBeDefined();
  expect(other).toBeUndefined();
  lock?.release(); // for the second time: the lock is another one now
  expect(await tryInProcess(file)).toBe('taken');
  one?.release();
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

describe('the file of a lock that another process holds stays', () => {
  test.each([
    ['other-user', 'EACCES: permission denied'],
    ['no-descriptors', 'EMFILE: too many open files'],
  ])('%s', async (kind, reason) => {
    const file = lockFile();
    chmodSync(join(file, '..'), 0o777);
    const lock = await tryLockFile(file);
    const { ino } = statSync(file);
    expect(await tryInProcess(file, kind)).toEqual({
      code: 'STORAGE_UNAVAILABLE',
      message: `${file} cannot be locked: ${reason}, open '${file}'.`,
    });
    expect(statSync(file).ino).toBe(ino);
    expect(await tryInProcess(file)).toBe('taken');
    lock?.release();
  });
});

describe('something else in the place of the file is replaced', () => {
  test.each<[string, (file: string) => void]>([
    ['a folder', (file) => mkdirSync(join(file, 'x'), { recursive: true })],
    ['a named pipe', (file) => execFileSync('mkfifo', [file])],
    ['text', (file) => writeFileSync(file, 'garbage'.repeat(1000))],
    ['the beginning of a database', (file) => writeFileSync(file, 'SQLite for')],
    ['a database cut short', makeCutDatabase],
  ])('%s', async (_, prepare) => {
    const file = lockFile();
    prepare(file);
    const lock = await tryLockFile(file);
    expect(lock).toBeDefined();
    expect(await tryLockFile(file)).toBeUndefined();
    lock?.release();
    expect(statSync(file).size).toBe(0);
  });
});

function makeCutDatabase(file: string): void {
  const database = new Database(file);
  database.exec('CREATE TABLE t (x); INSERT INTO t VALUES (1)');
  database.close();
  truncateSync(file, 4096);
}

test('a lock on a read-only disk is refused', async (context) => {
  const file = lockFile();
  const disk = readOnlyDisk(join(file, '..'));
  if (disk === undefined) return context.skip('this user may not mount a file system');
  (await tryLockFile(file))?.release();
  disk.seal();
  await expect(tryLockFile(file)).rejects.toMatchObject({
    code: 'STORAGE_UNAVAILABLE',
    message: `${file} cannot be locked: EROFS: read-only file system, open '${file}'.`,
  });
  disk.unseal();
  (await tryLockFile(file))?.release();
});
