/** Looking at data files before their first row is given out. */
import { open } from 'node:fs/promises';
import { MoraineError } from '../errors/index.js';
import type { Connection } from './connection.js';
import { type FileLayout, readFileLayouts } from './file-layout.js';

/** What the manifest says of a file; `path` is what the file system opens. */
export interface CheckedFile {
  readonly path: string;
  readonly fileSizeInBytes: bigint;
}

const MAGIC = 'PAR1';
const TRAILER_BYTES = 8;
const FILES_AT_ONCE = 16;

/**
 * Checks that every file exists, has its recorded length and has a footer that can be read; gives their layouts for `scanSql`.
 * @throws FILE_NOT_FOUND, DATA_FILE_CORRUPT or STORAGE_UNAVAILABLE naming the file
 */
export async function checkFiles(
  connection: Connection,
  files: readonly CheckedFile[],
): Promise<ReadonlyMap<string, FileLayout>> {
  for (let start = 0; start < files.length; start += FILES_AT_ONCE) {
    connection.throwIfAborted();
    await Promise.all(files.slice(start, start + FILES_AT_ONCE).map(checkTrailer));
  }
  return await readFileLayouts(
    connection,
    files.map((file) => file.path),
  );
}

async function checkTrailer({ path, fileSizeInBytes }: CheckedFile): Promise<void> {
  const handle = await open(path, 'r').catch((cause: NodeJS.ErrnoException) => {
    throw openFailed(path, cause);
  });
  try {
    const { size } = await handle.stat();
    if (BigInt(size) !== fileSizeInBytes) {
      throw corrupt(path, `has ${size} bytes, and the manifest says ${fileSizeInBytes}`);
    }
    if (size < TRAILER_BYTES + MAGIC.length) throw corrupt(path, 'is too short to be Parquet');
    const trailer = Buffer.alloc(TRAILER_BYTES);
    await handle.read(trailer, 0, TRAILER_BYTES, size - TRAILER_BYTES);
    if (trailer.toString('latin1', 4) !== MAGIC) throw corrupt(path, 'does not end as a Parquet file does');
    if (trailer.readUInt32LE(0) > size - TRAILER_BYTES - MAGIC.length) {
      throw corrupt(path, 'has a footer that is longer than the file');
    }
  } finally {
    await handle.close();
  }
}

function corrupt(path: string, problem: string): MoraineError {
  return new MoraineError('DATA_FILE_CORRUPT', `A data file is damaged: ${path} ${problem}.`, { details: { path } });
}

function openFailed(path: string, cause: NodeJS.ErrnoException): MoraineError {
  if (cause.code === 'ENOENT' || cause.code === 'ENOTDIR') {
    return new MoraineError('FILE_NOT_FOUND', `The data file ${path} does not exist.`, { details: { path }, cause });
  }
  const details = { path, reason: cause.code ?? 'unknown' };
  return new MoraineError('STORAGE_UNAVAILABLE', `The data file ${path} cannot be opened.`, { details, cause });
}
