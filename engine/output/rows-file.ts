/** Files of rows: complete under their name, or not there at all. */
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { dirname, extname, resolve } from 'node:path';
import { finished } from 'node:stream/promises';
import { MoraineError } from '../../errors/index.js';
import type { RowFormat } from './rows-out.js';

const EXTENSIONS = new Map<string, RowFormat>([
  ['.jsonl', 'jsonl'],
  ['.ndjson', 'jsonl'],
  ['.json', 'json'],
  ['.csv', 'csv'],
  ['.parquet', 'parquet'],
  ['.arrow', 'arrow'],
  ['.arrows', 'arrow'],
]);

/** The format of rows that a file's extension tells; undefined if it tells none. */
export function rowFormatOf(path: string): RowFormat | undefined {
  return EXTENSIONS.get(extname(path).toLowerCase());
}

/**
 * Writes a file through `write`. It appears under its name only when it is complete, and replaces one of that name.
 * @throws STORAGE_UNAVAILABLE naming the file; nothing of it is left then
 */
export async function writeWholeFile<T>(
  file: string,
  write: (sink: { write(bytes: Uint8Array | string): Promise<void> }) => Promise<T>,
): Promise<T> {
  const path = resolve(file);
  const temporary = `${path}.${process.pid}.tmp`;
  const stream = createWriteStream(temporary, { flags: 'wx' });
  let failure: Error | undefined;
  stream.on('error', (error) => {
    failure ??= error;
  });
  const sink = {
    write: (bytes: Uint8Array | string): Promise<void> =>
      new Promise((done, fail) => {
        if (failure !== undefined) fail(failure);
        else stream.write(bytes, (error) => (error === null || error === undefined ? done() : fail(failure ?? error)));
      }),
  };
  try {
    const result = await write(sink);
    stream.end();
    await finished(stream);
    await rename(temporary, path);
    return result;
  } catch (error) {
    stream.destroy();
    await rm(temporary, { force: true });
    if (!isSystemError(error)) throw error;
    const message = `cannot write ${path} in ${dirname(path)}: ${error.message}`;
    throw new MoraineError('STORAGE_UNAVAILABLE', message, { cause: error });
  }
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}
