/** Two projects with equal names on one Temporal server, as people configure and use them. */
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { WorkflowFailedError } from '@temporalio/client';
import { onTestFinished } from 'vitest';
import { createMoraine, type Moraine } from '../../index.js';
import { runWorker, type WorkerRole } from '../../workers/index.js';
import { SmallProject } from './small-project.js';
import { testClient, testSettings, WORKFLOWS } from './temporal.js';

const { address } = testSettings();

export interface Side {
  readonly small: SmallProject;
  readonly library: Moraine;
  readonly taskQueue: string;
}

/** A project that is configured as a person would, with so many sensors in its source. */
export async function side(view: string, taskQueue: string, sensors: number): Promise<Side> {
  const small = await SmallProject.create({ view });
  for (const second of [0, 100, 200, 300, 400]) await small.append(sensors, second);
  const config = `catalogs:
  local: { uri: catalog.db, warehouse: warehouse }
engine: { memoryLimit: 500MB, threads: 1, tempDirectory: tmp }
temporal: { address: "${address}", taskQueue: ${taskQueue} }
`;
  writeFileSync(join(small.folder, 'moraine.yaml'), config);
  const library = await createMoraine({ cwd: small.folder });
  onTestFinished(() => library.close());
  return { small, library, taskQueue };
}

/** The real worker until the test has finished; rejects as it does. */
export async function work({ library, taskQueue }: Side, roles?: readonly WorkerRole[]): Promise<void> {
  const stop = new AbortController();
  const settings = { ...testSettings(), taskQueue };
  const { project } = library;
  let running = Promise.resolve();
  await new Promise<void>((onReady, fail) => {
    const given = roles === undefined ? {} : { roles };
    running = runWorker({ settings, project, onReady, signal: stop.signal, workflows: WORKFLOWS, ...given });
    running.catch(fail);
  });
  onTestFinished(async () => {
    stop.abort();
    await running;
  });
}

export const newView = (): string => `same_${randomUUID().slice(0, 8)}`;
export const newQueue = (): string => `queue-${randomUUID().slice(0, 8)}`;

/** Starts a workflow as the web UI does. */
export async function byHand({ taskQueue }: Side, type: string, input: unknown, workflowId: string = randomUUID()) {
  const { client } = await testClient({ ...testSettings(), taskQueue });
  return client.workflow.start(type, { workflowId, taskQueue, args: [input] as [unknown] });
}

/** Why a workflow failed, below what Temporal wraps around it. */
export async function reasonOf(result: Promise<unknown>): Promise<string> {
  const error = await result.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  let cause: unknown = error instanceof WorkflowFailedError ? error.cause : error;
  while (cause instanceof Error && cause.cause instanceof Error && !('type' in cause && cause.type != null)) {
    cause = cause.cause;
  }
  const { type, message } = cause as { type?: string; message?: string };
  return `${type}: ${message}`;
}
