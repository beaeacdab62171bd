/** Text files that arguments name. */
import { readFile } from 'node:fs/promises';
import { MoraineError } from '../../errors/index.js';

/** @throws `INPUT_UNREADABLE` naming the file */
export async function readTextFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const reason = code === 'ENOENT' ? 'there is no such file' : (error as Error).message;
    throw new MoraineError('INPUT_UNREADABLE', `cannot read ${path}: ${reason}`, { details: { path }, cause: error });
  }
}
