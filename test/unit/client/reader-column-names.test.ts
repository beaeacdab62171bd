/** Columns that are called as those which the engine's reader adds to a file: its path, its place in a read, the row's position. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createMoraine } from '../../../index.js';
import { compactDirect } from '../../../maintenance/index.js';
import { compactDeps } from '../../../project/index.js';
import { temporaryFolder } from '../../support/temp-folder.js';

const AT = '2001-01-01T00:00:00.000000Z';
/** Values of three files with three rows each; they are wrong as paths, places and positions. */
const ROWS = Array.from({ length: 9 }, (_, index) => ({
  id: index,
  filename: `value ${index}`,
  file_index: 100 - index,
  FILE_ROW_NUMBER: (index * 7) % 3,
  at: AT,
}));

test.each([2, 3] as const)('version %i: rows are deleted and compacted by their own places', async (version) => {
  const folder = temporaryFolder();
  const moraine = await createMoraine({ config: { engine: { threads: 1 } }, cwd: folder, fileFolders: [folder] });
  onTestFinished(() => moraine.close());
  const file = join(folder, 'rows.jsonl');
  for (const start of [0, 3, 6]) {
    writeFileSync(
      file,
      ROWS.slice(start, start + 3)
        .map((row) => JSON.stringify(row))
        .join('\n'),
    );
    await moraine.appendFile('a.t', file, { create: true });
  }
  if (version === 3) await moraine.upgradeTable('a.t', 3);
  const gone = [1, 5, 6];
  expect(await moraine.deleteRows('a.t', 'id IN (1, 5)')).toMatchObject({ rows: 2n, files: 2 });
  expect(await moraine.deleteRows('a.t', `filename = 'value 6'`)).toMatchObject({ rows: 1n, files: 1 });
  const rows = async (): Promise<unknown> => {
    const reader = await moraine.pullAll({ source: { table: 'a.t' }, joinKeys: ['id'], timestampField: 'at' });
    const found = await reader.toRows();
    await reader.close();
    return found.toSorted((a, b) => Number(a['id']) - Number(b['id']));
  };
  const left = ROWS.filter(({ id }) => !gone.includes(id));
  expect(await rows()).toEqual(left);
  for (const columns of [['filename'], ['file_index', 'id']]) {
    const request = { table: 'a.t', strategy: 'sort', columns, targetSizeBytes: 300 } as const;
    expect(await compactDirect(await compactDeps(moraine.project), request)).toMatchObject({ skipped: [] });
    expect(await rows()).toEqual(left);
  }
  expect(await moraine.deleteRows('a.t', 'FILE_ROW_NUMBER = 0')).toMatchObject({
    rows: BigInt(left.filter((row) => row.FILE_ROW_NUMBER === 0).length),
  });
  expect(await rows()).toEqual(left.filter((row) => row.FILE_ROW_NUMBER !== 0));
});
