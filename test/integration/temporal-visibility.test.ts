/** The visible state of a run on the server: search attributes where they may be registered, progress while it works. */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { promisify } from 'node:util';
import type { WorkflowExecutionDescription } from '@temporalio/client';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { MaterializeResult } from '../../activities/contract.js';
import {
  findTemporalCli,
  runWorker,
  type ServerSettings,
  startMaterialization,
  type TemporalClient,
  waitForRun,
} from '../../workers/index.js';
import { rejectionCode } from '../support/error-code.js';
import { extractedShard, plannedRun, scriptedActivities } from '../support/scripted-activities.js';
import { SmallProject } from '../support/small-project.js';
import { testClient, testSettings, testWorker, WORKFLOWS } from '../support/temporal.js';

/** Runs `temporal operator ..`, the server's own tool. */
async function operator(settings: ServerSettings, ...args: string[]): Promise<void> {
  const { path } = await findTemporalCli();
  const { address, namespace } = settings;
  await promisify(execFile)(path, ['operator', ...args, '--namespace', namespace, '--address', address]);
}

const keywords = (names: readonly string[]): string[] => names.flatMap((name) => ['--name', name, '--type', 'Keyword']);

/** Settings of a new namespace without search attributes of ours. */
async function newNamespace(): Promise<ServerSettings> {
  const settings = { ...testSettings(), namespace: `ns-${randomUUID()}` };
  await operator(settings, 'namespace', 'create');
  return settings;
}

/** The real worker of a project in this process until the test has finished; returns what it warned of. */
async function startWorker(small: SmallProject, settings: ServerSettings): Promise<readonly string[]> {
  const warnings: string[] = [];
  const stop = new AbortController();
  const { project } = small;
  let running = Promise.resolve();
  await new Promise<void>((onReady, fail) => {
    const warn = (message: string): unknown => warnings.push(message);
    running = runWorker({ settings, project, warn, onReady, signal: stop.signal, workflows: WORKFLOWS });
    running.catch(fail);
  });
  onTestFinished(async () => {
    stop.abort();
    await running;
  });
  return warnings;
}

interface Finished {
  readonly result: MaterializeResult;
  readonly described: WorkflowExecutionDescription;
}

async function materialize(
  temporal: TemporalClient,
  settings: ServerSettings,
  { project, view }: SmallProject,
): Promise<Finished> {
  const owned = { ...settings, project: await project.identity() };
  const run = await startMaterialization(temporal, owned, { view });
  const result = await waitForRun(temporal.client, run);
  return { result, described: await temporal.client.workflow.getHandle(run.workflowId).describe() };
}

describe('search attributes', () => {
  test('are registered by the worker where that is permitted, and set by runs however they are started', async () => {
    const settings = await newNamespace();
    const small = await SmallProject.create();
    await small.append(100);
    expect(await startWorker(small, settings)).toEqual([]);
    const temporal = await testClient(settings);
    const expected = { MoraineView: [small.view], MoraineTable: [`moraine_online.${small.view}`] };
    const first = await materialize(temporal, settings, small);
    expect(first.described.searchAttributes).toMatchObject(expected);
    await temporal.client.workflow.execute('materialize', {
      workflowId: `entry-${randomUUID()}`,
      taskQueue: settings.taskQueue,
      args: [{ view: small.view }],
    });
    const second = await temporal.client.workflow.getHandle(first.result.workflowId).describe();
    expect(second.runId).not.toBe(first.described.runId);
    expect(second.searchAttributes).toMatchObject(expected);
  });

  const nine = Array.from({ length: 9 }, (_, index) => `Other${index}`);
  test.each([
    ['the namespace is at its limit', keywords(nine), 'cannot have more than 10 search attribute of type Keyword'],
    ['one exists with another type', ['--name', 'MoraineView', '--type', 'Int'], 'already exists'],
  ])('are left out with a warning where %s', async (_, taken, reason) => {
    const settings = await newNamespace();
    await operator(settings, 'search-attribute', 'create', ...taken);
    const small = await SmallProject.create();
    await small.append(1_000);
    const warnings = await startWorker(small, settings);
    expect(warnings).toEqual([
      expect.stringMatching(
        /^the search attributes MoraineView, MoraineTable could not be registered, runs go without: /,
      ),
    ]);
    expect(warnings[0]).toContain(reason);
    const { result, described } = await materialize(await testClient(settings), settings, small);
    expect(result).toMatchObject({ kind: 'incremental', rows: '100' });
    expect(Object.keys(described.searchAttributes).filter((name) => name.startsWith('Moraine'))).toEqual([]);
    expect(await small.onlineRows()).toEqual(await small.recomputed());
  });
});

