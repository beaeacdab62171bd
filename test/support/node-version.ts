/** Other releases of Node than the one that runs the tests, from npm's packages of its binaries. */
import { execFileSync } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { keptInCache } from './kept-in-cache.js';
import { PROGRAM_LIMIT } from './program-limit.js';

/** The long-term releases above the floor in `package.json`. */
export const NEWER_NODES = ['22.23.3', '24.21.0'] as const;

/** The folder with a release's `node`. */
export function nodeFolder(version: string): string {
  const name = `node-${process.platform}-${process.arch}`;
  const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const kept = keptInCache(`node-${version}`, (folder) => {
    execFileSync('npm', ['install', '--prefix', folder, ...options, `${name}@${version}`], {
      stdio: 'inherit',
      ...PROGRAM_LIMIT,
    });
  });
  return join(kept, 'node_modules', name, 'bin');
}

/** Variables under which `node`, and every command that is written for it, is that release. */
export function nodeEnvironment(version: string): NodeJS.ProcessEnv {
  return { PATH: `${nodeFolder(version)}${delimiter}${process.env.PATH ?? ''}` };
}
