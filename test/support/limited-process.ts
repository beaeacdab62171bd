/** The real program as a process of its own with less of something: open files, file size, disk. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DIST } from './cli.js';
import { projectRoot } from './paths.js';

/** The answer of the library's materialization: its result, or its error. */
export type MaterializeReport =
  | { readonly kind: string; readonly rows: string; readonly files: number }
  | { readonly code: string; readonly message: string };

/**
 * Materializes a view by the library in a process of its own.
 * @param limits options of `prlimit`, such as `--nofile=256:256`
 */
export async function materializeLimited(
  folder: string,
  view: string,
  limits: readonly string[] = [],
): Promise<MaterializeReport> {
  const program = join(projectRoot, 'test/support/materialize-program.mjs');
  const { stdout } = await promisify(execFile)(process.execPath, [program, DIST, folder, view, ...limits]);
  return JSON.parse(stdout) as MaterializeReport;
}
