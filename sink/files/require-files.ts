/** What is at the paths that a sink is to read, before it claims anything. */
import { stat } from 'node:fs/promises';
import { MoraineError } from '../../errors/index.js';

/**
 * A path without anything is left to the reading: a file may come.
 * @throws MoraineError `INVALID_ARGUMENT` for a folder, and for a pipe or device, which has no positions
 */
export async function requireRegularFiles(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const found = await stat(path).catch(() => null);
    if (found === null || found.isFile()) continue;
    const remedy = found.isDirectory()
      ? 'is a folder: name the files in it'
      : 'is a pipe or a device, whose records have no positions: give it as standard input (`-`), in a program as a stream';
    throw new MoraineError('INVALID_ARGUMENT', `${path} ${remedy}.`, { details: { path } });
  }
}
