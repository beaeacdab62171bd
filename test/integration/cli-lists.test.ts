/** `table list`, `view list|show`, `service list` and `entity list` through the command. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { jsonLines, moraine, moraineOk } from '../support/cli.js';
import { temporaryFolder } from '../support/temp-folder.js';

// Each command is a process of its own.
vi.setConfig({ testTimeout: 180_000 });

const ROWS = Array.from({ length: 1200 }, (_, i) => `${i},2026-01-01T00:00:00Z,${i * 10}\n`);
const DEFINITIONS = `
entities: [{ name: thing, joinKeys: [k], description: A thing. }]
featureViews:
  - name: readings
    description: What was read.
    entities: [thing]
    source: { table: t.rows, timestampField: ts }
    ttl: 7d
    online: true
    features: [{ name: v, type: long }]
  - { name: all_columns, entities: [thing], source: { table: t.rows, timestampField: ts } }
featureServices: [{ name: model, features: [readings:v, all_columns] }]
`;

/** Lines without the times of commits, which differ. */
const withoutTimes = (text: string): string => text.replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME');

it('tables and definitions are listed for people and as JSON', async () => {
  const folder = temporaryFolder();
  const ok = (...args: string[]): Promise<string> => moraineOk(args, { cwd: folder });
  writeFileSync(join(folder, 'moraine.yaml'), '');
  writeFileSync(join(folder, 'definitions.yaml'), DEFINITIONS);
  writeFileSync(join(folder, 'rows.csv'), `k,ts,v\n${ROWS.join('')}`);
  const groups = [
    ['table', 'There are no tables.\n'],
    ['view', 'There are no feature views. `moraine apply` registers definitions.\n'],
    ['service', 'There are no feature services. `moraine apply` registers definitions.\n'],
    ['entity', 'There are no entities. `moraine apply` registers definitions.\n'],
  ] as const;
  for (const [group, none] of groups) expect(await ok(group, 'list')).toBe(none);

  await ok('table', 'append', 't.rows', 'rows.csv', '--create');
  await ok('apply', 'definitions.yaml');

  const tables = jsonLines(await ok('table', 'list', '--json'));
  const shown = JSON.parse(await ok('table', 'show', 't.rows', '--json')) as {
    readonly currentSnapshot: { readonly snapshotId: string; readonly timestamp: string; readonly summary: object };
  };
  const { snapshotId, timestamp, summary } = shown.currentSnapshot;
  const sizeBytes = (summary as Record<string, string>)['total-files-size'] ?? '';
  expect(tables[1]).toEqual({
    name: 't.rows',
    kind: 'table',
    catalog: 'local',
    formatVersion: 2,
    snapshotId,
    committedAt: timestamp,
    rows: '1200',
    dataFiles: '1',
    deleteFiles: '0',
    sizeBytes,
    problem: null,
  });
  const [heading, registry, rows] = withoutTimes(await ok('table', 'list')).split('\n');
  expect(heading).toMatch(/^table +rows +files +size +format +last commit$/);
  expect(registry).toMatch(/^moraine\.registry +4 +1 +[\d.]+ kB +v2 +TIME$/);
  expect(rows).toMatch(/^t\.rows +1,200 +1 +[\d.]+ kB +v2 +TIME$/);
  // Numbers end where their heading ends.
  expect(rows?.indexOf('1,200')).toBe((heading?.indexOf('rows') ?? 0) - 1);

  expect(await ok('view', 'list')).toBe(
    `view         entities  source  features  online  ttl  schedule  description
all_columns  thing     t.rows       all  no      -    -
readings     thing     t.rows         1  yes     1w   -         What was read.
`,
  );
  expect(jsonLines(await ok('view', 'list', '--json'))).toMatchObject([
    { name: 'all_columns', online: false },
    { name: 'readings', ttl: '1w', features: [{ name: 'v', type: 'long' }] },
  ]);
  expect(await ok('service', 'list')).toBe(
    'service  features                description\nmodel    readings:v all_columns\n',
  );
  expect(await ok('entity', 'list')).toBe(
    'entity  join keys  views  description\nthing   k              2  A thing.\n',
  );

  expect(await ok('view', 'show', 'readings')).toBe(`view          readings
description   What was read.
entities      thing (k)
source        t.rows, event time ts
ttl           1w
schedule      -
online        yes
online table  none yet: run \`moraine materialize readings\`

feature  type
v        long
`);
  expect(JSON.parse(await ok('view', 'show', 'readings', '--json'))).toMatchObject({
    name: 'readings',
    source: { table: 't.rows', timestampField: 'ts' },
    sourceSnapshotId: snapshotId,
    sourceProblem: null,
    onlineTable: null,
  });
  expect(await moraine(['view', 'show', 'reading'], { cwd: folder })).toMatchObject({
    code: 3,
    stderr: expect.stringContaining("There is no feature view 'reading'. Did you mean 'readings'?") as string,
  });

  const estimated = JSON.parse(await ok('estimate', 'readings', '--json')) as { readonly reads: object };
  expect(estimated).toMatchObject({
    kind: 'materialization',
    name: 'readings',
    run: { kind: 'incremental' },
    reads: { files: 1, rows: 1200, fileBytes: Number(sizeBytes), deleteFiles: 0 },
    // Each row is an entity of its own, as the bounds of the keys say; 1 - 1/e of them is what random rows would hit.
    cost: { rows: 759, dataFiles: 16, shards: 1, requests: 0 },
    engine: { choice: 'duckdb', trinoAboveBytes: 2 ** 40 },
    trino: { queries: 1, timesMeasured: 0.00012 },
  });
  expect(await ok('estimate', 'readings', '--rows', '5000', '--shards', '2')).toMatch(
    /^retrieval {2}readings\nreads +1 file, [\d.]+ kB, 1,200 rows\nwrites +5,000 rows in 2 files\nCPU +.*\nbytes +.* read, .* written\nrequests +none to an object store; \d+ catalog calls\nshards +2, each with .* of memory\nengine +duckdb: \d+ bytes after pruning are within engine\.trinoAbove \(1099511627776 bytes\)\non Trino +roughly \d+\.\d s of CPU, that of Trino included\n$/,
  );
  expect(await moraine(['estimate', 'reading'], { cwd: folder })).toMatchObject({
    code: 3,
    stderr: expect.stringContaining("There is no feature view 'reading'. Did you mean 'readings'?") as string,
  });

  // A damaged table does not hide the others.
  rmSync(join(folder, 'warehouse', 't'), { recursive: true });
  const damaged = await moraine(['table', 'list'], { cwd: folder });
  expect(damaged).toMatchObject({ code: 0 });
  expect(damaged.stdout).toMatch(/^t\.rows +- +- +- +- +-$/m);
  expect(damaged.stderr).toContain('warning: table t.rows cannot be read: ');
});

