import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeTemporaryFile } from '../../../engine/temporary-file.js';
import { smallDisk } from '../../support/small-disk.js';
import { temporaryFolder } from '../../support/temp-folder.js';

test('a temporary file that cannot be written is storage that fails, and is named', async () => {
  const folder = temporaryFolder();
  const path = join(folder, 'records.jsonl');
  await writeTemporaryFile(path, Buffer.from('{"id":1}\n'));
  expect(readFileSync(path, 'utf8')).toBe('{"id":1}\n');
  mkdirSync(join(folder, 'taken'));
  await expect(writeTemporaryFile(join(folder, 'taken'), '')).rejects.toMatchObject({
    code: 'STORAGE_UNAVAILABLE',
    message: expect.stringMatching(
      `^The temporary file ${folder}/taken cannot be written: EISDIR: .* Check the folder \\(engine.tempDirectory\\)\\.$`,
    ) as unknown,
  });
});

test('a full disk is told as such', async (context) => {
  const folder = join(temporaryFolder(), 'tmp');
  const disk = smallDisk(folder);
  // A limit of the sizes of files would be that of this process.
  disk.fill(4096);
  if (disk.limits().length > 0) return context.skip('this user may not mount a file system');
  await expect(writeTemporaryFile(join(folder, 'f'), Buffer.alloc(100_000))).rejects.toMatchObject({
    code: 'STORAGE_UNAVAILABLE',
    message: `The temporary file ${folder}/f cannot be written: the disk is full. Free space there, or name another folder (engine.tempDirectory).`,
  });
});
