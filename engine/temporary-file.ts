/** Files of the temporary folder that the engine reads. */
import { writeFile } from 'node:fs/promises';
import { MoraineError } from '../errors/index.js';

/** @throws STORAGE_UNAVAILABLE naming the file */
export async function writeTemporaryFile(path: string, content: string | Uint8Array): Promise<void> {
  try {
    await writeFile(path, content);
  } catch (cause) {
    const { code = 'unknown', message } = cause as NodeJS.ErrnoException;
    const isFull = code === 'ENOSPC' || code === 'EDQUOT';
    const why = isFull ? 'the disk is full. Free space there, or name another folder' : `${message}. Check the folder`;
    throw new MoraineError(
      'STORAGE_UNAVAILABLE',
      `The temporary file ${path} cannot be written: ${why} (engine.tempDirectory).`,
      { details: { path, osCode: code }, cause },
    );
  }
}
