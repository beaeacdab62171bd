/** Runs as they are shown: while they work, when a step is tried again, and when their workers have gone. */

import { randomUUID } from 'node:crypto';
import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { NativeConnection, Worker } from '@temporalio/worker';
import { describe, expect, test, vi } from 'vitest';
import type { Activities } from '../../activities/contract.js';
import { formatRun, runState } from '../../cli/output/run-text.js';
import { listRuns, ownRunId, showRun } from '../../runs/index.js';
import { type ServerSettings, startMaterialization, waitForRun } from '../../workers/index.js';
import { rejectionCode } from '../support/error-code.js';
import { gate } from '../support/gate.js';
import { projectRoot } from '../support/paths.js';
import { extractedShard, failureOf, plannedRun, scriptedActivities } from '../support/scripted-activities.js';
import { temporaryFolder } from '../support/temp-folder.js';
import { testClient, testSettings, testWorker, WORKFLOWS } from '../support/temporal.js';

const newView = (): string => `view_${randomUUID().slice(0, 8)}`;

/** Runs work with a worker that has gone afterwards. */
async function withWorker<T>(settings: ServerSettings, activities: Activities, work: () => Promise<T>): Promise<T> {
  const connection = await NativeConnection.connect(settings.connection);
  const { taskQueue } = settings;
  const worker = await Worker.create({ connection, taskQueue, ...WORKFLOWS, activities, shutdownGraceTime: 0 });
  const running = worker.run();
  try {
    return await work();
  } finally {
    worker.shutdown();
    await running;
    await connection.close();
  }
}

