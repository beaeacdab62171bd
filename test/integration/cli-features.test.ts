/** Training sets from the command line: where entity rows come from, at which state, and what is said of mistakes. */
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMoraine } from '../../index.js';
import { jsonLines, moraine, moraineOk } from '../support/cli.js';

let folder: string;
let firstSnapshot: bigint;
let firstTime: string;

const FEATURES_YAML = `
entities:
  - { name: airport, joinKeys: [origin] }
featureViews:
  - name: delays
    entities: [airport]
    source: { table: demo.delays, timestampField: event_ts, fieldMapping: { mean: mean_delay } }
    features: [mean_delay, { name: flights, type: long }]
  - name: gone
    entities: [airport]
    source: { table: demo.gone, timestampField: event_ts }
  - name: rain
    source: { table: demo.rain, timestampField: at }
featureServices:
  - name: route
    features:
      - { view: delays, alias: here, features: [mean_delay], joinKeyMap: { origin: from } }
      - { view: delays, alias: there, features: [mean_delay], joinKeyMap: { origin: to } }
      - rain
`;

beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'moraine-features-')));
  file(
    'moraine.yaml',
    'catalogs:\n  local: { uri: catalog.db, warehouse: warehouse }\nengine: { memoryLimit: 500MB, threads: 1 }\n',
  );
  file('features.yaml', FEATURES_YAML);
  file('delays.csv', 'origin,event_ts,mean,flights\nA,2001-01-01T00:00:00Z,1.5,10\nB,2001-01-01T00:00:00Z,2.5,20\n');
  file('more.csv', 'origin,event_ts,mean,flights\nA,2001-01-01T06:00:00Z,9.5,11\n');
  file('rain.csv', 'at,wet\n2001-01-01T03:00:00Z,true\n');
  await ok('table', 'append', 'demo.delays', 'delays.csv', '--create');
  await ok('table', 'append', 'demo.gone', 'delays.csv', '--create');
  await ok('table', 'append', 'demo.rain', 'rain.csv', '--create');
  await ok('apply', 'features.yaml');
  const library = await createMoraine({ cwd: folder });
  const { metadata } = await library.project.loadTable('demo.delays');
  firstSnapshot = metadata.currentSnapshotId ?? 0n;
  firstTime = new Date(Number(metadata.lastUpdatedMs)).toISOString();
  await (await library.project.catalog()).commitTable(
    { namespace: ['demo'], name: 'delays' },
    {
      requirements: [],
      updates: [{ action: 'set-snapshot-ref', refName: 'january', ref: { type: 'tag', snapshotId: firstSnapshot } }],
    },
  );
  await (await library.project.catalog()).dropTable({ namespace: ['demo'], name: 'gone' });
  await library.close();
  await ok('table', 'append', 'demo.delays', 'more.csv');
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return name;
}
const run = (...args: string[]) => moraine(args, { cwd: folder });
const ok = (...args: string[]) => moraineOk(args, { cwd: folder });
const historical = async (...args: string[]) => jsonLines(await ok('features', 'historical', ...args));

const NOON = { event_timestamp: '2001-01-01T12:00:00.000000Z' };
const frame = () => file('frame.csv', 'origin,event_timestamp\nA,2001-01-01T12:00:00Z\n');

