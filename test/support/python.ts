import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, inject } from 'vitest';

const run = promisify(execFile);

/** `describe` for tests that need the Python environment; without Python they show as skipped (an error in CI). */
export const describeInterop = describe.skipIf(inject('python') === null);

/** Runs a Python program with arguments and parses the JSON it prints. */
export async function python(program: string, ...args: string[]): Promise<unknown> {
  const interpreter = inject('python');
  if (interpreter === null) throw new Error('no Python environment');
  const { stdout } = await run(interpreter, ['-c', program, ...args], { maxBuffer: 1 << 28 });
  return JSON.parse(stdout) as unknown;
}