it('a catalog that does not answer is named, and the tables of the others are listed', async () => {
  const cwd = temporaryFolder();
  const catalogs = {
    silent: { type: 'rest', uri: 'http://127.0.0.1:1' },
    local: { uri: 'local.db', warehouse: 'warehouse' },
    damaged: { uri: 'damaged.db', warehouse: 'warehouse' },
  };
  const config = { catalog: 'local', catalogs, storage: { roots: ['warehouse'] } };
  writeFileSync(join(cwd, 'moraine.yaml'), JSON.stringify(config));
  writeFileSync(join(cwd, 'damaged.db'), 'not a database');
  writeFileSync(join(cwd, 'rows.csv'), 'n\n1\n');
  await moraineOk(['table', 'append', 't.rows', 'rows.csv', '--create'], { cwd });
  const { code, stdout, stderr } = await moraine(['table', 'list'], { cwd });
  expect(stdout).toMatch(/^t\.rows +1 /m);
  expect(stderr).toMatch(
    /2 of 3 catalogs could not be listed:\n\s*silent: .*127\.0\.0\.1:1.*\n\s*damaged: .*damaged\.db/,
  );
  expect(code).toBe(8);
  const asJson = await moraine(['table', 'list', '--json'], { cwd });
  expect(jsonLines(asJson.stdout)).toMatchObject([{ name: 't.rows', rows: '1' }]);
  expect(JSON.parse(asJson.stderr)).toMatchObject({
    error: { code: 'CATALOG_UNAVAILABLE', details: { catalogs: ['silent', 'damaged'] } },
  });
  expect(asJson.code).toBe(8);
});
