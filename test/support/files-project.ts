/** A small project for the tests of one file, and files beside it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { createMoraine, type Moraine } from '../../index.js';
import { lastingFolder } from './temp-folder.js';

export interface FilesProject {
  readonly folder: string;
  /** The library, open from the first `beforeAll` of the file on. */
  readonly moraine: Moraine;
  /** Writes a file into the project's folder and returns its path. */
  file(this: void, name: string, content: string | Uint8Array): string;
}

/** Opens a project before the tests of this file, and closes and removes it after them. Call it at the top of the file. */
export function filesProject(): FilesProject {
  const lasting = lastingFolder();
  const folder = lasting.path;
  let moraine: Moraine | undefined;
  beforeAll(async () => {
    moraine = await createMoraine({ config: { engine: { threads: 1 } }, cwd: folder, fileFolders: [folder] });
  });
  afterAll(async () => {
    await moraine?.close();
    lasting.remove();
  });
  return {
    folder,
    get moraine() {
      if (moraine === undefined) throw new Error('the project is opened by the first beforeAll');
      return moraine;
    },
    file: (name, content) => {
      const path = join(folder, name);
      writeFileSync(path, content);
      return path;
    },
  };
}