describe('entity rows', () => {
  it('two aliases of a view with mapped join keys, and a view without entity, through a service in YAML', async () => {
    file('routes.csv', 'from,to,event_timestamp,label\nA,B,2001-01-01T12:00:00Z,x\nB,Q,2001-01-01T01:00:00Z,y\n');
    expect(await historical('--features', 'route', '--entities', 'routes.csv', '--full-names')).toEqual([
      { from: 'A', to: 'B', ...NOON, label: 'x', here__mean_delay: 9.5, there__mean_delay: 2.5, rain__wet: true },
      {
        from: 'B',
        to: 'Q',
        event_timestamp: '2001-01-01T01:00:00.000000Z',
        label: 'y',
        here__mean_delay: 2.5,
        there__mean_delay: null,
        rain__wet: null,
      },
    ]);
  });

  it('from a table, and from SQL over tables by their names or aliases', async () => {
    await ok('table', 'append', 'demo.flights', frame(), '--create');
    const expected = [{ origin: 'A', ...NOON, flights: 11 }];
    expect(await historical('--features', 'delays:flights', '--entities-table', 'demo.flights')).toEqual(expected);
    const sql = (text: string, ...more: string[]) =>
      historical('--features', 'delays:flights', '--entities-sql', text, ...more);
    expect(await sql('SELECT * FROM demo.flights')).toEqual(expected);
    expect(await sql('SELECT * FROM f -- all', '--table', 'f=local/demo.flights')).toEqual(expected);
    const refused = await run('features', 'historical', '--features', 'delays', '--entities-sql', `FROM '/etc/passwd'`);
    expect([refused.code, refused.stdout, refused.stderr]).toEqual([
      3,
      '',
      expect.stringContaining('[TABLE_NOT_FOUND]'),
    ]);
  });

  it('none: every feature row of a window, both ends included', async () => {
    const rows = await historical(
      '--features',
      'delays:flights',
      '--start',
      '2001-01-01',
      '--end',
      '2001-01-01T06:00:00Z',
    );
    expect(rows).toEqual([
      { origin: 'A', event_timestamp: '2001-01-01T00:00:00.000000Z', flights: 10 },
      { origin: 'B', event_timestamp: '2001-01-01T00:00:00.000000Z', flights: 20 },
      { origin: 'A', event_timestamp: '2001-01-01T06:00:00.000000Z', flights: 11 },
    ]);
  });
});

describe('the state of tables', () => {
  it('by snapshot, time and tag; what was read is told on standard error', async () => {
    const asked = ['--features', 'delays:flights', '--entities', frame()];
    const then = [{ origin: 'A', ...NOON, flights: 10 }];
    expect(await historical(...asked, '--snapshot', `demo.delays=${firstSnapshot}`)).toEqual(then);
    expect(await historical(...asked, '--as-of', firstTime)).toEqual(then);
    expect(await historical(...asked, '--ref', 'january')).toEqual(then);
    const { stdout, stderr } = await run('features', 'historical', ...asked, '--ref', 'january', '--json');
    expect(jsonLines(stdout)).toEqual(then);
    expect(JSON.parse(stderr)).toEqual({
      rows: 1,
      snapshots: { 'demo.delays': String(firstSnapshot) },
      entitySnapshots: {},
      views: { delays: expect.objectContaining({ files: 1, filesSkipped: 0 }) as object },
      storageTraffic: null,
    });
    for (const [state, code] of [
      [['--ref', 'june'], 'SNAPSHOT_NOT_FOUND'],
      [['--as-of', '1999-01-01'], 'SNAPSHOT_NOT_FOUND'],
      [['--snapshot', 'demo.delays=1'], 'SNAPSHOT_NOT_FOUND'],
      [['--snapshot', 'demo.delays'], 'INVALID_ARGUMENT'],
      [['--ref', 'january', '--as-of', firstTime], 'INVALID_ARGUMENT'],
    ] as const) {
      const refused = await run('features', 'historical', ...asked, ...state);
      expect([state, refused.stdout, refused.stderr]).toEqual([state, '', expect.stringContaining(`[${code}]`)]);
    }
  });
});

