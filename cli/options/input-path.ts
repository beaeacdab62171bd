/** Data files that arguments name. */
import { realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MoraineError } from '../../errors/index.js';

/** A file as the query engine opens it, and the folder that the engine must be allowed to read for that. */
export interface InputPath {
  readonly file: string;
  readonly folder: string;
}

/** @throws `INPUT_UNREADABLE` if there is no such file */
export async function inputPath(argument: string): Promise<InputPath> {
  try {
    const file = await realpath(argument);
    return { file, folder: dirname(file) };
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const reason = missing ? 'there is no such file' : (error as Error).message;
    throw new MoraineError('INPUT_UNREADABLE', `cannot read ${argument}: ${reason}`, { cause: error });
  }
}