describe('a run', () => {
  test('shows its steps, the last failure of one that is tried again, and what is committed', async () => {
    const settings = testSettings();
    let broken = true;
    await testWorker(
      settings,
      scriptedActivities({
        plan: async () => plannedRun(2),
        extract: async (shard) => {
          if (shard === 1 && broken) throw failureOf('STORAGE_UNAVAILABLE');
          return extractedShard(shard);
        },
      }),
    );
    const temporal = await testClient(settings);
    const { client } = temporal;
    const view = newView();
    const run = await startMaterialization(temporal, settings, { view });
    const shown = () => showRun(client, run.workflowId);
    await expect
      .poll(async () => (await shown()).steps.map(({ name, state }) => [name, state]), { timeout: 15_000 })
      .toEqual([
        ['Plan: pin the source snapshot, choose files', 'done'],
        ['Extract: shard 1 of 2', 'done'],
        ['Extract: shard 2 of 2', 'retrying'],
      ]);
    const during = await shown();
    expect(during).toMatchObject({ workflowId: run.workflowId, status: 'RUNNING', view, outcome: null, commits: [] });
    expect(during.progress).toMatchObject({ step: 'extracting', shardsTotal: 2, shardsDone: 1, rowsWritten: '10' });
    expect(Object.keys(during.rates).sort()).toEqual(['rowsWritten', 'shardsDone']);
    const retried = during.steps[2];
    expect(retried?.failure).toBe('STORAGE_UNAVAILABLE: STORAGE_UNAVAILABLE happened');
    expect(retried?.attempts).toBeGreaterThanOrEqual(2);
    expect(retried?.retriesAt).toMatch(/^\d{4}-/);
    expect(runState(during)).toBe('running, extracting, 2 of 3 steps done, 1 tried again');
    expect(formatRun(during)).toMatch(
      /Extract: shard 2 of 2: attempt \d+, retrying, again at .*\n {2}STORAGE_UNAVAILABLE: STORAGE_UNAVAILABLE happened\n/,
    );

    broken = false;
    await waitForRun(client, run);
    const after = await shown();
    expect(after).toMatchObject({ status: 'COMPLETED', step: 'done', commits: [{ table: null, snapshotId: '11' }] });
    expect(after.steps.map(({ state }) => state)).toEqual(['done', 'done', 'done', 'done']);
    expect(after.outcome).toMatchObject({ status: 'completed', result: { rows: '20', snapshotId: '11' } });
    expect(after.signals).toEqual({ requested: 1 });
  });

  test('that has ended is shown from its history, without its worker; also one that has failed', async () => {
    const settings = testSettings();
    const temporal = await testClient(settings);
    const { client } = temporal;
    const [good, bad] = [newView(), newView()];
    let plans = 0;
    const activities = scriptedActivities({
      plan: async () => {
        plans += 1;
        if (plans > 1) throw failureOf('TABLE_NOT_FOUND', true);
        return plannedRun(1);
      },
    });
    await withWorker(settings, activities, async () => {
      const entry = `entry-${good}`;
      await client.workflow.execute('materialize', {
        workflowId: entry,
        taskQueue: settings.taskQueue,
        args: [{ view: good }],
      });
      const failing = await startMaterialization(temporal, settings, { view: bad });
      await rejectionCode(waitForRun(client, failing));
    });
    const run = await showRun(client, `materialize/${good}/incremental`);
    expect(run).toMatchObject({ status: 'COMPLETED', view: good, commits: [{ snapshotId: '11' }] });
    expect(run.progress).toMatchObject({ step: 'done', rowsWritten: '10' });
    expect(await showRun(client, `entry-${good}`)).toMatchObject({
      workflow: 'materialize',
      joined: [`materialize/${good}/incremental`],
      outcome: { status: 'completed', result: { view: good } },
    });
    const failed = await showRun(client, `materialize/${bad}/incremental`);
    const outcome = { status: 'failed', code: 'TABLE_NOT_FOUND', message: 'TABLE_NOT_FOUND happened' };
    expect(failed).toMatchObject({ status: 'FAILED', outcome, commits: [] });
    expect(failed.steps.map(({ state, failure }) => [state, failure])).toEqual([
      ['failed', 'TABLE_NOT_FOUND: TABLE_NOT_FOUND happened'],
    ]);
    expect(await rejectionCode(showRun(client, 'materialize/nothing/incremental'))).toBe('WORKFLOW_NOT_FOUND');
    await vi.waitFor(async () => {
      await expect(ownRunId(client, settings, `materialize/${good}/incrementl`)).rejects.toMatchObject({
        code: 'WORKFLOW_NOT_FOUND',
        message: expect.stringContaining(`Did you mean 'materialize/${good}/incremental'`) as string,
      });
    }, 20_000);

    const list = async (filter: object) => {
      const found = await listRuns(client, { taskQueue: settings.taskQueue, project: null, limit: 10, ...filter });
      return found.map(({ workflowId, status }) => [workflowId, status]);
    };
    const [runRow, entryRow, badRow] = [
      [`materialize/${good}/incremental`, 'COMPLETED'],
      [`entry-${good}`, 'COMPLETED'],
      [`materialize/${bad}/incremental`, 'FAILED'],
    ];
    await expect.poll(() => list({}), { timeout: 10_000 }).toEqual([badRow, runRow, entryRow]);
    expect(await list({ view: good })).toEqual([runRow]);
    expect(await list({ status: 'FAILED' })).toEqual([badRow]);
    expect(await list({ table: 'moraine_online.view', limit: 1 })).toEqual([runRow]);
    expect(await list({ view: 'nothing' })).toEqual([]);
  });

  test('that was continued shows rates over all of its executions', async () => {
    const settings = testSettings();
    const [first, second] = [gate(), gate()];
    await testWorker(
      settings,
      scriptedActivities({
        plan: async () => plannedRun(2),
        extract: async (shard) => {
          if (shard === 1) await (first.isOpen() ? second : first).opened;
          return extractedShard(shard);
        },
      }),
    );
    const temporal = await testClient(settings);
    const { client } = temporal;
    const view = newView();
    const { workflowId } = await startMaterialization(temporal, settings, { view });
    const began = await client.workflow.getHandle(workflowId).describe();
    expect((await showRun(client, workflowId)).firstStartedAt).toBe(began.startTime.toISOString());
    // Whoever asks while it works has it make another pass, in another execution.
    await startMaterialization(temporal, settings, { view });
    await sleep(3_000);
    first.open();
    const shown = () => showRun(client, workflowId);
    await expect
      .poll(async () => (await shown()).progress, { timeout: 15_000 })
      .toMatchObject({ passes: 2, shardsDone: 1 });
    const run = await shown();
    expect(run.runId).not.toBe(began.runId);
    expect(run.firstStartedAt).toBe(began.startTime.toISOString());
    const ended = await client.workflow.getHandle(workflowId, began.runId).describe();
    const firstMs = (ended.closeTime ?? expect.unreachable()).getTime() - began.startTime.getTime();
    // 20 rows of the first pass and 10 of the second: fewer a second than if only the first execution had taken time.
    expect(run.progress).toMatchObject({ rowsWritten: '30' });
    expect(run.rates.rowsWritten).toBeGreaterThan(0);
    expect(run.rates.rowsWritten).toBeLessThan((30 * 1000) / firstMs);
    second.open();
    await client.workflow.getHandle(workflowId).result();
  });

  test('that no worker takes, or whose code fails, says that it is blocked, and no more once it goes on', async () => {
    const settings = testSettings();
    const { client } = await testClient(settings);
    const { taskQueue } = settings;
    const workflowId = `odd-${newView()}`;
    await client.workflow.start('odd', { workflowId, taskQueue });
    const blocked = async (): Promise<string | null> => (await showRun(client, workflowId)).blocked;
    expect(await blocked()).toBeNull();
    await expect
      .poll(blocked, { timeout: 15_000 })
      .toMatch(/^no worker has taken its next step since \d{4}-\d\d-\d\dT[\d:.]+Z$/);

    // The code of one worker is broken, the next one has it mended.
    const code = join(temporaryFolder(), 'odd.js');
    symlinkSync(join(projectRoot, 'node_modules'), join(code, '../node_modules'));
    const work = async (body: string, until: () => Promise<void>): Promise<void> => {
      writeFileSync(code, `export async function odd() { ${body} }`);
      const connection = await NativeConnection.connect(settings.connection);
      const worker = await Worker.create({ connection, taskQueue, workflowsPath: code });
      await worker.runUntil(until);
      await connection.close();
    };
    await work('throw new TypeError("nobody is there");', async () => {
      await expect
        .poll(blocked, { timeout: 15_000 })
        .toMatch(/^its workflow code fails, attempt \d+: nobody is there$/);
      const shown = await showRun(client, workflowId);
      expect(formatRun(shown)).toMatch(/^blocked +its workflow code fails, attempt \d+: nobody is there$/m);
      expect(runState(shown)).toMatch(/^running, 0 of 0 steps done, blocked: its workflow code fails/);
    });
    await work('', async () => {
      await client.workflow.getHandle(workflowId).result();
    });
    expect(await showRun(client, workflowId)).toMatchObject({ status: 'COMPLETED', blocked: null });
  });
});
