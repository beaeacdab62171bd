/** Folders that several make at the same time. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeFolders } from '../../../processes/make-folders.js';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'moraine-folders-'));
});
afterAll(() => rmSync(root, { recursive: true }));

test('whoever comes first makes each folder, and everybody finds it made', async () => {
  for (let round = 0; round < 100; round++) {
    const deep = join(root, `${round}`, 'a', 'b', 'c');
    const made = await Promise.all(Array.from({ length: 8 }, () => makeFolders(deep)));
    const once = [join(root, `${round}`), join(root, `${round}`, 'a'), join(root, `${round}`, 'a', 'b'), deep];
    expect(made.flat().sort()).toEqual(once);
    expect(readdirSync(join(root, `${round}`, 'a', 'b'))).toEqual(['c']);
  }
});

test('a folder in which none can be made is the end of it', async () => {
  await expect(makeFolders('/proc/moraine/a/b')).rejects.toMatchObject({ code: 'ENOENT' });
});
