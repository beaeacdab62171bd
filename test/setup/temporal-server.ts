/** Global setup: one local Temporal server for the whole run, found or started as in production. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { startOrJoinLocalServer } from '../../workers/server/local-server.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** `host:port` of the Temporal server of this test run. */
    temporalAddress: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const stateFolder = mkdtempSync(join(tmpdir(), 'moraine-test-temporal-'));
  const server = await startOrJoinLocalServer({
    stateFolder,
    announce: (message) => process.stderr.write(`tests: ${message}\n`),
  });
  project.provide('temporalAddress', server.address);
  return async () => {
    await server.close();
    rmSync(stateFolder, { recursive: true, force: true });
  };
}