describe('progress', () => {
  /** The web UI's view of a workflow: the answer of a query that the SDK itself defines. */
  interface WorkflowMetadata {
    readonly currentDetails?: string;
    readonly definition?: { readonly queryDefinitions?: readonly { readonly name?: string }[] };
  }

  test('stands in the details, the memo and the summary while the run works, and at its end', async () => {
    const settings = testSettings();
    let open = (): void => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    const extract = async (shard: number) => {
      if (shard === 1) await opened;
      return extractedShard(shard);
    };
    await testWorker(settings, scriptedActivities({ plan: async () => plannedRun(2), extract }));
    const temporal = await testClient(settings);
    const view = `view_${randomUUID().slice(0, 8)}`;
    const run = await startMaterialization(temporal, settings, { view });
    const handle = temporal.client.workflow.getHandle(run.workflowId);
    const metadata = () => handle.query<WorkflowMetadata>('__temporal_workflow_metadata');
    const facts = ['- incremental: changes since snapshot 1', '- source `demo.source`: 3 files', '- rows to read: 100'];
    await expect
      .poll(async () => (await metadata()).currentDetails?.split('\n'), { timeout: 10_000 })
      .toEqual([`**${view}**: extracting`, '', ...facts, '- shards: 1 of 2', '- rows written: 10', '- passes: 1']);
    const names = (await metadata()).definition?.queryDefinitions?.map(({ name }) => name);
    expect(names).toContain('progress');
    const during = await handle.describe();
    expect(during.memo).toMatchObject({ view, progress: { step: 'extracting', kind: 'incremental', shardsTotal: 2 } });
    expect(await during.staticSummary()).toBe(`Materialize ${view}/incremental`);
    open();
    await waitForRun(temporal.client, run);
    expect((await metadata()).currentDetails?.split('\n')).toEqual([
      ...[`**${view}**: done`, '', ...facts, '- shards: 2 of 2', '- rows written: 20', '- passes: 1'],
    ]);
    const { memo } = await handle.describe();
    expect(memo).toMatchObject({ progress: { step: 'done', shardsDone: 2, rowsWritten: '20' } });
  });
});

test('a worker that has polled and gone is noticed: the run waits, and goes on when one comes', async () => {
  const settings = testSettings();
  const small = await SmallProject.create();
  await small.append(1_000);
  const stop = new AbortController();
  const ready = new EventTarget();
  const polls = once(ready, 'ready');
  const gone = runWorker({
    settings,
    project: small.project,
    signal: stop.signal,
    onReady: () => ready.dispatchEvent(new Event('ready')),
    workflows: WORKFLOWS,
  });
  await polls;
  stop.abort();
  await gone;
  const temporal = await testClient(settings);
  const start = () => startMaterialization(temporal, settings, { view: small.view });
  expect(await rejectionCode(start())).toBe('TASK_QUEUE_UNPOLLED');
  await startWorker(small, settings);
  const run = await start();
  expect(await waitForRun(temporal.client, run)).toMatchObject({ rows: '100' });
  expect(await small.runKeys()).toHaveLength(1);
});
