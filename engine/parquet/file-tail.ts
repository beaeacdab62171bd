/**
 * The ends of many small files, where Parquet has its footer. Plain descriptors: handles of `fs/promises`, and a look at the length of each
 * file before it is read, take half as long again for a thousand of them.
 */
import { close, fstat, open, read } from 'node:fs';
import { promisify } from 'node:util';
import { MoraineError } from '../../errors/index.js';

const openFile = promisify(open);
const readFile = promisify(read);
const closeFile = promisify(close);
const statFile = promisify(fstat);

/** Bytes of a file's end that are read at once. */
const TAIL_BYTES = 32 * 1024;

/** A file that is open while its end is looked at. */
export interface OpenTail {
  readonly size: number;
  /** The last bytes: all of a file that has no more. They are overwritten by those of the next file. */
  readonly tail: Buffer;
  /** Other bytes of it. @throws DATA_FILE_CORRUPT if it has become shorter */
  readonly bytes: (start: number, length: number) => Promise<Buffer>;
}

/** Reads one file after another, into one buffer. */
export class TailReader {
  /** One byte more than is wanted tells a file that is longer than it should be. */
  readonly #buffer = Buffer.allocUnsafe(TAIL_BYTES + 1);

  /**
   * @param expectedSize what the file has to have; unless given, what it has
   * @throws FILE_NOT_FOUND, DATA_FILE_CORRUPT for another length, STORAGE_UNAVAILABLE, naming the file
   */
  async withTail<T>(
    path: string,
    expectedSize: number | undefined,
    use: (file: OpenTail) => T | Promise<T>,
  ): Promise<T> {
    const file = await openFile(path, 'r').catch((cause: NodeJS.ErrnoException) => {
      throw openFailed(path, cause);
    });
    try {
      const size = expectedSize ?? (await statFile(file)).size;
      const length = Math.min(size, TAIL_BYTES);
      const bytesRead = await readInto(file, path, this.#buffer.subarray(0, length + 1), size - length);
      if (bytesRead !== length) throw await otherLength(file, path, size);
      const bytes = (start: number, wanted: number) => bytesOf(file, path, start, wanted);
      return await use({ size, tail: this.#buffer.subarray(0, length), bytes });
    } finally {
      await closeFile(file);
    }
  }
}

/** @returns how many bytes there were */
async function readInto(file: number, path: string, buffer: Buffer, start: number): Promise<number> {
  try {
    return (await readFile(file, buffer, 0, buffer.length, start)).bytesRead;
  } catch (error) {
    const cause = error as NodeJS.ErrnoException;
    throw cause.code === 'EISDIR' ? corrupt(path, 'is a folder') : unavailable(path, 'read', cause);
  }
}

async function bytesOf(file: number, path: string, start: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  if ((await readInto(file, path, buffer, start)) === length) return buffer;
  throw corrupt(path, 'became shorter while it was read');
}

async function otherLength(file: number, path: string, expected: number): Promise<MoraineError> {
  const { size } = await statFile(file);
  if (size === expected) return unavailable(path, 'read to its end');
  return corrupt(path, `has ${size} bytes, and the manifest says ${expected}`);
}

/** An error that says what is wrong with a data file. */
export function corrupt(path: string, problem: string): MoraineError {
  return new MoraineError('DATA_FILE_CORRUPT', `A data file is damaged: ${path} ${problem}.`, { details: { path } });
}

export function openFailed(path: string, cause: NodeJS.ErrnoException): MoraineError {
  if (cause.code === 'ENOENT' || cause.code === 'ENOTDIR') {
    return new MoraineError('FILE_NOT_FOUND', `The data file ${path} does not exist.`, { details: { path }, cause });
  }
  return unavailable(path, 'opened', cause);
}

function unavailable(path: string, action: string, cause?: NodeJS.ErrnoException): MoraineError {
  const details = { path, reason: cause?.code ?? 'unknown' };
  return new MoraineError('STORAGE_UNAVAILABLE', `The data file ${path} cannot be ${action}.`, { details, cause });
}
