import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, inject } from 'vitest';
import { projectRoot } from './paths.js';

const run = promisify(execFile);

/** `describe` for tests that need the Python environment; without Python they show as skipped (an error in CI). */
export const describeInterop: ReturnType<typeof describe.skipIf> = describe.skipIf(inject('python') === null);

/** Runs a program of `test/interop/programs` in the interop environment and parses the JSON it prints last. */
export async function python<T>(program: string, ...args: string[]): Promise<T> {
  const interpreter = inject('python');
  if (interpreter === null) throw new Error('no Python environment');
  const path = join(projectRoot, 'test/interop/programs', program);
  const { stdout } = await run(interpreter, [path, ...args], { maxBuffer: 1 << 28 });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? 'null') as T;
}
