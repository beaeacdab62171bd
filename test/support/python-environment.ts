import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { keptInCache } from './kept-in-cache.js';

/**
 * The interpreter of a Python environment with exactly the packages of a requirements file, made once and kept in the
 * user's cache folder under the hash of that file. Throws where there is no Python 3 with venv and pip.
 *
 * Its scripts name the folder they were made in: start programs with the interpreter (`python -m`), not by `bin/NAME`.
 */
export function pythonEnvironment(requirements: string): string {
  const hash = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 16);
  const name = basename(requirements, '.txt').replace(/^requirements-?/, '') || 'interop';
  const folder = keptInCache(`${name}-python-${hash}`, (staging) => makeEnvironment(staging, requirements));
  return join(folder, 'bin/python');
}

function makeEnvironment(folder: string, requirements: string): void {
  process.stderr.write(`tests: making the Python environment of ${basename(requirements)} (once) ...\n`);
  execFileSync('python3', ['-m', 'venv', folder], { stdio: ['ignore', 'ignore', 'inherit'] });
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements];
  execFileSync(join(folder, 'bin/python'), pip, { stdio: ['ignore', 'ignore', 'inherit'] });
}
