/** Schedules are held to what their workflow takes before any is made: no server is asked. */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkedSchedule } from '../../../client/schedules.js';
import { createMoraine, defineEntity, defineFeatureView, type Moraine } from '../../../index.js';

let folder: string;
let moraine: Moraine;
beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-schedules-')));
  moraine = await createMoraine({ config: { engine: { threads: 1 } }, cwd: folder, fileFolders: [folder] });
  writeFileSync(join(folder, 'rows.csv'), 'k,ts,v\n1,2026-01-01T00:00:00Z,10\n');
  await moraine.appendFile('shop.a', join(folder, 'rows.csv'), { create: true });
  const thing = defineEntity({ name: 'thing', joinKeys: ['k'] });
  const source = { table: 'shop.a', timestampField: 'ts' };
  await moraine.apply([thing, defineFeatureView({ name: 'readings', entities: [thing], source, online: true })]);
});
afterAll(async () => {
  await moraine.close();
  rmSync(folder, { recursive: true, force: true });
});

const check = (workflow: string, input: object) =>
  checkedSchedule(moraine.project, { workflow, input, every: '1h', id: 's' });

test.each([
  ['compact', { table: 'shop.a' }, '"strategy"'],
  ['compact', { table: 'shop.a', strategy: 'binpak' }, '"strategy"'],
  ['compact', { table: 'shop.a', strategy: 'sort', columns: ['nope'] }, 'nope'],
  ['maintain', { table: 'shop.a', olderThan: 'a week' }, '"olderThan": is not a duration'],
  ['maintain', { table: 'shop.a', retain: 3 }, '"retain"'],
  ['materialize', { view: 'readings', shard: 3 }, '"shard"'],
  ['materialize', { view: 'readings', every: '1h', offset: 'noon' }, '"offset" "noon" is not a duration'],
])('an input that %s refuses, %j, makes no schedule', async (workflow, input, problem) => {
  await expect(check(workflow, input)).rejects.toThrow(problem);
});

test.each([
  ['compact', { table: 'shop.a', strategy: 'binpack' }],
  ['maintain', { table: 'shop.a', olderThan: '7d' }],
  ['materialize', { view: 'readings', shards: 3 }],
  ['materialize', { view: 'readings', every: '1h' }],
])('an input that %s takes, %j, is that of the schedule', async (workflow, input) => {
  expect(await check(workflow, input)).toMatchObject({ workflow, input });
});
