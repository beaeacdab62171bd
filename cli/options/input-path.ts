/** Data files that arguments name. */
import { realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
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

/** A path at which there may be no file yet, or another one later: a link stays one. @throws `INPUT_UNREADABLE` if there is no such folder */
export async function followedPath(argument: string): Promise<InputPath> {
  try {
    const folder = await realpath(dirname(argument));
    return { file: join(folder, basename(argument)), folder };
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const reason = missing ? 'there is no such folder' : (error as Error).message;
    throw new MoraineError('INPUT_UNREADABLE', `cannot follow ${argument}: ${reason}`, { cause: error });
  }
}
