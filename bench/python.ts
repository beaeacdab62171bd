/** Running a Python program of the bench beside ours: the foreign engines that the bars name. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { projectRoot } from '../test/support/paths.js';
import { pythonEnvironment } from '../test/support/python-environment.js';
import type { BenchContext } from './job.js';

const run = promisify(execFile);

/** The line of JSON that a program prints: its own measurement, start-up and imports not included. */
export interface ForeignMeasurement {
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
  readonly peakMb: number;
  /** Rows or files of the result, to compare with ours. */
  readonly count: number;
}

/**
 * Runs `bench/programs/PROGRAM` in the environment of `test/interop/REQUIREMENTS`, which the first run on a machine makes (minutes).
 * The job's data folder comes first among its arguments.
 */
export async function runForeign(
  context: BenchContext,
  measure: <T>(body: () => Promise<T>) => Promise<T>,
  program: { readonly name: string; readonly requirements: string },
  ...args: readonly string[]
): Promise<Readonly<Record<string, number>>> {
  const interpreter = pythonEnvironment(join(projectRoot, 'test/interop', program.requirements));
  const path = join(projectRoot, 'bench/programs', program.name);
  const { stdout } = await measure(() =>
    run(interpreter, ['-W', 'ignore', path, context.dataFolder, ...args], {
      cwd: context.scratchFolder,
      maxBuffer: 1 << 24,
      env: { ...process.env, FEAST_USAGE: 'False', PYTHONDONTWRITEBYTECODE: '1', OMP_NUM_THREADS: '2' },
    }),
  );
  const measured = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as ForeignMeasurement;
  return { ...measured };
}
