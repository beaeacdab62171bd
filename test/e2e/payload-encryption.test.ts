/**
 * With encryption keys, what Temporal stores shows nothing of inputs, results and errors: a canary is looked for in the exported histories
 * and in the files of the server's database. Without keys it is found there, so that the search itself is shown to work.
 */
import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { outcomeOf } from '../../activities/index.js';
import { exportHistory, replayHistories } from '../../testing/index.js';
import {
  connectClient,
  findTemporalCli,
  type LocalServer,
  runWorker,
  type ServerSettings,
  serveCodec,
  startMaterialization,
  startOrJoinLocalServer,
  waitForRun,
} from '../../workers/index.js';
import { failureOf, rejectionCode } from '../support/error-code.js';
import { SmallProject } from '../support/small-project.js';
import { lastingFolder, temporaryFolder } from '../support/temp-folder.js';
import { WORKFLOWS } from '../support/temporal.js';

type Keys = ReadonlyMap<string, Buffer>;

const folder = lastingFolder();
let server: LocalServer;

beforeAll(async () => {
  server = await startOrJoinLocalServer({ stateFolder: folder.path });
});
afterAll(async () => {
  await server.close();
  folder.remove();
});

function settingsWith(taskQueue: string, encryptionKeys: Keys | undefined): ServerSettings {
  const { address } = server;
  const connection = { address };
  const settings = { address, namespace: 'default', taskQueue, connection };
  return encryptionKeys === undefined ? settings : { ...settings, encryptionKeys };
}

/** Runs a worker with these keys until the returned function is called, or the test has finished. */
async function startWorker(small: SmallProject, settings: ServerSettings): Promise<() => Promise<void>> {
  const stop = new AbortController();
  let onReady = (): void => {};
  const ready = new Promise<void>((resolve) => {
    onReady = resolve;
  });
  const { project } = small;
  const running = runWorker({
    settings,
    project,
    signal: stop.signal,
    onReady,
    workflows: WORKFLOWS,
    nativeLog: 'errors',
  });
  await Promise.race([ready, running]);
  const end = async (): Promise<void> => {
    stop.abort();
    await running;
  };
  onTestFinished(end);
  return end;
}

/** A run that succeeds, and one that fails because of the canary in its input, whose message repeats it. */
async function runBoth(small: SmallProject, settings: ServerSettings, canary: string) {
  const temporal = await connectClient(settings);
  onTestFinished(() => temporal.close());
  const { client } = temporal;
  const run = await startMaterialization(temporal, { ...settings, project: null }, { view: small.view });
  expect(await waitForRun(client, run)).toMatchObject({ rows: '100' });
  const workflowId = randomUUID();
  const { taskQueue } = settings;
  const failing = await client.workflow.start('materialize', {
    workflowId,
    taskQueue,
    args: [{ view: small.view, [canary]: canary }],
    memo: { about: canary },
    staticDetails: canary,
  });
  const outcome = await outcomeOf(failing.result());
  expect(outcome).toMatchObject({ status: 'failed', code: 'INVALID_ARGUMENT' });
  expect(JSON.stringify(outcome)).toContain(canary);
  const histories = await Promise.all([run.workflowId, workflowId].map((id) => exportHistory(client, id)));
  return { temporal, run, failed: workflowId, histories, text: histories.map(decodedBase64).join('\n') };
}

/** A history with its payloads as text. */
function decodedBase64(history: string): string {
  return history.replaceAll(
    /"([A-Za-z0-9+/]{8,}={0,2})"/g,
    (whole, text: string) => `${whole} ${Buffer.from(text, 'base64').toString('latin1')}`,
  );
}

/** Everything that the server has on disk. */
function databaseBytes(): Buffer {
  const state = join(folder.path, 'temporal');
  const names = readdirSync(state).filter((name) => /db/.test(name));
  expect(names.length).toBeGreaterThan(0);
  return Buffer.concat(names.map((name) => readFileSync(join(state, name))));
}

