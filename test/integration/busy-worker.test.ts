/** A real worker process whose workflow code fails, turns without a step, or keeps a thread for good: it says so, and ends on SIGTERM. */
import { cpSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { showRun } from '../../runs/index.js';
import { connectClient, type TemporalClient } from '../../workers/clients/connection.js';
import { bundleWorkflows } from '../../workers/worker/bundle.js';
import { DIST } from '../support/cli.js';
import { projectRoot } from '../support/paths.js';
import { lastingFolder } from '../support/temp-folder.js';
import { testSettings } from '../support/temporal.js';
import { startWorkerProcess, type WorkerProcess } from '../support/worker-process.js';

const WORKFLOWS = `
import { turns } from ${JSON.stringify(join(projectRoot, 'workflows/turns.ts'))};

export async function turning() {
  for (const turn of turns()) await Promise.resolve(turn);
}
export async function waiting() {
  return 'done';
}
export async function broken() {
  throw new TypeError('nobody is there');
}
// Outside of the sandbox, where the SDK ends no loop.
export async function busy() {
  AbortController.constructor('Promise.resolve().then(() => { for (;;); })')();
}
`;

const folder = lastingFolder();
const settings = testSettings();
const { taskQueue } = settings;
let temporal: TemporalClient;
let worker: WorkerProcess;
let url: string;

/** A copy of the package with other workflows. @returns the command's entry */
async function packageWith(workflows: string): Promise<string> {
  const entry = join(folder.path, 'workflows.js');
  writeFileSync(entry, workflows);
  symlinkSync(join(projectRoot, 'node_modules'), join(folder.path, 'node_modules'));
  cpSync(join(projectRoot, 'package.json'), join(folder.path, 'package.json'));
  cpSync(DIST, join(folder.path, 'dist'), { recursive: true });
  writeFileSync(join(folder.path, 'dist/workflow-bundle.js'), (await bundleWorkflows(entry)).code);
  return join(folder.path, 'dist/cli/main.js');
}

function start(workflow: string) {
  const workflowId = `${workflow}-${taskQueue}`;
  return temporal.client.workflow.start(workflow, { workflowId, taskQueue, workflowTaskTimeout: '3s' });
}

async function readiness(): Promise<{ status: string; problems: readonly string[]; code: number }> {
  const response = await fetch(`${url}/readyz`);
  const { status, problems } = (await response.json()) as { status: string; problems: readonly string[] };
  return { status, problems, code: response.status };
}

beforeAll(async () => {
  temporal = await connectClient(settings);
  writeFileSync(
    join(folder.path, 'moraine.yaml'),
    'catalogs:\n  local: { uri: catalog.db, warehouse: warehouse }\nworker: { shutdownGraceSeconds: 1 }\n',
  );
  const main = await packageWith(WORKFLOWS);
  const args = ['worker', '--task-queue', taskQueue, '--health', '127.0.0.1:0'];
  worker = await startWorkerProcess(folder.path, args, { TEMPORAL_ADDRESS: settings.address }, { main });
  url = /health (http:\S+)\/healthz/.exec(worker.errors())?.[1] ?? '';
});

afterAll(async () => {
  worker.kill('SIGKILL');
  await worker.ended;
  await temporal.close();
  folder.remove();
});

const POLL = { timeout: 60_000, interval: 250 };

test('a loop that turns without a step fails its run, and the worker is ready', async () => {
  const run = await start('turning');
  const failure: unknown = await run.result().catch((error: unknown) => error);
  expect((failure as Error).cause).toMatchObject({
    type: 'INTERNAL',
    message: expect.stringMatching(/^A loop of turning turned 1000 times without a step\./) as string,
  });
  expect(await readiness()).toEqual({ status: 'ready', problems: [], code: 200 });
});

test('a worker whose workflow code fails is not ready, and names it', async () => {
  const run = await start('broken');
  await expect.poll(readiness, POLL).toEqual({
    status: 'failing',
    code: 503,
    problems: [expect.stringMatching(/^Workflow tasks of broken failed \d/)],
  });
  expect((await showRun(temporal.client, run.workflowId)).blocked).toMatch(
    /^its workflow code fails, attempt \d+: nobody is there$/,
  );
  await run.terminate();
});

test('a worker whose thread is kept busy says so, and ends on SIGTERM with a message', async () => {
  const run = await start('busy');
  const problems = async (): Promise<string> => (await readiness()).problems.join(' ');
  await expect.poll(problems, POLL).toMatch(/Workflow code has kept a thread busy for \d+ s\.$/);
  expect(await readiness()).toMatchObject({ status: 'failing', code: 503 });
  expect((await showRun(temporal.client, run.workflowId)).blocked).toMatch(
    /^its workflow code does not come to an end/,
  );
  worker.kill('SIGTERM');
  expect(await worker.ended).toEqual({ code: 8, signal: null });
  expect(worker.errors()).toContain('The worker did not end within its grace');
  expect(worker.errors()).toContain('[TIMED_OUT]');
  await run.terminate();
});
