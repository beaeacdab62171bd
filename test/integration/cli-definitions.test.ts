/** Definitions and features through the command line: renames, `--known-as-of`, keys as text, and what `apply` refuses. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { materializeDirect } from '../../materialization/index.js';
import { materializationDeps, openProject } from '../../project/index.js';
import { jsonLines, moraine, moraineOk } from '../support/cli.js';
import { temporaryFolder } from '../support/temp-folder.js';

// Each command is a process of its own.
vi.setConfig({ testTimeout: 180_000 });

/** A project with some files. */
function projectWith(files: Readonly<Record<string, string>>) {
  const folder = temporaryFolder();
  for (const [name, text] of Object.entries({ 'moraine.yaml': '', ...files })) writeFileSync(join(folder, name), text);
  return {
    folder,
    write: (name: string, text: string): void => writeFileSync(join(folder, name), text),
    run: (...args: string[]) => moraine(args, { cwd: folder }),
    ok: (...args: string[]) => moraineOk(args, { cwd: folder }),
  };
}

/** The run without Temporal: these tests are about what is asked for and read. */
async function materialize(folder: string, view: string): Promise<void> {
  const project = await openProject({ cwd: folder });
  try {
    await materializeDirect(await materializationDeps(project), { view });
  } finally {
    await project.close();
  }
}

const ROWS = `k,event_ts,created,v
1,2001-01-01T10:00:00Z,2001-01-01T10:00:00Z,1
1,2001-01-01T11:00:00Z,2001-01-01T13:00:00Z,2
1,2001-01-01T11:00:00Z,2001-01-01T14:00:00Z,3
1,2001-01-01T11:30:00Z,,4
`;

const definitions = (view: string, service: string, more = ''): string => `
entities: [{ name: thing, joinKeys: [k] }]
featureViews:
  - name: ${view}
    entities: [thing]
    source: { table: t.rows, timestampField: event_ts, createdTimestampField: created }
    online: true
    features: [v]
${more}
featureServices: [{ name: all, features: [${service}] }]
`;

const ENTITIES = `k,event_timestamp
1,2001-01-01T11:29:59.999999Z
1,2001-01-01T12:59:59.999999Z
1,2001-01-01T13:00:00Z
1,2001-01-01T13:59:59.999999Z
1,2001-01-01T14:00:00Z
1,2001-01-01T09:59:59Z
`;

describe('features historical', () => {
  it('reads with --known-as-of only what had been created by then', async () => {
    const { folder, ok, run, write } = projectWith({
      'rows.csv': ROWS,
      'definitions.yaml': definitions('view', 'view'),
      'entities.csv': ENTITIES,
    });
    await ok('table', 'append', 't.rows', 'rows.csv', '--create');
    await ok('apply', 'definitions.yaml');
    const values = async (...options: string[]): Promise<unknown[]> => {
      const ask = ['features', 'historical', '--features', 'view:v', '--entities', 'entities.csv', ...options];
      return jsonLines(await ok(...ask)).map((row) => (row as { v: unknown }).v);
    };
    // The newest row, whenever it was created; of two at 11:00 the one that was created last.
    expect(await values()).toEqual([3, 4, 4, 4, 4, null]);
    // Created at the very time counts; a row that does not say when it was created is not known.
    expect(await values('--known-as-of')).toEqual([1, 1, 2, 2, 3, null]);

    const training = ['features', 'historical', '--features', 'view:v', '--entities', 'entities.csv', '--out'];
    await ok(...training, 'training.parquet');
    expect(readFileSync(join(folder, 'training.parquet')).subarray(0, 4).toString()).toBe('PAR1');
    // The format that is asked for counts more than the file's name.
    await ok(...training, 'named.parquet', '--format', 'csv');
    expect(readFileSync(join(folder, 'named.parquet'), 'utf8').split('\n').slice(0, 2)).toEqual([
      'k,event_timestamp,v',
      '1,2001-01-01T11:29:59.999999Z,3',
    ]);

    write('plain.yaml', definitions('plain', 'plain').replace(', createdTimestampField: created', ''));
    await ok('apply', 'plain.yaml');
    const ask = ['features', 'historical', '--features', 'plain:v', '--entities', 'entities.csv', '--known-as-of'];
    const { code, stdout, stderr } = await run(...ask);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain('Give it source.createdTimestampField, or ask without knownAsOf.');
  });
});