describe('saved datasets', () => {
  it('are computed again to the same digest after the table has changed; what would be read is explained', async () => {
    const asked = ['--features', 'delays:flights', '--entities', frame(), '--ref', 'january'];
    const explained = JSON.parse(await ok('features', 'historical', ...asked, '--explain', '--json')) as {
      views: Record<string, unknown>;
    };
    expect(explained.views['delays']).toMatchObject({ readPath: 'in place', files: 1, tiesDecidedByValue: 0 });
    expect(await ok('features', 'historical', ...asked, '--explain')).toContain('delays: demo.delays, snapshot');
    const save = [...asked, '--dataset', 'january', '--pin', '--json'];
    const saved = JSON.parse(await ok('features', 'historical', ...save, '--save-as', 'january.parquet')) as {
      digest: string;
    };
    expect(saved).toMatchObject({
      name: 'january',
      rows: '1',
      location: { file: join(folder, 'january.parquet') },
      tag: 'moraine-dataset-january',
      snapshots: { 'demo.delays': String(firstSnapshot) },
    });
    await ok('table', 'append', 'demo.delays', 'more.csv');
    expect(await ok('features', 'replay', 'january')).toBe(`january: 1 row, digest ${saved.digest}, as saved.\n`);
    expect(JSON.parse(await ok('features', 'datasets', '--json'))).toEqual([
      { ...saved, savedAt: expect.stringMatching(/^20\d\d-.*Z$/) as string },
    ]);
    await ok('features', 'historical', ...asked, '--save-as', 'demo.first');
    await ok('table', 'delete', 'demo.first', '--where', 'flights > 0');
    const replayed = await run('features', 'replay', 'first', '--json');
    const { digest: recorded } = saved;
    const asRecorded = { recorded, rows: '1', recomputed: recorded, recomputedRows: '1' };
    expect(JSON.parse(replayed.stdout)).toMatchObject({ ...asRecorded, storedRows: '0', differing: ['stored'] });
    expect([replayed.code, replayed.stderr]).toEqual([
      10,
      expect.stringContaining(
        `Dataset 'first' is not as it was saved. The rows stored now differ: 0 rows; 1 were saved. Computed again, it is as saved.`,
      ),
    ]);
    const again = await run('features', 'historical', ...save, '--save-as', 'demo.again');
    expect([again.code, again.stderr]).toEqual([4, expect.stringContaining('DATASET_ALREADY_EXISTS')]);
    const unknown = await run('features', 'replay', 'januar');
    expect([unknown.code, unknown.stderr]).toEqual([3, expect.stringContaining("Did you mean 'january'?")]);
  });
});

describe('pulling', () => {
  const columns = ['--keys', 'origin', '--features', 'flights', '--timestamp', 'event_ts'];
  it('the newest row of each entity, and all rows of a window', async () => {
    const latest = jsonLines(await ok('features', 'pull-latest', 'demo.delays', ...columns)) as { origin: string }[];
    expect(latest.sort((a, b) => (a.origin < b.origin ? -1 : 1))).toEqual([
      { origin: 'A', flights: 11, event_ts: '2001-01-01T06:00:00.000000Z' },
      { origin: 'B', flights: 20, event_ts: '2001-01-01T00:00:00.000000Z' },
    ]);
    const window = ['--start', '2001-01-01', '--end', '2001-01-01'];
    const sql = ['--sql', `SELECT * FROM d WHERE origin = 'A'`, '--table', 'd=demo.delays'];
    expect(jsonLines(await ok('features', 'pull-all', ...sql, ...columns, ...window))).toEqual([
      { origin: 'A', flights: 10, event_ts: '2001-01-01T00:00:00.000000Z' },
    ]);
    await ok('features', 'pull-all', 'demo.delays', ...columns, '--out', 'all.csv');
    expect(readFileSync(join(folder, 'all.csv'), 'utf8').split('\n').sort().at(-1)).toBe('origin,flights,event_ts');
    expect((await run('features', 'pull-all', ...columns)).stderr).toContain(
      'error: give a table or --sql [INVALID_ARGUMENT]',
    );
  });
});

