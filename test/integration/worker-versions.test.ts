/** Workers of two versions on one task queue: as a versioned deployment, and side by side with a change that `patched` guards. */
import { randomUUID } from 'node:crypto';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { RequestedRun } from '../../activities/contract.js';
import { exportHistory, replayHistories } from '../../testing/index.js';
import {
  bundleWorkflows,
  installQuietRuntime,
  type ServerSettings,
  setCurrentDeployment,
  startMaterialization,
  type TemporalClient,
  waitForRun,
} from '../../workers/index.js';
import { bundleWithSettings } from '../../workers/worker/bundle.js';
import { codeBlocks } from '../support/code-blocks.js';
import { failureOf, rejectionCode } from '../support/error-code.js';
import { projectRoot } from '../support/paths.js';
import { extractedShard, scriptedActivities } from '../support/scripted-activities.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { testClient, testSettings, WORKFLOWS } from '../support/temporal.js';

/** Runs a worker until the returned function is called, or the test has finished. */
async function startWorker(settings: ServerSettings, options: Partial<WorkerOptions>): Promise<() => Promise<void>> {
  installQuietRuntime();
  const connection = await NativeConnection.connect(settings.connection);
  const { taskQueue } = settings;
  const worker = await Worker.create({ connection, taskQueue, shutdownGraceTime: 0, ...options });
  const running = worker.run();
  const end = async (): Promise<void> => {
    if (worker.getState() !== 'RUNNING') return;
    worker.shutdown();
    await running;
    await connection.close();
  };
  onTestFinished(end);
  return end;
}

/** Something that happens once, and can be waited for. */
function signal(): { readonly happened: Promise<void>; happens(): void } {
  let happens = (): void => {};
  const happened = new Promise<void>((resolve) => {
    happens = resolve;
  });
  return { happened, happens };
}

describe('a versioned deployment', () => {
  const name = `features-${randomUUID().slice(0, 8)}`;
  const commits: string[] = [];
  const extracting = signal();
  const mayGoOn = signal();

  /** A worker of a version that says which one commits; the first one extracts only when it may. */
  async function startVersion(settings: ServerSettings, buildId: string): Promise<() => Promise<void>> {
    const activities = scriptedActivities({
      extract: async (shard) => {
        if (buildId === 'one') {
          extracting.happens();
          await mayGoOn.happened;
        }
        return extractedShard(shard);
      },
      commit: async () => {
        commits.push(buildId);
        return { snapshotId: '11', outcome: 'committed' };
      },
    });
    const version = { deploymentName: name, buildId };
    const defaultVersioningBehavior = 'AUTO_UPGRADE';
    const workerDeploymentOptions = { version, useWorkerVersioning: true, defaultVersioningBehavior } as const;
    const bundle = await bundleWithSettings(WORKFLOWS, { encodesFailures: false, isVersioned: true });
    return startWorker(settings, { ...bundle, activities, workerDeploymentOptions });
  }

  /** A version can become the current one a moment after its worker has begun to poll. */
  async function makeCurrent({ client }: TemporalClient, buildId: string): Promise<void> {
    await expect
      .poll(
        () =>
          setCurrentDeployment(client, { name, buildId }).then(
            () => true,
            () => false,
          ),
        { timeout: 20_000 },
      )
      .toBe(true);
  }

  test('gives new runs to the current version, while those in flight end on theirs; without one, that is the error', async () => {
    const settings = testSettings();
    const temporal = await testClient(settings);
    const view = `view_${randomUUID().slice(0, 8)}`;
    const start = (): Promise<RequestedRun> => startMaterialization(temporal, settings, { view });
    await startVersion(settings, 'one');
    const error = await failureOf(start());
    expect(error.code).toBe('DEPLOYMENT_NOT_CURRENT');
    expect(error.message).toContain(`its workers are of ${name}.one, and no version is the current one`);
    await makeCurrent(temporal, 'one');
    const first = await start(); // joins the run that waits
    await extracting.happened;

    await startVersion(settings, 'two');
    await makeCurrent(temporal, 'two');
    const second = await startMaterialization(temporal, settings, { view: `${view}_2` });
    await waitForRun(temporal.client, second);
    expect(commits).toEqual(['two']);
    mayGoOn.happens();
    await waitForRun(temporal.client, first);
    expect(new Set(commits.slice(1))).toEqual(new Set(['one']));
  });

  test('a version that no worker has polled for cannot become the current one', async () => {
    const { client } = await testClient(testSettings());
    expect(await rejectionCode(setCurrentDeployment(client, { name, buildId: 'never' }))).toBe('INVALID_ARGUMENT');
  });
});

describe('a change that `patched` guards, as docs/operations.md shows it', () => {
  const page = readFileSync(join(projectRoot, 'docs/operations.md'), 'utf8');

  /** Bundles a block of the page as the workflows of a worker. */
  async function bundled(title: string): Promise<{ readonly workflowBundle: { readonly code: string } }> {
    const block = codeBlocks(page).find((candidate) => candidate.title === title);
    if (block === undefined) throw new Error(`docs/operations.md has no block ${title}`);
    const folder = temporaryFolder();
    symlinkSync(join(projectRoot, 'node_modules'), join(folder, 'node_modules'));
    const entry = join(folder, 'workflows.ts');
    writeFileSync(entry, block.content);
    return { workflowBundle: await bundleWorkflows(entry) };
  }

  test('runs that began before it end on workers of both versions, each step once; unguarded, replays find it', async () => {
    const [before, after, unguarded] = await Promise.all(['before.ts', 'after.ts', 'unguarded.ts'].map(bundled));
    const settings = testSettings();
    const { client } = await testClient(settings);
    const steps: string[] = [];
    const step = (name: string) => async (day: string) => void steps.push(`${name} ${day}`);
    const activities = { load: step('load'), check: step('check'), publish: step('publish') };
    const start = (day: string) =>
      client.workflow.start('nightly', {
        workflowId: `nightly-${randomUUID()}`,
        taskQueue: settings.taskQueue,
        args: [day],
      });
    const options = { activities, maxCachedWorkflows: 0 };

    const endOld = await startWorker(settings, { ...options, ...before });
    const finished = await start('1st');
    await finished.signal('approved');
    await finished.result();
    const waiting = await Promise.all(['2nd', '3rd'].map(start));
    await expect.poll(() => steps.filter((done) => done.startsWith('load')).length).toBe(3);
    await startWorker(settings, { ...options, ...after });
    const began = await start('4th');
    await endOld();
    for (const run of [...waiting, began]) {
      await run.signal('approved');
      await run.result();
    }
    expect(steps.filter((done) => !done.startsWith('check')).sort()).toEqual(
      ['1st', '2nd', '3rd', '4th'].flatMap((day) => [`load ${day}`, `publish ${day}`]).sort(),
    );
    expect(steps).toContain('check 4th');
    expect(steps).not.toContain('check 1st');

    const file = join(temporaryFolder(), 'before.json');
    writeFileSync(file, await exportHistory(client, finished.workflowId));
    expect(await replayHistories(file, { workflows: after ?? WORKFLOWS })).toHaveLength(1);
    expect(await rejectionCode(replayHistories(file, { workflows: unguarded ?? WORKFLOWS }))).toBe('NONDETERMINISM');
  });
});