async function smallProject(): Promise<SmallProject> {
  const small = await SmallProject.create();
  await small.append(300);
  return small;
}

test('inputs, memos and errors are nowhere in clear text; without keys they are', async () => {
  const keys = new Map([['k1', randomBytes(32)]]);
  const canaries = { clear: `canary_${randomUUID()}`, encrypted: `canary_${randomUUID()}` };
  const small = await smallProject();
  const clear = settingsWith(`clear-${randomUUID()}`, undefined);
  const stopClear = await startWorker(small, clear);
  expect((await runBoth(small, clear, canaries.clear)).text).toContain(canaries.clear);
  await stopClear();
  await small.append(300, 1000);
  const encrypted = settingsWith(`encrypted-${randomUUID()}`, keys);
  await startWorker(small, encrypted);
  const { text, failed, histories } = await runBoth(small, encrypted, canaries.encrypted);
  expect(text).not.toContain(canaries.encrypted);
  expect(text).toContain('Encoded failure');
  const stored = databaseBytes();
  expect(stored.includes(canaries.clear)).toBe(true);
  expect(stored.includes(canaries.encrypted)).toBe(false);
  expect(await shown(failed)).not.toContain(canaries.encrypted);
  const codec = await serveCodec({ host: '127.0.0.1', port: 0 }, { keys, namespace: 'default', origins: [] });
  onTestFinished(() => codec.close());
  expect(await shown(failed, '--codec-endpoint', codec.url)).toContain(canaries.encrypted);
  await replaysWith(keys, histories);
});

/** The `temporal` command's view of a workflow. */
async function shown(workflowId: string, ...options: string[]): Promise<string> {
  const { path } = await findTemporalCli();
  const args = ['workflow', 'show', '--address', server.address, '--workflow-id', workflowId, '--output', 'json'];
  return decodedBase64((await promisify(execFile)(path, [...args, ...options])).stdout);
}

/** Encrypted histories replay with their key, and not without it. */
async function replaysWith(encryptionKeys: Keys, histories: readonly string[]): Promise<void> {
  const exported = temporaryFolder();
  for (const [index, history] of histories.entries()) writeFileSync(join(exported, `${index}.json`), history);
  const replayed = await replayHistories(exported, { workflows: WORKFLOWS, encryptionKeys });
  expect(replayed).toHaveLength(histories.length);
  const others = new Map([['k1', randomBytes(32)]]);
  expect(await rejectionCode(replayHistories(exported, { workflows: WORKFLOWS, encryptionKeys: others }))).toBe(
    'INPUT_UNREADABLE',
  );
}

test('keys are rotated under runs of before; a client without the key is told its id', async () => {
  const [k1, k2] = [randomBytes(32), randomBytes(32)];
  const small = await smallProject();
  const taskQueue = `rotated-${randomUUID()}`;
  const before = settingsWith(taskQueue, new Map([['k1', k1]]));
  const stop = await startWorker(small, before);
  const { run } = await runBoth(small, before, `canary_${randomUUID()}`);
  await stop();
  const rotated = settingsWith(
    taskQueue,
    new Map([
      ['k2', k2],
      ['k1', k1],
    ]),
  );
  await startWorker(small, rotated);
  const temporal = await connectClient(rotated);
  onTestFinished(() => temporal.close());
  // Payloads that the old key has encrypted are read: the result, and a query that replays the history.
  expect(await waitForRun(temporal.client, run)).toMatchObject({ rows: '100' });
  expect(await temporal.client.workflow.getHandle(run.workflowId).query('progress')).toMatchObject({ step: 'done' });
  const other = await connectClient(settingsWith(taskQueue, new Map([['k2', k2]])));
  onTestFinished(() => other.close());
  const error = await failureOf(waitForRun(other.client, run));
  expect(error.code).toBe('ENCRYPTION_KEY_UNKNOWN');
  expect(error.message).toContain('"k1"');
});
