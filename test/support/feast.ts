import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { inject } from 'vitest';
import { projectRoot } from './paths.js';
import { pythonEnvironment } from './python-environment.js';

const run = promisify(execFile);

/**
 * The interpreter of an environment with the real Feast (its DuckDB store, PyIceberg), as pinned in
 * `test/interop/requirements-feast.txt`: made by the first call on a machine (minutes), found by every other. Null where
 * there is no Python, which the interop tests report (an error in CI).
 */
export function feastPython(): string | null {
  return inject('python') === null ? null : pythonEnvironment(join(projectRoot, 'test/interop/requirements-feast.txt'));
}

/** Runs a Python program, by its path in the repository, with the real Feast; parses the JSON of its last line. */
export async function feastProgram<T>(program: string, ...args: string[]): Promise<T> {
  const interpreter = feastPython();
  if (interpreter === null) throw new Error('no Python environment');
  const { stdout } = await run(interpreter, ['-W', 'ignore', join(projectRoot, program), ...args], {
    maxBuffer: 1 << 28,
    env: { ...process.env, FEAST_USAGE: 'False', PYTHONDONTWRITEBYTECODE: '1' },
  });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? 'null') as T;
}
