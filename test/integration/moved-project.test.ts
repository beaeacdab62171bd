/** The commands that find the files of a project whose folder was moved. The library alone: `test/unit/project/moved-project.test.ts`. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { moraine, moraineOk } from '../support/cli.js';
import { temporaryFolder } from '../support/temp-folder.js';

const CONFIG = `# Ours.
catalogs:
  local: { uri: catalog.db, warehouse: warehouse } # the only one
`;

test('a project that was moved is found again by two commands', async () => {
  const base = temporaryFolder();
  const [made, moved] = [join(base, 'made'), join(base, 'moved')];
  const first = temporaryFolder();
  writeFileSync(join(first, 'moraine.yaml'), CONFIG);
  renameSync(first, made);
  writeFileSync(join(made, 'rows.csv'), 'id,at\n1,2026-01-01T00:00:00Z\n2,2026-01-02T00:00:00Z\n');
  await moraineOk(['table', 'append', 'shop.orders', 'rows.csv', '--create'], { cwd: made });
  await moraineOk(['table', 'append', 'shop.others', 'rows.csv', '--create'], { cwd: made });
  renameSync(made, moved);
  const cwd = moved;

  const doctor = await moraine(['doctor', '--json'], { cwd });
  expect(doctor.code).not.toBe(0);
  const { checks } = JSON.parse(doctor.stdout) as { checks: { name: string; status: string; detail: string }[] };
  expect(checks.find(({ name }) => name === 'locations')).toMatchObject({
    status: 'fail',
    detail: `tables name locations that are elsewhere: ${made}/warehouse is ${moved}/warehouse now; run moraine project map-locations`,
  });

  const proposed = await moraineOk(['project', 'map-locations', '--dry-run', '--json'], { cwd });
  expect(JSON.parse(proposed)).toEqual({ locations: { [`${made}/warehouse`]: 'warehouse' }, lost: [], dryRun: true });
  expect(readFileSync(join(moved, 'moraine.yaml'), 'utf8')).toBe(CONFIG);

  const written = await moraineOk(['project', 'map-locations'], { cwd });
  expect(written).toBe(`${made}/warehouse -> warehouse\nWritten to ${moved}/moraine.yaml.\n`);
  expect(readFileSync(join(moved, 'moraine.yaml'), 'utf8')).toBe(
    `${CONFIG}storage:\n  locations:\n    ${made}/warehouse: warehouse\n`,
  );
  expect(await moraineOk(['project', 'map-locations'], { cwd })).toBe(
    'Every table was found where its location says.\n',
  );
  expect(await moraineOk(['table', 'scan', 'shop.orders', '--columns', 'id'], { cwd })).toBe('{"id":1}\n{"id":2}\n');

  const circular = ['project', 'map-locations', '--from', base, '--to', 'warehouse'];
  const refused = await moraine(circular, { cwd });
  expect(refused.stderr).toContain('CONFIG_INVALID');
  expect((await moraine(['project', 'map-locations', '--from', base], { cwd })).stderr).toContain('INVALID_ARGUMENT');
});

test('a table that is nowhere is named', async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'moraine.yaml'), CONFIG);
  writeFileSync(join(folder, 'rows.csv'), 'id\n1\n');
  await moraineOk(['table', 'append', 'shop.orders', 'rows.csv', '--create'], { cwd: folder });
  renameSync(join(folder, 'warehouse/shop'), join(folder, 'gone'));
  const text = await moraineOk(['project', 'map-locations'], { cwd: folder });
  expect(text).toMatch(/^local\/shop\.orders: .*\/warehouse\/shop\/orders\/metadata\/.* was found nowhere\n$/);
});
