import { existsSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { createActivities } from '../../activities/index.js';
import type { MaintainInput, MaintainResult } from '../../activities/maintain-contract.js';
import { startMaintain, waitForMaintain } from '../../workers/index.js';
import { datedProject } from '../support/dated-files.js';
import { SmallProject } from '../support/small-project.js';
import { testClient, testSettings, testWorker } from '../support/temporal.js';

const OLD = new Date(Date.now() - 30 * 86_400_000);

/** A worker for a project whose source table, of a name of its own, has three snapshots. */
async function project() {
  const small = await SmallProject.create();
  for (const second of [0, 100, 200]) await small.append(100, second);
  const table = `demo.${small.view}`;
  const catalog = await small.project.catalog();
  await catalog.renameTable({ namespace: ['demo'], name: 'readings' }, { namespace: ['demo'], name: small.view });
  const settings = testSettings(await small.project.identity());
  await testWorker(settings, createActivities(datedProject(small.project)));
  const temporal = await testClient(settings);
  const maintain = async (input: Omit<MaintainInput, 'table'>): Promise<MaintainResult> => {
    const asked = await startMaintain(temporal, settings, { table, ...input });
    return waitForMaintain(temporal.client, asked, table);
  };
  const load = () => small.project.loadTable(table);
  return { small, table, settings, temporal, maintain, load };
}

async function placeOrphan({ load }: Awaited<ReturnType<typeof project>>): Promise<string> {
  const { metadata } = await load();
  const path = join(metadata.location, 'data/orphan.parquet');
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, 'orphan');
  utimesSync(path, OLD, OLD);
  return path;
}

test('maintain expires, sweeps and tidies, and shows what it did; the rows stay', async () => {
  const world = await project();
  const orphan = await placeOrphan(world);
  const counted = await world.maintain({ olderThan: '0s', retainLast: 2, dryRun: true });
  expect(counted).toMatchObject({
    dryRun: true,
    expiredSnapshots: 1,
    expiredFiles: 1,
    orphanFiles: 1,
    orphanBytes: '6',
  });
  expect((await world.load()).metadata.snapshots).toHaveLength(3);
  expect(existsSync(orphan)).toBe(true);

  const result = await world.maintain({ olderThan: '0s', retainLast: 2 });
  expect(result).toMatchObject({
    table: world.table,
    workflowId: `maintain/${world.table}@${world.settings.project}`,
    dryRun: false,
    expiredSnapshots: 1,
    expiredFiles: 1,
    orphanFiles: 1,
    orphanBytes: '6',
    unreadable: [],
  });
  expect(result.reason).toBeNull();
  expect(existsSync(orphan)).toBe(false);
  const { metadata } = await world.load();
  expect(metadata.snapshots.length).toBeLessThanOrEqual(3);
  expect(metadata.snapshots.at(-1)?.summary.get('total-records')).toBe('300');
  const description = await world.temporal.client.workflow
    .getHandle(`maintain/${world.table}@${world.settings.project}`)
    .describe();
  expect(description.memo).toMatchObject({
    table: world.table,
    progress: { step: 'done', expiredSnapshots: 1, deletedFiles: 2 },
  });
  expect(description.searchAttributes).toMatchObject({ MoraineTable: [world.table] });
  expect(await world.maintain({ olderThan: '7d' })).toMatchObject({
    expiredSnapshots: 0,
    orphanFiles: 0,
    reason: 'no snapshot is old enough to expire, no file is an orphan, and no delete file or manifest needs tidying',
  });
});

test('a second request for the same joins, another one follows; each gets its own answer', async () => {
  const world = await project();
  const [first, same, dry] = await Promise.all([
    world.maintain({ olderThan: '0s' }),
    world.maintain({ olderThan: '0s' }),
    world.maintain({ dryRun: true }),
  ]);
  expect([first.dryRun, same.dryRun, dry.dryRun]).toEqual([false, false, true]);
  expect(Math.max(first.expiredSnapshots, same.expiredSnapshots)).toBe(2);
  expect((await world.load()).metadata.snapshots.length).toBeLessThanOrEqual(2);
});

const REFUSED: readonly (readonly [unknown, RegExp])[] = [
  [{}, /"table"/],
  [null, /for example \{"table"/],
  [{ table: 'a.b', oldrThan: '5d' }, /oldrThan/],
  [{ table: 'a.b', olderThan: 'yesterday' }, /"olderThan": is not a duration/],
  [{ table: 'a.b', retainLast: 0 }, /"retainLast"/],
  [{ table: 'a.b', orphansOlderThan: '1h' }, /allowYoung/],
  [{ table: 'demo.none' }, /demo\.none/],
];

test('input from outside that is not right is refused with the reason, before anything starts', async () => {
  const world = await project();
  const { workflow } = world.temporal.client;
  for (const [index, [input, message]] of REFUSED.entries()) {
    const workflowId = `typed-by-hand/${index}/${world.table}`;
    const { taskQueue } = world.settings;
    const handle = await workflow.start('maintain', { workflowId, taskQueue, args: [input] });
    const failure: unknown = await handle.result().catch((error: unknown) => error);
    expect(causes(failure)).toMatch(message);
  }
  const runs = ['maintain/a.b', 'maintain/demo.none'].map((id) => workflow.getHandle(id).describe());
  expect((await Promise.allSettled(runs)).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
});

test('a table whose metadata is corrupt is refused with the reason, and no run starts', async () => {
  const world = await project();
  const { workflow } = world.temporal.client;
  const { metadataLocation } = await world.load();
  writeFileSync(metadataLocation, '{"format-version": 2, "table-uuid"');
  world.small.project.io.cache.clear();
  const { taskQueue } = world.settings;
  const workflowId = `typed-by-hand/corrupt/${world.table}`;
  const handle = await workflow.start('maintain', { workflowId, taskQueue, args: [{ table: world.table }] });
  const failure: unknown = await handle.result().catch((error: unknown) => error);
  expect(causes(failure)).toContain(metadataLocation);
  const run = workflow.getHandle(`maintain/${world.table}@${world.settings.project}`).describe();
  expect((await Promise.allSettled([run]))[0]?.status).toBe('rejected');
});

function causes(error: unknown): string {
  return error instanceof Error ? `${error.message} ${causes(error.cause)}` : '';
}
