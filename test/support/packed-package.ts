import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { projectRoot } from './paths.js';
import { PROGRAM_LIMIT } from './program-limit.js';

interface PackReport {
  readonly filename: string;
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string; readonly size: number }[];
}

/** Packs the build that the test run has made, as `npm pack` does, into a folder. */
export function packPackage(folder: string): PackReport & { readonly file: string } {
  const args = ['pack', '--ignore-scripts', '--json', '--loglevel=error', '--pack-destination', folder];
  const [report] = JSON.parse(
    execFileSync('npm', args, { cwd: projectRoot, encoding: 'utf8', ...PROGRAM_LIMIT }),
  ) as PackReport[];
  if (report === undefined) throw new Error('npm pack reported nothing');
  return { ...report, file: join(folder, report.filename) };
}
