/** One page of a listing of local files. */
import type { Dirent, Stats } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Location } from '../locations/index.js';
import type { FilePage, FileStatus } from './file-io.js';
import { storageError } from './storage-error.js';

type ReadFolder = (folder: string) => Promise<readonly Dirent[]>;

/** Files whose status is asked for at once. */
const CONCURRENCY = 16;

/**
 * The next page: files in the order of their path's segments. The token is the path of the last file, below the root.
 * @param readFolder the entries of a folder; of a missing one, none
 */
export async function filePage(
  root: string,
  options: { readonly maxFiles: number; readonly after?: string },
  readFolder: ReadFolder,
): Promise<FilePage> {
  const { maxFiles, after } = options;
  const paths: string[] = [];
  let next: string | null = null;
  for await (const path of pathsAfter(root, '', after?.split('/') ?? [], readFolder)) {
    if (paths.length === maxFiles) {
      next = paths.at(-1) ?? null;
      break;
    }
    paths.push(path);
  }
  const files: FileStatus[] = [];
  for (let start = 0; start < paths.length; start += CONCURRENCY) {
    const some = await Promise.all(paths.slice(start, start + CONCURRENCY).map((path) => statusOf(join(root, path))));
    files.push(...some.filter((status) => status !== null));
  }
  return { files, next };
}

/** @param after segments of the path that was listed last; none: from the beginning */
async function* pathsAfter(
  root: string,
  folder: string,
  after: readonly string[],
  readFolder: ReadFolder,
): AsyncGenerator<string> {
  const [first, ...below] = after;
  const all = await readFolder(join(root, folder));
  const rest = first === undefined ? all : all.filter(({ name }) => name >= first);
  for (const entry of rest.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) yield* pathsAfter(root, path, entry.name === first ? below : [], readFolder);
    else if (entry.isFile() && entry.name !== first) yield path;
  }
}

/** Null: it was deleted meanwhile. */
async function statusOf(path: string): Promise<FileStatus | null> {
  try {
    return fileStatus(path, await lstat(path));
  } catch (error) {
    const failure = storageError(error, 'list', path);
    if (failure.code === 'FILE_NOT_FOUND') return null;
    throw failure;
  }
}

/** The status of a local file. Its change time is set by the system alone, as long as its clock does not go back. */
export function fileStatus(location: Location, { ino, size, mtimeMs, ctimeMs }: Stats): FileStatus {
  const appearedMs = Math.max(mtimeMs, ctimeMs);
  // Not the change time: a backup that links the file, or its permissions, would make it another file.
  return { location, sizeBytes: size, modifiedMs: mtimeMs, appearedMs, identity: `${ino}-${size}-${mtimeMs}` };
}
