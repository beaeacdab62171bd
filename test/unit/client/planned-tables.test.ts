/** What an apply says of the online tables that the next run or write makes, or gives other columns. */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { formatPlannedTables } from '../../../cli/actions/apply.js';
import { currentSchema } from '../../../iceberg/index.js';
import { createMoraine, defineEntity, defineFeatureView, type Moraine, parseSchema } from '../../../index.js';
import { materializeDirect } from '../../../materialization/index.js';
import { materializationDeps } from '../../../project/index.js';

type ViewInput = Parameters<typeof defineFeatureView>[0];

const COLUMNS = { k: 'long', other: 'string', ts: 'timestamptz', v: 'int', w: 'double' };
const TABLE = 'moraine_online.readings';

let moraine: Moraine;
let folder: string;
beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-planned-')));
  const config = { catalogs: { local: { uri: 'catalog.db', warehouse: 'warehouse' } }, engine: { threads: 1 } };
  moraine = await createMoraine({ cwd: folder, config, fileFolders: [folder] });
  const schema = (types: Readonly<Record<string, string>>) =>
    parseSchema({
      type: 'struct',
      'schema-id': 0,
      fields: Object.entries(types).map(([name, type], index) => ({ id: index + 1, name, required: false, type })),
    });
  await moraine.createTable('shop.a', { schema: schema(COLUMNS) });
  await moraine.createTable('shop.wide', { schema: schema({ ...COLUMNS, v: 'long' }) });
  writeFileSync(join(folder, 'rows.jsonl'), '{"k":1,"other":"x","ts":"2026-01-01T00:00:00Z","v":1,"w":2.5}\n');
  await moraine.appendFile('shop.a', join(folder, 'rows.jsonl'));
});
afterAll(async () => {
  await moraine.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Definitions of one view. */
function defined(key: string, table: string, features: readonly string[], more: Partial<ViewInput> = {}) {
  const thing = defineEntity({ name: 'thing', joinKeys: [key] });
  const source = { table, timestampField: 'ts' };
  const given = features.map((name) => ({ name }));
  return [
    thing,
    defineFeatureView({ name: 'readings', online: true, entities: [thing], source, features: given, ...more }),
  ];
}

it('a new table, columns that come, widen and go, another name, and a table that is dropped for other join keys', async () => {
  const first = await moraine.apply(defined('k', 'shop.a', ['v']), { dryRun: true });
  const made = first.plannedTables[0]?.columns ?? [];
  expect(first.plannedTables).toEqual([{ table: TABLE, action: 'create', columns: made }]);
  expect(made).toContain('+ k: long');
  expect(made).toContain('+ v: int');
  expect(formatPlannedTables(first.plannedTables).split('\n').slice(0, 2)).toEqual([
    `+ online table ${TABLE}, by the first run or write`,
    `    ${made[0]}`,
  ]);
  expect((await moraine.apply(defined('k', 'shop.a', ['v']))).plannedTables).toEqual(first.plannedTables);
  await materializeDirect(await materializationDeps(moraine.project), { view: 'readings' });
  const { fields } = currentSchema((await moraine.project.loadTable(TABLE)).metadata);
  expect(fields.map(({ name }) => name)).toEqual(made.map((column) => /^\+ (.*): \w+$/.exec(column)?.[1]));
  expect((await moraine.apply(defined('k', 'shop.a', ['v']))).plannedTables).toEqual([]);

  const more = await moraine.apply(defined('k', 'shop.a', ['v', 'w']), { dryRun: true });
  expect(more.plannedTables).toEqual([{ table: TABLE, action: 'evolve', columns: ['+ w: double'] }]);
  const wider = await moraine.apply(defined('k', 'shop.wide', ['v']), { dryRun: true });
  expect(wider.plannedTables).toEqual([{ table: TABLE, action: 'evolve', columns: ['~ v: int -> long'] }]);
  const other = await moraine.apply(defined('k', 'shop.a', ['w']), { dryRun: true });
  expect(other.plannedTables).toEqual([{ table: TABLE, action: 'evolve', columns: ['- v: int', '+ w: double'] }]);
  const renamed = defined('k', 'shop.a', ['v', 'w'], { name: 'after', renamedFrom: 'readings' });
  expect((await moraine.apply(renamed, { dryRun: true })).plannedTables).toEqual([
    { table: 'moraine_online.after', action: 'evolve', columns: ['+ w: double'] },
  ]);
  const keyed = await moraine.apply(defined('other', 'shop.a', ['v']), { dryRun: true, prune: true });
  expect(keyed.droppedTables).toEqual([TABLE]);
  expect(keyed.plannedTables.map(({ action, columns }) => [action, columns.includes('+ other: string')])).toEqual([
    ['create', true],
  ]);
  const offline = await moraine.apply(defined('k', 'shop.a', ['v'], { online: false }), { dryRun: true });
  expect(offline.plannedTables).toEqual([]);
});
