/**
 * Global setup: the Python environment of the interop tests (PyIceberg, fastavro). Without Python these tests are reported
 * as not run; in CI that is an error.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { projectRoot } from '../support/paths.js';
import { pythonEnvironment } from '../support/python-environment.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** The interpreter of the interop environment, or null where there is no Python. */
    python: string | null;
  }
}

export default function setup(project: TestProject): void {
  try {
    const interpreter = pythonEnvironment(join(projectRoot, 'test/interop/requirements.txt'));
    execFileSync(interpreter, ['-c', 'import pyiceberg, fastavro, pyarrow'], { stdio: 'ignore' });
    project.provide('python', interpreter);
  } catch (error) {
    if (process.env.CI) throw new Error('the interop tests need Python 3 with venv and pip', { cause: error });
    process.stderr.write(
      `\n${'!'.repeat(78)}\n!! INTEROP TESTS NOT RUN: no Python 3 with venv and pip was found (${String(error)})\n${'!'.repeat(78)}\n\n`,
    );
    project.provide('python', null);
  }
}
