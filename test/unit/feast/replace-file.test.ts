import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { replaceFile } from '../../../feast/index.js';
import { temporaryFolder } from '../../support/temp-folder.js';

/** Processes of several containers may have one id, as those of this test have. */
test('a file that many replace at once is always one of theirs, and nothing is left beside it', async () => {
  const folder = temporaryFolder();
  const path = join(folder, 'registry.db');
  const content = (writer: number): string => String.fromCharCode(97 + writer).repeat((writer + 1) * 100_000);
  const contents = Array.from({ length: 8 }, (_, writer) => content(writer));
  await replaceFile(path, content(0));
  let isDone = false;
  const writing = Promise.all(contents.map((text) => replaceFile(path, text))).finally(() => {
    isDone = true;
  });
  writing.catch(() => undefined);
  while (!isDone) {
    expect(contents).toContain(readFileSync(path, 'utf8'));
    await nextTurn();
  }
  await writing;
  expect(contents).toContain(readFileSync(path, 'utf8'));
  expect(readdirSync(folder)).toEqual(['registry.db']);
});

test('a folder that is not there is named', async () => {
  const path = join(temporaryFolder(), 'none', 'registry.db');
  await expect(replaceFile(path, '')).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: expect.stringContaining(`The file ${path} cannot be written: `) as string,
  });
});
