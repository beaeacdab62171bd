import { randomUUID } from 'node:crypto';
import { existsSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { dryRunMaintenance, endMaterialization, sweepOrphans, whileLeased } from '../../../maintenance/index.js';
import {
  commitMaterialization,
  discardReducedRows,
  extractShard,
  materializeDirect,
  planMaterialization,
  reducePart,
} from '../../../materialization/index.js';
import { maintenanceDeps, materializationDeps } from '../../../project/index.js';
import { readReducedRows } from '../../../reduction/index.js';
import { leasesOf } from '../../../tables/index.js';
import { datedProject } from '../../support/dated-files.js';
import { expireOnce } from '../../support/maintain-once.js';
import { SmallProject } from '../../support/small-project.js';

const SOURCE = 'demo.readings';

async function expire(small: SmallProject): Promise<void> {
  const deps = maintenanceDeps(small.project);
  // The youngest snapshot has to be in the past, if only by a millisecond.
  await new Promise((resolve) => setTimeout(resolve, 5));
  await expireOnce(deps, SOURCE, { olderThanMs: 0n });
}

const snapshots = async (small: SmallProject) =>
  (await small.project.loadTable(SOURCE)).metadata.snapshots.map(({ snapshotId }) => snapshotId);

test('a registered view keeps the snapshot it reads on from, and every one after it', async () => {
  const small = await SmallProject.create();
  const deps = await materializationDeps(small.project);
  await small.append(100);
  await small.append(100, 100);
  await materializeDirect(deps, { view: small.view });
  await small.append(100, 200);
  await small.append(100, 300);
  const [, read, later, last] = await snapshots(small);
  await expire(small);
  expect(await snapshots(small)).toEqual([read, later, last]);
  const { expiry } = await dryRunMaintenance(maintenanceDeps(small.project), SOURCE, {
    expiry: { olderThanMs: 0n },
    orphans: {},
  });
  expect(expiry.kept.get(read ?? 0n)).toContain(small.view);
  const run = await materializeDirect(deps, { view: small.view });
  expect([run.plan.kind, run.commit?.rows]).toEqual(['incremental', 100n]);
  await expire(small);
  expect(await snapshots(small)).toEqual([last]);
});

test('faults 36: a run that has become long holds leases; its snapshot and staged files stay, its commit lands', async () => {
  const small = await SmallProject.create();
  const deps = await materializationDeps(small.project);
  await small.append(100);
  const plan = await planMaterialization(deps, { view: small.view, attemptId: randomUUID(), shards: 1 });
  const planLocation = plan.planLocation ?? '';
  const staged = await whileLeased(deps, planLocation, () => extractShard(deps, planLocation, 0), 0);
  await small.append(100, 100);
  const [pinned] = await snapshots(small);
  await expire(small);
  expect(await snapshots(small)).toContain(pinned);
  const online = await small.online();
  const old = new Date(Date.now() - 30 * 86_400_000);
  const manifest = staged.manifestLocation ?? '';
  for (const path of [manifest, planLocation]) utimesSync(path, old, old);
  const orphan = join(online.metadata.location, 'data', 'orphan.parquet');
  await small.project.io.create(orphan, new Uint8Array(1));
  utimesSync(orphan, old, old);
  const name = `moraine_online.${small.view}`;
  expect((await sweepOrphans(maintenanceDeps(datedProject(small.project)), name, {})).deletedFiles).toBe(1);
  expect([manifest, planLocation, orphan].map((path) => existsSync(path))).toEqual([true, true, false]);
  await commitMaterialization(deps, planLocation, [manifest]);
  expect(await small.onlineRows()).toHaveLength(100);
  await endMaterialization(deps, planLocation, 0);
  for (const table of [await small.online(), await small.project.loadTable(SOURCE)]) {
    expect(leasesOf(table.metadata)).toEqual([]);
  }
});

test('reduced rows of a run that has become long stay; those that a dead worker left go when the run has ended', async () => {
  const small = await SmallProject.create();
  const deps = await materializationDeps(small.project);
  await small.append(100);
  await small.append(100, 100);
  const plan = await planMaterialization(deps, { view: small.view, attemptId: randomUUID(), shards: 2 });
  const planLocation = plan.planLocation ?? '';
  const reduced: string[] = [];
  // The last one is of a worker whose answer did not arrive.
  for (const part of [0, 1, 1]) {
    const done = await whileLeased(deps, planLocation, () => reducePart(deps, planLocation, part), 0);
    reduced.push(done.reducedLocation ?? '');
  }
  const files = await Promise.all(reduced.map(async (list) => (await readReducedRows(deps.io, list)).files));
  const paths = [planLocation, ...reduced, ...files.flat().map(({ location }) => location)];
  const old = new Date(Date.now() - 30 * 86_400_000);
  for (const path of paths) utimesSync(path, old, old);
  const name = `moraine_online.${small.view}`;
  expect((await sweepOrphans(maintenanceDeps(datedProject(small.project)), name, {})).deletedFiles).toBe(0);
  const lists = reduced.slice(0, 2);
  const manifests: string[] = [];
  for (const shard of [0, 1]) {
    const { manifestLocation } = await extractShard(deps, planLocation, shard, { reduced: lists });
    if (manifestLocation !== null) manifests.push(manifestLocation);
  }
  await commitMaterialization(deps, planLocation, manifests);
  expect(await small.onlineRows()).toEqual(await small.recomputed());
  await discardReducedRows(deps.io, planLocation, lists);
  await endMaterialization(deps, planLocation, 0);
  const left = paths.filter((path) => existsSync(path)).length;
  expect(left).toBe(2 + (files[2]?.length ?? 0));
  expect((await sweepOrphans(maintenanceDeps(datedProject(small.project)), name, {})).deletedFiles).toBe(left);
});

test('a short run takes no lease', async () => {
  const small = await SmallProject.create();
  const deps = await materializationDeps(small.project);
  await small.append(10);
  const { planLocation } = await planMaterialization(deps, { view: small.view, attemptId: randomUUID(), shards: 1 });
  await whileLeased(deps, planLocation ?? '', () => extractShard(deps, planLocation ?? '', 0));
  expect(leasesOf((await small.online()).metadata)).toEqual([]);
});
