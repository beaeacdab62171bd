/**
 * Folders for what a process needs only while it runs. The process removes them; those of processes that were killed are removed by the next
 * one that makes a folder in the same place.
 *
 * Beside each folder is a named pipe, `<folder>.alive`, that its process keeps open for reading. The kernel closes it when the process ends, in
 * every case, and opening the other end without waiting tells whether it is open: on the same kernel, from any container, whatever became of
 * process ids. The folder's name says which kernel that is.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, constants, openSync, rmSync } from 'node:fs';
import { lstat, mkdir, open, readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { makeFolders } from './make-folders.js';
import { thisHost } from './this-host.js';

/** A folder of this process. */
export interface TemporaryFolder {
  readonly path: string;
  /** Removes it with all that is in it. May be called twice. */
  remove(): Promise<void>;
}

const PIPE = /^[a-z-]+-(?<machine>[0-9a-f]{8}|none)-(?<boot>[0-9a-f]{8})-[0-9a-f]{12}\.alive$/;
const SUFFIX = '.alive';
/** A pipe that was made a moment ago may not be open yet. */
const YOUNG_MS = 5_000;

/** The folders of this process, and what holds them. */
const live = new Map<string, { readonly pipe: number | undefined }>();

/**
 * Makes an empty folder that only this user may read, and removes those that processes left which were killed.
 *
 * @param home the folder that it is made in; it is made too
 * @param kind the beginning of its name: small letters and `-`
 * @throws errors of the file system
 */
export async function makeTemporaryFolder(home: string, kind: string): Promise<TemporaryFolder> {
  const place = resolve(home);
  await makeFolders(place, 0o700);
  await removeAbandoned(place);
  const { machine, boot } = thisHost();
  const path = join(place, `${kind}-${machine}-${boot}-${randomBytes(6).toString('hex')}`);
  const pipe = await openPipe(`${path}${SUFFIX}`);
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    if (pipe !== undefined) closeSync(pipe);
    await rm(`${path}${SUFFIX}`, { force: true }).catch(() => undefined);
    throw error;
  }
  if (live.size === 0) process.once('exit', removeLive);
  live.set(path, { pipe });
  return { path, remove: () => remove(path) };
}

/** Without a pipe (no `mkfifo`, or a file system that has none) the folder is never taken for abandoned. */
async function openPipe(path: string): Promise<number | undefined> {
  try {
    await promisify(execFile)('mkfifo', ['-m', '600', path]);
    // Reading and writing at once never waits for anybody.
    return openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
}

async function remove(path: string): Promise<void> {
  const folder = live.get(path);
  if (folder === undefined) return;
  live.delete(path);
  if (live.size === 0) process.off('exit', removeLive);
  await rm(path, { recursive: true, force: true });
  await rm(`${path}${SUFFIX}`, { force: true });
  if (folder.pipe !== undefined) closeSync(folder.pipe);
}

/** A process that ends on its own in the midst of its work, as after a second Ctrl-C or an error that nobody caught. */
function removeLive(): void {
  for (const path of live.keys()) {
    try {
      rmSync(path, { recursive: true, force: true });
      rmSync(`${path}${SUFFIX}`, { force: true });
    } catch {
      // The next process does it.
    }
  }
}

/** Removes the folders of a place whose processes have ended. What cannot be removed stays. */
async function removeAbandoned(place: string): Promise<void> {
  const names = await readdir(place).catch(() => []);
  for (const name of names) {
    if (!PIPE.test(name)) continue;
    const pipe = join(place, name);
    if (!(await isAbandoned(pipe, name).catch(() => false))) continue;
    const removed = await rm(pipe.slice(0, -SUFFIX.length), { recursive: true, force: true }).then(
      () => true,
      () => false,
    );
    if (removed) await rm(pipe, { force: true }).catch(() => undefined);
  }
}

async function isAbandoned(pipe: string, name: string): Promise<boolean> {
  const { boot, machine } = PIPE.exec(name)?.groups ?? {};
  const here = thisHost();
  const status = await lstat(pipe);
  if (!status.isFIFO() || status.uid !== process.getuid?.()) return false;
  if (Math.abs(Date.now() - status.mtimeMs) < YOUNG_MS) return false;
  // A machine that has started anew has ended all of its processes; of another machine nothing is known.
  if (boot !== here.boot) return machine !== 'none' && machine === here.machine;
  return !(await hasReader(pipe));
}

async function hasReader(pipe: string): Promise<boolean> {
  try {
    const writer = await open(pipe, constants.O_WRONLY | constants.O_NONBLOCK);
    await writer.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENXIO') return false;
    throw error;
  }
}
