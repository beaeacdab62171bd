import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createActivities, startMaterialization, waitForRun, withLocalRun } from '../../workers/index.js';
import { SmallProject } from '../support/small-project.js';
import { testClient, testSettings, testWorker, WORKFLOWS } from '../support/temporal.js';

describe('materialize on a real project', () => {
  test('brings the online table to the newest row per entity, and later runs read what is new', async () => {
    const small = await SmallProject.create();
    await small.append(1_000);
    const settings = testSettings(await small.project.identity());
    await testWorker(settings, createActivities(small.project));
    const temporal = await testClient(settings);
    const materialize = async () =>
      waitForRun(temporal.client, await startMaterialization(temporal, settings, { view: small.view }));

    expect(await materialize()).toMatchObject({ kind: 'incremental', rows: '100', files: 4, passes: 1 });
    expect(await small.onlineRows()).toEqual(await small.recomputed());

    await small.append(50, 2_000);
    expect(await materialize()).toMatchObject({ kind: 'incremental', rows: '50' });
    expect(await materialize()).toMatchObject({ kind: 'nothing', rows: '0', snapshotId: null });
    expect((await small.runKeys()).length).toBe(2);
  });

  test('a run without rows still records the source snapshot that it has read, once', async () => {
    const small = await SmallProject.create();
    await small.append(1_000);
    const settings = testSettings(await small.project.identity());
    await testWorker(settings, createActivities(small.project));
    const temporal = await testClient(settings);
    const materialize = async (window = {}) =>
      waitForRun(temporal.client, await startMaterialization(temporal, settings, { view: small.view, ...window }));

    await materialize();
    await small.append(50, 2_000);
    const window = { startUs: 0n, endUs: 500_000_000n };
    const { metadata } = await small.online();
    const recorded = await materialize(window);
    expect(recorded).toMatchObject({ kind: 'nothing', rows: '0', files: 0, passes: 1 });
    expect(recorded.snapshotId).not.toBe(String(metadata.currentSnapshotId));
    expect((await small.online()).metadata.currentSnapshotId).toBe(BigInt(recorded.snapshotId ?? 0));
    expect(await materialize(window)).toMatchObject({ kind: 'nothing', snapshotId: null });
    expect(await materialize()).toMatchObject({ kind: 'incremental', rows: '50' });
    expect(await small.onlineRows()).toHaveLength(150);
    expect(await small.runKeys()).toHaveLength(3);
  });

  test('an unknown view fails with its code and the nearest name', async () => {
    const small = await SmallProject.create();
    const settings = testSettings(await small.project.identity());
    await testWorker(settings, createActivities(small.project));
    const temporal = await testClient(settings);
    const run = await startMaterialization(temporal, settings, { view: `${small.view}x` });
    await expect(waitForRun(temporal.client, run)).rejects.toMatchObject({
      code: 'FEATURE_VIEW_NOT_FOUND',
      message: `There is no feature view '${small.view}x'. Did you mean '${small.view}'?`,
    });
  });

  test('without a configured server it runs on an own server and worker, which end with it', async () => {
    const small = await SmallProject.create();
    await small.append(200);
    const result = await withLocalRun(
      small.project,
      async (local) => {
        expect(local.server?.started).toBe(true);
        const run = await startMaterialization(local, local.settings, { view: small.view });
        return waitForRun(local.client, run);
      },
      { workflows: WORKFLOWS },
    );
    expect(result).toMatchObject({ rows: '100', kind: 'incremental' });
    expect(existsSync(join(small.project.config.stateFolder, 'temporal/server.pipe'))).toBe(false);
  });
});
