/** Other releases of Node than the one that runs the tests, from npm's packages of its binaries. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { userCacheFolder } from '../../workers/server/user-cache.js';

/** The long-term releases above the floor in `package.json`. */
export const NEWER_NODES = ['22.23.3', '24.21.0'] as const;

/** The folder with a release's `node`, fetched once and kept in the user's cache folder. */
export function nodeFolder(version: string): string {
  const kept = join(userCacheFolder(), `node-${version}`);
  const name = `node-${process.platform}-${process.arch}`;
  const folder = join(kept, 'node_modules', name, 'bin');
  if (existsSync(folder)) return folder;
  const staging = `${kept}.${process.pid}`;
  mkdirSync(staging, { recursive: true });
  const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  execFileSync('npm', ['install', '--prefix', staging, ...options, `${name}@${version}`], { stdio: 'inherit' });
  mkdirSync(dirname(kept), { recursive: true });
  if (existsSync(kept)) rmSync(staging, { recursive: true });
  else renameSync(staging, kept);
  return folder;
}

/** Variables under which `node`, and every command that is written for it, is that release. */
export function nodeEnvironment(version: string): NodeJS.ProcessEnv {
  return { PATH: `${nodeFolder(version)}${delimiter}${process.env.PATH ?? ''}` };
}
