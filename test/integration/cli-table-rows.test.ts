/** `moraine table delete` and `table upgrade`: the real command. */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { jsonLines, moraine, moraineOk } from '../support/cli.js';

let cwd: string;
beforeEach(async () => {
  cwd = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-cli-rows-')));
  writeFileSync(join(cwd, 'moraine.yaml'), 'catalogs: { local: { warehouse: warehouse } }\n');
  writeFileSync(join(cwd, 'rows.csv'), 'id,x\n1,10\n2,20\n3,\n');
  await moraineOk(['table', 'append', 'a.t', 'rows.csv', '--create'], { cwd });
});
afterEach(() => rmSync(cwd, { recursive: true }));

test('delete counts first, then deletes; upgrade raises the version once', async () => {
  const where = ['table', 'delete', 'a.t', '--where', 'x >= 20'];
  expect(await moraineOk([...where, '--dry-run'], { cwd })).toBe('a.t: would delete 1 row in 1 file.\n');
  expect(await moraineOk(where, { cwd })).toMatch(/^a\.t: deleted 1 row in 1 file, snapshot \d+\.\n$/);
  expect(await moraineOk(where, { cwd })).toBe('a.t: no row matches.\n');
  expect(jsonLines(await moraineOk(['table', 'upgrade', 'a.t', '--to', '3', '--json'], { cwd }))).toEqual([
    { table: 'a.t', from: 2, to: 3 },
  ]);
  expect(await moraineOk(['table', 'upgrade', 'a.t', '--to', '3'], { cwd })).toBe(
    'a.t: has format version 3 already.\n',
  );
  const back = await moraine(['table', 'upgrade', 'a.t', '--to', '2'], { cwd });
  expect(back.code).not.toBe(0);
  expect(back.stderr).toContain('cannot go back to version 2');
  const [deleted] = jsonLines(await moraineOk(['table', 'delete', 'a.t', '--where', 'id = 1', '--json'], { cwd }));
  expect(deleted).toMatchObject({ table: 'a.t', dryRun: false, rows: 1, files: 1, filesRemoved: 0 });
  const rows = jsonLines(await moraineOk(['table', 'scan', 'a.t'], { cwd }));
  expect(rows).toEqual([{ id: 3, x: null }]);
});

test('create takes a format version, and only one that is known', async () => {
  const schema = {
    type: 'struct',
    'schema-id': 0,
    fields: [{ id: 1, name: 'at', required: false, type: 'timestamp_ns' }],
  };
  writeFileSync(join(cwd, 'schema.json'), JSON.stringify(schema));
  const create = ['table', 'create', 'a.n', '--schema', 'schema.json'];
  expect((await moraine(create, { cwd })).stderr).toContain('needs a table of format version 3');
  expect((await moraine([...create, '--format-version', '4'], { cwd })).code).not.toBe(0);
  await moraineOk([...create, '--format-version', '3'], { cwd });
});