describe('mistakes', () => {
  const say = async (...args: string[]) => {
    const out = join(folder, 'never.csv');
    const { code, stdout, stderr } = await run('features', 'historical', ...args, '--out', out);
    expect(stdout).toBe('');
    expect(() => readFileSync(out)).toThrow('ENOENT');
    return `${code} ${stderr.trim()}`;
  };
  const withFrame = (text: string, features = 'delays:flights') =>
    say('--features', features, '--entities', file('bad.csv', text));

  it('an entity frame without a timestamp, and with two', async () => {
    expect(await withFrame('origin,n\nA,1\n')).toMatch(
      /^3 error: The entity rows have no column 'event_timestamp', and of their columns none is a timestamp\. .*\[COLUMN_NOT_FOUND\]/,
    );
    expect(await withFrame('origin,t,u\nA,2001-01-01T00:00:00Z,2001-01-01T00:00:00Z\n')).toMatch(
      /^3 error: The entity rows have no column 'event_timestamp', and of their columns these are timestamps: 't', 'u'\..*\[COLUMN_NOT_FOUND\]/,
    );
  });

  it('a missing join key, and one of another type', async () => {
    expect(await withFrame('orign,event_timestamp\nA,2001-01-01T00:00:00Z\n')).toMatch(
      /^3 error: View 'delays' is joined on 'origin', which the entity rows do not have\. Did you mean 'orign'\? \[COLUMN_NOT_FOUND\]/,
    );
    const sql = 'SELECT 7 AS origin, event_ts AS event_timestamp FROM demo.delays';
    expect(await say('--features', 'delays', '--entities-sql', sql)).toMatch(
      /^2 error: Join key 'origin' is of type int in the entity rows, but string in view 'delays'\. \[TYPE_MISMATCH\]/,
    );
    expect(await withFrame('origin,event_timestamp\nA,soon\n')).toMatch(
      /^2 error: Column 'event_timestamp' of the entity rows is of type string, not a timestamp\. \[TYPE_MISMATCH\]/,
    );
  });

  it('a feature and a view that do not exist, with the nearest names', async () => {
    expect(await say('--features', 'delays:flihgts', '--entities', frame())).toMatch(
      /^3 error: Feature view 'delays' has no feature 'flihgts'\. Did you mean 'flights'\? \[FEATURE_NOT_FOUND\]/,
    );
    expect(await say('--features', 'delay:flights', '--entities', frame())).toMatch(
      /^3 error: There is no feature view 'delay'\. Did you mean 'delays'\? \[FEATURE_VIEW_NOT_FOUND\]/,
    );
  });

  it('a view whose table is gone', async () => {
    expect(await say('--features', 'gone', '--entities', frame())).toMatch(
      /^3 error: .*demo\.gone.*\[TABLE_NOT_FOUND\]/,
    );
  });

  it('a snapshot that has expired', async () => {
    file('more.csv', 'origin,event_ts,mean,flights\nA,2001-01-01T06:00:00Z,9.5,11\n');
    await ok('table', 'append', 'demo.old', 'more.csv', '--create');
    await ok('table', 'append', 'demo.old', 'more.csv');
    const library = await createMoraine({ cwd: folder });
    const { metadata } = await library.project.loadTable('demo.old');
    const [expired = 0n] = metadata.snapshots.map(({ snapshotId }) => snapshotId);
    const catalog = await library.project.catalog();
    await catalog.commitTable(
      { namespace: ['demo'], name: 'old' },
      { requirements: [], updates: [{ action: 'remove-snapshots', snapshotIds: [expired] }] },
    );
    await library.close();
    const refused = await run(
      'features',
      'pull-all',
      'demo.old',
      '--timestamp',
      'event_ts',
      '--snapshot',
      `demo.old=${expired}`,
    );
    expect([refused.code, refused.stderr]).toEqual([
      3,
      expect.stringMatching(
        /^error: Table demo\.old: Snapshot \d+ has been expired from the table\. \[SNAPSHOT_EXPIRED\]/,
      ),
    ]);
  });

  it('no entity rows, or several kinds of them', async () => {
    expect(await say('--features', 'delays')).toMatch(/^2 error: give one of --entities, .* \[INVALID_ARGUMENT\]/);
    expect(await say('--features', 'delays', '--entities', frame(), '--start', '2001-01-01')).toMatch(
      /^2 error: give one of/,
    );
    expect(await say('--features', 'delays', '--entities', frame(), '--table', 'a=demo.delays')).toMatch(
      /^2 error: --table goes with SQL/,
    );
  });
});
