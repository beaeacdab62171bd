/** An online table that is written often and maintained beside: files and metadata stay few, and every value stays right. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { compactDirect, tidyManifests } from '../../../maintenance/index.js';
import { materializeDirect } from '../../../materialization/index.js';
import { OnlineReader, writeOnlineBatch } from '../../../online/index.js';
import { compactDeps, maintenanceDeps, materializationDeps } from '../../../project/index.js';
import { readSnapshotManifests } from '../../../tables/index.js';
import { filesOf } from '../../support/compaction-lab.js';
import { expireOnce } from '../../support/maintain-once.js';
import { SmallProject } from '../../support/small-project.js';

const BUCKETS = 8;
const PUSHES = 90;
const PUSHES_PER_COMPACTION = 15;
const ROWS = 40;
const SENSORS = 120;

test('90 pushes with compaction and expiry beside leave a table of few files', async () => {
  const small = await SmallProject.create({ buckets: BUCKETS });
  const { project, view } = small;
  const name = `moraine_online.${view}`;
  const deps = await materializationDeps(project);
  await small.append(SENSORS, 0, SENSORS);
  await materializeDirect(deps, { view });
  const reader = new OnlineReader({ ...deps, queueTimeoutMs: 60_000, readTimeoutMs: 60_000 });
  const expected = new Map<number, number>();
  const most = { files: 0, manifests: 0, snapshots: 0 };
  for (let push = 0; push < PUSHES; push += 1) {
    const rows = Array.from(
      { length: ROWS },
      (_, row) => [(push * 37 + row * 3) % SENSORS, push * ROWS + row] as const,
    );
    for (const [sensor, value] of rows) expected.set(sensor, value);
    const values = rows.map(([sensor, value]) => `(${sensor}::BIGINT, ${value}::DOUBLE)`).join(', ');
    const time = `make_timestamptz(${(1_000 + push) * 1_000_000})`;
    const open = () => Promise.resolve(`SELECT s, v, ${time}, NULL FROM (VALUES ${values}) AS t(s, v)`);
    expect(await writeOnlineBatch(deps, { view, open })).toMatchObject({ files: 1 });
    if ((push + 1) % PUSHES_PER_COMPACTION > 0) continue;
    await compactDirect(await compactDeps(project), { table: name, strategy: 'latest' });
    await expireOnce(maintenanceDeps(project), name, { olderThanMs: 0n });
    await tidyManifests(maintenanceDeps(project), name);
    const table = await project.loadTable(name);
    const current = table.metadata.snapshots.at(-1) ?? null;
    most.files = Math.max(most.files, (await filesOf(table)).length);
    most.manifests = Math.max(most.manifests, (await readSnapshotManifests(table.io, current)).length);
    most.snapshots = Math.max(most.snapshots, table.metadata.snapshots.length);
    const entities = [...expected.keys()].map((sensor) => ({ sensor }));
    const { rows: found } = await reader.getOnlineFeatures({ view, entities });
    expect(found.map(([value]) => value?.value)).toEqual([...expected.values()]);
  }
  await reader.close();
  expect(expected.size).toBe(SENSORS);
  // A file for each bucket and one that was folded; snapshots of the last two commits at most.
  expect(most.files).toBeLessThanOrEqual(2 * BUCKETS);
  // The snapshot of a compaction lists the manifests whose files it took away.
  expect(most.manifests).toBeLessThanOrEqual(PUSHES_PER_COMPACTION + 4);
  expect(most.snapshots).toBeLessThanOrEqual(3);
  const onDisk = readdirSync(join(small.folder, 'warehouse', 'moraine_online', view, 'data'));
  expect(onDisk.length).toBeLessThanOrEqual(4 * BUCKETS);
});
