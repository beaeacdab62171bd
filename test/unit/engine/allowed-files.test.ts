import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openEngine } from '../../../engine/index.js';
import { rejectionCode } from '../../support/error-code.js';
import { temporaryFolder } from '../../support/temp-folder.js';

test('an engine that may open single files opens those and no other, whatever their names look like', async () => {
  const folder = temporaryFolder();
  const options = { memoryLimitBytes: 256 * 2 ** 20, threads: 1, tempDirectory: join(folder, 'tmp') };
  const one = join(folder, 'one[1]*.parquet');
  const two = join(folder, 'two.parquet');
  const writer = await openEngine({ ...options, allowedDirectories: [folder] });
  await writer.withConnection(async (connection) => {
    await connection.run(`COPY (SELECT 1 AS x) TO '${one}'`);
    await connection.run(`COPY (SELECT 2 AS x) TO '${two}'`);
  });
  await writer.close();
  const engine = await openEngine({ ...options, allowedDirectories: [], allowedFiles: [one] });
  try {
    await engine.withConnection(async (connection) => {
      const escaped = one.replace('[1]*', '[[]1]\\*').replace('\\*', '[*]');
      expect(await connection.rows(`FROM read_parquet('${escaped}')`)).toEqual([[1]]);
      const refused = [
        `FROM '${two}'`,
        `FROM read_text('/etc/passwd')`,
        `FROM glob('${folder}/*')`,
        `ATTACH '${folder}/x.db'`,
      ];
      for (const sql of refused)
        expect([sql, await rejectionCode(connection.run(sql))]).toEqual([sql, 'LOCATION_REFUSED']);
      for (const sql of [
        'SET enable_external_access = true',
        'RESET allowed_paths',
        `SET allowed_directories = ['/']`,
      ]) {
        expect([sql, await rejectionCode(connection.run(sql))]).toEqual([sql, 'INTERNAL']);
      }
    });
  } finally {
    await engine.close();
  }
});