describe('apply', () => {
  it('names the views that it redefines and materializes them if asked to; until then they are not read', async () => {
    const { ok, run, write, folder } = projectWith({
      'rows.csv': ROWS,
      'others.csv': 'k,event_ts,created,v\n1,2001-01-01T10:00:00Z,2001-01-01T10:00:00Z,50\n',
      'definitions.yaml': definitions('view', 'view'),
    });
    await ok('table', 'append', 't.rows', 'rows.csv', '--create');
    await ok('table', 'append', 't.others', 'others.csv', '--create');
    await ok('apply', 'definitions.yaml');
    await materialize(folder, 'view');
    const get = ['online', 'get', 'view', '--entity', 'k=1'];

    write('definitions.yaml', definitions('view', 'view').replace('t.rows', 't.others'));
    const change = 'the source table was t.rows and is t.others';
    const applied = await run('apply', 'definitions.yaml');
    expect(applied.stdout).toBe(
      '~ feature view view\n    source.table: "t.rows" -> "t.others"\n  2 unchanged\n' +
        `! feature view view must be materialized\n    ${change}\nApplied.\n`,
    );
    expect(applied.stderr).toContain('Run `moraine materialize view`, or `moraine apply --materialize`.');
    const refused = await run(...get);
    expect([refused.code, refused.stdout]).toEqual([4, '']);
    expect(refused.stderr).toContain(change);
    expect(refused.stderr).toContain('Run `moraine materialize view`.');

    expect(JSON.parse(await ok('apply', 'definitions.yaml', '--materialize', '--json'))).toMatchObject({
      redefinedViews: [{ view: 'view', changes: [change] }],
      materializations: [{ view: 'view', kind: 'full' }],
    });
    expect(JSON.parse(await ok(...get, '--json'))).toMatchObject({ results: [{ features: { v: { value: 50 } } }] });

    const allColumns = definitions('view', '"view:velocity"')
      .replace('t.rows', 't.others')
      .replace('created }', 'created, fieldMapping: { v: velocity } }')
      .replace('features: [v]', '');
    write('definitions.yaml', allColumns);
    const [was, added] = ["the column of feature 'v' was v and is none", "feature 'velocity' was added"];
    const mapped = JSON.parse(await ok('apply', 'definitions.yaml', '--json')) as { redefinedViews: unknown };
    expect(mapped.redefinedViews).toEqual([{ view: 'view', changes: [was, added] }]);
    const service = await run('online', 'get', 'all', '--entity', 'k=1');
    expect([service.code, service.stdout]).toEqual([4, '']);
    expect(service.stderr).toContain(
      `materialized: ${added}. Run \`moraine materialize view\`. [MATERIALIZATION_REQUIRED]`,
    );
  });

  it('renames a view: its features answer under the new name, online, too', async () => {
    const { ok, run, write } = projectWith({
      'rows.csv': ROWS,
      'definitions.yaml': definitions('before', 'before'),
      'entities.csv': ENTITIES,
    });
    await ok('table', 'append', 't.rows', 'rows.csv', '--create');
    await ok('apply', 'definitions.yaml');
    await ok('materialize', 'before');
    const online = async (view: string): Promise<unknown> => {
      const printed = await ok('online', 'get', view, '--entity', 'k=1', '--json');
      return (JSON.parse(printed) as { results: { features: unknown }[] }).results[0]?.features;
    };
    const answer = { v: { value: 4, status: 'PRESENT', eventTimestamp: '2001-01-01T11:30:00.000Z' } };
    expect(await online('before')).toEqual(answer);
    const ask = ['features', 'historical', '--entities', 'entities.csv', '--features'];
    const training = await ok(...ask, 'before:v');

    // The service still names the view as it was.
    write('after.yaml', definitions('after', 'before', '    renamedFrom: before'));
    const refused = await run('apply', 'after.yaml');
    expect([refused.code, refused.stdout]).toEqual([2, '']);
    expect(refused.stderr).toContain("featureServices.all.features.before: There is no feature view 'before'.");

    write('after.yaml', definitions('after', 'after', '    renamedFrom: before'));
    expect(await ok('apply', 'after.yaml')).toBe(
      '~ feature view after (renamed from before)\n    name: "before" -> "after"\n' +
        '~ feature service all\n    features: [{"view":"before"}] -> [{"view":"after"}]\n  1 unchanged\nApplied.\n' +
        'The online table moraine_online.before is moraine_online.after now.\n',
    );
    expect(await online('after')).toEqual(answer);
    expect(await ok('apply', 'after.yaml')).toBe('Nothing to change: all 3 definitions are registered as they are.\n');

    expect(await ok(...ask, 'after:v')).toBe(training);
    expect(await ok(...ask, 'all')).toBe(training);
    const gone = await run(...ask, 'before:v');
    expect([gone.code, gone.stdout]).toEqual([3, '']);
    expect(gone.stderr).toContain("There is no feature view 'before'. There are 'after'.");

    expect(JSON.parse(await ok('materialize', 'after', '--json'))).toMatchObject({ view: 'after', kind: 'nothing' });
  });

  it('refuses what an online table cannot store, all of it at once and with what else is wrong', async () => {
    const field = (id: number, name: string, type: unknown) => ({ id, name, type, required: false });
    const list = { type: 'list', 'element-id': 10, element: 'fixed[2]', 'element-required': false };
    const fields = [
      field(1, 'k', 'fixed[4]'),
      field(2, 'event_ts', 'timestamptz'),
      field(3, 'f', 'fixed[16]'),
      field(4, 'l', list),
      field(5, '_pushed', 'boolean'),
      field(6, 'v', 'double'),
    ];
    const view = (name: string, rest: string): string =>
      `  - { name: ${name}, entities: [thing], source: { table: t.bytes, timestampField: event_ts }, ${rest} }\n`;
    const head = 'entities: [{ name: thing, joinKeys: [k] }]\nfeatureViews:\n';
    const { ok, run, write } = projectWith({
      'schema.json': JSON.stringify({ type: 'struct', 'schema-id': 0, fields }),
      'bad.yaml': `${head}${view('a', 'online: true, features: [f, l, _pushed]')}${view('b', 'online: true, features: [w]')}`,
    });
    await ok('table', 'create', 't.bytes', '--schema', 'schema.json');
    const refused = await run('apply', 'bad.yaml');
    expect([refused.code, refused.stdout]).toEqual([2, '']);
    const remedy = 'make it a binary column, or copy the rows with another engine; or set online: false.';
    const cannot = 'which cannot be written to the online table';
    const key = `Column 'k' of t.bytes is of type fixed[4], ${cannot}: ${remedy}`;
    expect(refused.stderr.split('\n').filter((line) => line.includes('  - '))).toEqual(
      [
        `featureViews.a.entities: ${key}`,
        `featureViews.a.features.f: Column 'f' of t.bytes is of type fixed[16], ${cannot}: ${remedy}`,
        `featureViews.a.features.l: Column 'l' of t.bytes is of type list<fixed[2]>, ${cannot}: ${remedy}`,
        "featureViews.a.features._pushed: '_pushed' is a column that every online table has; give the column another name with fieldMapping.",
        "featureViews.b.features.w: Table t.bytes has no column 'w'.",
        `featureViews.b.entities: ${key}`,
      ].map((line) => expect.stringContaining(line) as string),
    );
    expect(refused.stderr).toContain('[DEFINITION_INVALID]');
    // Nothing was registered.
    expect((await run('materialize', 'a')).code).toBe(3);

    // Retrieval writes no table, so a view that is not online may have them.
    write('offline.yaml', `${head}${view('a', 'features: [f, l, _pushed]')}`);
    expect(await ok('apply', 'offline.yaml')).toContain('Applied.\n');
  });
});

