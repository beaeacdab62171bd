/** Global setup of the tests that share one Trino, with its store and its database. */
import type { TestProject } from 'vitest/node';
import { startTrinoLake, type TrinoLake } from '../support/trino-lake.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** What runs, for tests that share it. */
    trinoLake: Pick<TrinoLake, 'trino' | 'database' | 'place'>;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const lake = await startTrinoLake();
  const { trino, database, place } = lake;
  project.provide('trinoLake', { trino, database, place });
  return () => lake.close();
}
