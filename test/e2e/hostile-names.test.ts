/**
 * Names that a quoting mistake, a case-insensitive engine, a glob or a JavaScript object would change, all the way from
 * a source table to online and historical features.
 */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createMoraine, type Moraine, parseSchema } from '../../index.js';
import { materializeDirect } from '../../materialization/index.js';
import { materializationDeps } from '../../project/index.js';
import { commitAppend } from '../../tables/index.js';
import { moraineOk } from '../support/cli.js';
import { writeRows } from '../support/table-world.js';

const FEATURES = [
  'quote"d',
  'new\nline',
  '__proto__',
  'x*?[',
  "it's",
  'Value',
  'VALUE',
  'constructor',
  'c1',
  'event_ts ',
];
const TABLE = '"de mo"."t*?[a].b""\'c"';

let folder: string;
let moraine: Moraine;
beforeEach(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-host[il*e? ')));
  writeFileSync(join(folder, 'moraine.yaml'), '');
  moraine = await createMoraine({ cwd: folder, fileFolders: [folder] });
});
afterEach(async () => {
  await moraine.close();
  rmSync(folder, { recursive: true });
});

/** The value of a feature in a version of an entity. */
const valueOf = (feature: number, entity: number, version: number): string => `v${feature}/${entity}/${version} '"\n`;

/** Two versions of three entities, whose keys are told apart by all three columns. */
const KEYS = [
  { 'a.b': 1, ID: 'x', id: 'y' },
  { 'a.b': 1, ID: 'y', id: 'x' },
  { 'a.b': 2, ID: "x'--", id: '' },
];
const TIMES = ['2001-01-01T00:00:00Z', '2001-01-02T00:00:00Z'];

/** An object literal would lose `__proto__`. */
function line(members: readonly (readonly [string, unknown])[]): string {
  return `{${members.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(',')}}`;
}

async function fill(): Promise<void> {
  const columns = [
    ['a.b', 'long'],
    ['ID', 'string'],
    ['id', 'string'],
    ['event ts', 'timestamptz'],
    ...FEATURES.map((name) => [name, 'string']),
  ];
  const fields = columns.map(([name, type], index) => ({ id: index + 1, name, type, required: false }));
  const schema = parseSchema({ type: 'struct', 'schema-id': 0, fields } as Parameters<typeof parseSchema>[0]);
  await moraine.createTable(TABLE, { schema, partition: 'bucket[2]("a.b"), "ID"' });
  const text = (value: unknown): string => `'${String(value).replaceAll("'", "''")}'`;
  const rows = TIMES.flatMap((time, version) =>
    KEYS.map((key, entity) => {
      const values = FEATURES.map((_, feature) => text(valueOf(feature, entity, version)));
      return `SELECT ${[key['a.b'], text(key.ID), text(key.id), `TIMESTAMPTZ '${time}'`, ...values].join(', ')}`;
    }),
  );
  const table = await moraine.project.loadTable(TABLE);
  const files = await writeRows(await moraine.project.engine(), table, rows.join(' UNION ALL '));
  await commitAppend(table, { files });
}

it('are the same in the table, in definitions, online and in training sets', async () => {
  await fill();
  const result = await moraine.apply({
    entities: [{ name: 'thing', joinKeys: ['a.b', 'ID', 'id'] }],
    featureViews: [
      {
        name: 'view',
        entities: ['thing'],
        source: { table: TABLE, timestampField: 'event ts', fieldMapping: { 'x*?[': 'mapped "x"' } },
        online: true,
      },
    ],
  });
  expect(result.plan.changes.map(({ name, action }) => [name, action])).toEqual([
    ['thing', 'create'],
    ['view', 'create'],
  ]);
  await materializeDirect(await materializationDeps(moraine.project), { view: 'view' });

  const names = FEATURES.map((name) => (name === 'x*?[' ? 'mapped "x"' : name));
  const online = await moraine.getOnlineFeatures({
    view: 'view',
    entities: [...KEYS, { 'a.b': 2, ID: 'x', id: 'y' }],
  });
  expect(online.features.map(({ name }) => name)).toEqual(names);
  const values = (version: number) =>
    KEYS.map((_, entity) => names.map((_name, feature) => valueOf(feature, entity, version)));
  expect(online.rows.map((row) => row.map(({ value }) => value))).toEqual([...values(1), names.map(() => null)]);

  const entities = KEYS.flatMap((key) =>
    ['2001-01-01T12:00:00Z', '2001-01-02T12:00:00Z'].map((time) => ({ ...key, event_timestamp: time })),
  );
  const { table } = await moraine.getHistoricalFeatures({ features: ['view'], entities });
  expect(table.schema.fields.map(({ name }) => name)).toEqual(['a.b', 'ID', 'id', 'event_timestamp', ...names]);
  const read = Array.from({ length: table.numRows }, (_, row) =>
    names.map((_name, feature) => table.getChildAt(feature + 4)?.get(row) as unknown),
  );
  expect(read).toEqual(KEYS.flatMap((_, entity) => [values(0)[entity], values(1)[entity]]));

  // The commands take the same names.
  const scan = [
    'table',
    'scan',
    TABLE,
    '--columns',
    'ID,"new\nline",__proto__',
    '--where',
    `"a.b" = 2 AND "__proto__" LIKE 'v2/2/1%'`,
  ];
  expect(await moraineOk(scan, { cwd: folder })).toBe(
    `${line([
      ['ID', "x'--"],
      ['new\nline', valueOf(1, 2, 1)],
      ['__proto__', valueOf(2, 2, 1)],
    ])}\n`,
  );
  const get = ['online', 'get', 'view', '--entity', 'a.b=1,ID=y,id=x', '--json'];
  const answer = JSON.parse(await moraineOk(get, { cwd: folder })) as unknown;
  expect(JSON.stringify(answer)).toContain(JSON.stringify(valueOf(0, 1, 1)));
});
