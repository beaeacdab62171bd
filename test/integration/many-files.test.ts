/** Maintenance of a table with thousands of snapshots and ten times as many files: a dry run in a small heap says what would go, and then it goes. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { maintenanceDeps, openProject } from '../../project/index.js';
import { jsonLines, moraineOk } from '../support/cli.js';
import { makeLargeTable } from '../support/large-table.js';
import { maintainOnce } from '../support/maintain-once.js';
import { projectRoot } from '../support/paths.js';
import { openTableWorld, schemaOf } from '../support/table-world.js';

/** Ten files for each snapshot: a list, a manifest, its data files, orphans. 100,000 in the nightly form. */
const SNAPSHOTS = Number(process.env.MORAINE_MAINTAINED_SNAPSHOTS ?? 3_000);
const SIZE = { snapshots: SNAPSHOTS, filesPerSnapshot: 4, manifestsPerSnapshot: 20, orphans: SNAPSHOTS * 4 };
const KEPT = SNAPSHOTS / 10;
/** Snapshots that only expired ones have: those that stay list the manifests of some before them. */
const GONE = SIZE.snapshots - KEPT - SIZE.manifestsPerSnapshot + 1;
const EXPIRED_FILES = SIZE.snapshots - KEPT + GONE * (1 + SIZE.filesPerSnapshot);
const ALL_FILES = SIZE.snapshots * (2 + SIZE.filesPerSnapshot) + SIZE.orphans;
/** With the metadata file of the table that it is made from. */
const ORPHANS = SIZE.orphans + 1;
const HEAP_MB = 160;
/** Of the whole process, most of which is not the heap of JavaScript. */
const PEAK_MB = 400;

interface Line {
  readonly path: string;
  readonly action: 'keep' | 'delete';
  readonly reason: string;
}

test(`${10 * SNAPSHOTS} files and ${SNAPSHOTS} snapshots`, { timeout: 600_000 }, async () => {
  const world = await openTableWorld();
  writeFileSync(join(world.folder, 'moraine.yaml'), 'catalogs:\n  local: { uri: catalog.db, warehouse: warehouse }\n');
  const empty = await world.create('empty', schemaOf({ id: 'long' }));
  await makeLargeTable(world.catalog, empty, 'many', SIZE);
  await world.catalog.dropTable({ namespace: ['demo'], name: 'empty' });
  const { location } = empty.metadata;
  const peakFile = join(world.folder, 'peak');
  const preload = pathToFileURL(join(projectRoot, 'test/support/peak-memory.mjs')).href;
  const env = { NODE_OPTIONS: `--max-old-space-size=${HEAP_MB} --import=${preload}`, MORAINE_TEST_PEAK_FILE: peakFile };
  const args = ['--older-than', '0s', '--retain-last', String(KEPT), '--dry-run', '--json'];
  const young = ['--orphans-older-than', '0s', '--allow-young'];
  const text = await moraineOk(['maintain', 'demo.many', ...args, ...young], { cwd: world.folder, env });
  expect(Number(readFileSync(peakFile, 'utf8')) / 1024).toBeLessThan(PEAK_MB);

  const lines = jsonLines(text) as readonly Line[];
  const toGo = lines.filter(({ action }) => action === 'delete');
  const count = (start: string) => toGo.filter(({ reason }) => reason.startsWith(start)).length;
  expect([count('only expired'), count('nothing reaches')]).toEqual([EXPIRED_FILES, ORPHANS]);
  expect(new Set(lines.map(({ path }) => path)).size).toBe(lines.length);
  expect(lines.length).toBeGreaterThan(ALL_FILES);

  const project = await openProject({ cwd: world.folder });
  onTestFinished(() => project.close());
  const expiry = { olderThanMs: 0n, retainLast: KEPT };
  const maintained = await maintainOnce(maintenanceDeps(project), 'demo.many', {
    expiry,
    orphans: { olderThanMs: 0n, allowYoung: true },
  });
  expect(maintained).toMatchObject({ expiredFiles: EXPIRED_FILES, orphans: ORPHANS });
  const left = new Set(readdirSync(join(location, 'data')));
  const live = Array.from({ length: SIZE.snapshots - GONE }, (_, at) => GONE + 1 + at);
  expect(left).toEqual(new Set(live.flatMap((id) => [0, 1, 2, 3].map((n) => `${id}-${n}.parquet`))));
});
