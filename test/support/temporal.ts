/** Workers and clients on the Temporal server of this test run. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { NativeConnection, Worker } from '@temporalio/worker';
import { inject, onTestFinished } from 'vitest';
import type { Activities } from '../../activities/contract.js';
import { connectClient, type ServerSettings, type TemporalClient } from '../../workers/clients/connection.js';
import type { ProjectSettings } from '../../workers/temporal-settings.js';
import { installQuietRuntime } from '../../workers/worker/native-runtime.js';
import { DIST } from './cli.js';

/** The workflow bundle that the build has made. */
export const WORKFLOWS = { workflowBundle: { codePath: join(DIST, 'workflow-bundle.js') } };

/**
 * Settings of the run's server, on a task queue of its own.
 * @param project identity of the project whose activities take the runs; scripted ones are of none
 */
export function testSettings(project: string | null = null): ServerSettings & ProjectSettings {
  const address = inject('temporalAddress');
  return { address, namespace: 'default', taskQueue: `test-${randomUUID()}`, connection: { address }, project };
}

/** A client that is closed when the test has finished. */
export async function testClient(settings: ServerSettings): Promise<TemporalClient> {
  const temporal = await connectClient(settings);
  onTestFinished(() => temporal.close());
  return temporal;
}

/** Runs a worker of our workflows with the given activities until the test has finished. */
export async function testWorker(settings: ServerSettings, activities: Activities): Promise<void> {
  installQuietRuntime();
  const connection = await NativeConnection.connect(settings.connection);
  const { taskQueue } = settings;
  const worker = await Worker.create({ connection, taskQueue, ...WORKFLOWS, activities, shutdownGraceTime: 0 });
  const running = worker.run();
  onTestFinished(async () => {
    worker.shutdown();
    await running;
    await connection.close();
  });
}