describe('online get', () => {
  it('takes a key as the text that it is: leading zeros, commas, quotes', async () => {
    const names = ['007', '7', '1e3', 'a,b', 'say "hi"', 'k=v', ' x ', '', 'true', 'null'];
    const rows = names.flatMap((name, index) => [
      { name, n: 7, event_ts: '2001-01-01T00:00:00Z', v: index },
      { name, n: 8, event_ts: '2001-01-01T00:00:00Z', v: 100 + index },
    ]);
    const view = (name: string, entities: string): string =>
      `  - { name: ${name}, entities: [${entities}], source: { table: t.names, timestampField: event_ts }, online: true, features: [v] }\n`;
    const fields = Object.entries({ name: 'string', n: 'long', event_ts: 'timestamptz', v: 'int' }).map(
      ([name, type], index) => ({ id: index + 1, name, type, required: false }),
    );
    const { folder, ok, run } = projectWith({
      'schema.json': JSON.stringify({ type: 'struct', 'schema-id': 0, fields }),
      'rows.jsonl': rows.map((row) => `${JSON.stringify(row)}\n`).join(''),
      'newer.csv': 'name,n,v,event_timestamp\n007,7,70,2001-01-02\nnew,7,71,2001-01-02T00:00:00+01:00\n',
      'definitions.yaml':
        'entities: [{ name: name, joinKeys: [name] }, { name: number, joinKeys: [n] }]\nfeatureViews:\n' +
        view('by_both', 'name, number'),
    });
    await ok('table', 'create', 't.names', '--schema', 'schema.json');
    await ok('table', 'append', 't.names', 'rows.jsonl');
    await ok('apply', 'definitions.yaml');
    await materialize(folder, 'by_both');

    const get = async (...entities: string[]): Promise<unknown[]> => {
      const options = entities.flatMap((entity) => ['--entity', entity]);
      const printed = await ok('online', 'get', 'by_both', ...options, '--json');
      const { results } = JSON.parse(printed) as {
        results: { entity: unknown; features: { v: { value: unknown } } }[];
      };
      return results.map(({ entity, features }) => [entity, features.v.value]);
    };
    const written = ['007', '7', '1e3', '"a,b"', '"say ""hi"""', 'k=v', ' x ', '', 'true', 'null'];
    expect(
      await get(...written.map((text) => `name=${text},n=7`), ...written.map((text) => `n=8,name=${text}`)),
    ).toEqual([
      ...names.map((name, index) => [{ name, n: '7' }, index]),
      ...names.map((name, index) => [{ n: '8', name }, 100 + index]),
    ]);
    // A number may be written in several ways, but has to be one.
    expect(await get('name=007,n=007', 'name=007,n=+8', 'name=07,n=7', 'name="007",n="7"')).toEqual([
      [{ name: '007', n: '007' }, 0],
      [{ name: '007', n: '+8' }, 100],
      [{ name: '07', n: '7' }, null],
      [{ name: '007', n: '7' }, 0],
    ]);
    const writeFile = ['online', 'write', 'by_both', 'newer.csv', '--key', 'first'];
    const { snapshotId, ...outcome } = JSON.parse(await ok(...writeFile, '--json')) as Record<string, unknown>;
    expect(outcome).toMatchObject({ view: 'by_both', outcome: 'committed', rows: 2 });
    expect(await ok(...writeFile)).toBe(`by_both: written before under this key, snapshot ${String(snapshotId)}.\n`);
    expect(await get('name=007,n=7', 'name=new,n=7', 'name=7,n=7')).toEqual([
      [{ name: '007', n: '7' }, 70],
      [{ name: 'new', n: '7' }, 71],
      [{ name: '7', n: '7' }, 1],
    ]);
    const refused = await run('online', 'write', 'by_bot', 'newer.csv');
    expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining('[FEATURE_VIEW_NOT_FOUND]')]);

    for (const [entity, code] of [
      ['name=a,n=7.0', 'TYPE_MISMATCH'],
      ['name=a,n=', 'TYPE_MISMATCH'],
      ['name=a,n=9223372036854775808', 'TYPE_MISMATCH'],
      ['name=a,b,n=7', 'INVALID_ARGUMENT'],
      ['name="a,n=7', 'INVALID_ARGUMENT'],
      ['name=a', 'INVALID_ARGUMENT'],
    ] as const) {
      const { stdout, stderr } = await run('online', 'get', 'by_both', '--entity', entity);
      expect([entity, stdout, /\[([A-Z_]+)\]/.exec(stderr)?.[1]]).toEqual([entity, '', code]);
    }
  });
});
