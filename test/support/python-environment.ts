import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { userCacheFolder } from '../../workers/server/user-cache.js';

/**
 * The interpreter of a Python environment with exactly the packages of a requirements file, made once and kept in the
 * user's cache folder under the hash of that file. Throws where there is no Python 3 with venv and pip.
 *
 * Its scripts name the folder they were made in: start programs with the interpreter (`python -m`), not by `bin/NAME`.
 */
export function pythonEnvironment(requirements: string): string {
  const hash = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 16);
  const name = basename(requirements, '.txt').replace(/^requirements-?/, '') || 'interop';
  const folder = join(userCacheFolder(), `${name}-python-${hash}`);
  const interpreter = join(folder, 'bin/python');
  if (!existsSync(interpreter)) makeEnvironment(folder, requirements);
  return interpreter;
}

function makeEnvironment(folder: string, requirements: string): void {
  const staging = `${folder}.${process.pid}`;
  mkdirSync(dirname(folder), { recursive: true });
  process.stderr.write(`tests: making the Python environment of ${basename(requirements)} (once) ...\n`);
  execFileSync('python3', ['-m', 'venv', staging], { stdio: ['ignore', 'ignore', 'inherit'] });
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements];
  execFileSync(join(staging, 'bin/python'), pip, { stdio: ['ignore', 'ignore', 'inherit'] });
  if (existsSync(folder)) rmSync(staging, { recursive: true });
  else renameSync(staging, folder);
}
