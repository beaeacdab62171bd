/**
 * Global setup: the Python environment of the interop tests (PyIceberg, fastavro), made once and kept in the user's
 * cache folder under the hash of its requirements. Without Python these tests are reported as not run; in CI that is an error.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { projectRoot } from '../support/paths.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** The interpreter of the interop environment, or null where there is no Python. */
    python: string | null;
  }
}

const REQUIREMENTS = join(projectRoot, 'test/interop/requirements.txt');

function environmentFolder(): string {
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  const hash = createHash('sha256').update(readFileSync(REQUIREMENTS)).digest('hex').slice(0, 16);
  return join(cache, 'moraine', `interop-python-${hash}`);
}

function makeEnvironment(folder: string): void {
  const staging = `${folder}.${process.pid}`;
  mkdirSync(dirname(folder), { recursive: true });
  process.stderr.write('interop tests: making a Python environment (once) ...\n');
  execFileSync('python3', ['-m', 'venv', staging], { stdio: ['ignore', 'ignore', 'inherit'] });
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', REQUIREMENTS];
  execFileSync(join(staging, 'bin/python'), pip, { stdio: ['ignore', 'ignore', 'inherit'] });
  if (existsSync(folder)) rmSync(staging, { recursive: true });
  else renameSync(staging, folder);
}

export default function setup(project: TestProject): void {
  const folder = environmentFolder();
  const interpreter = join(folder, 'bin/python');
  try {
    if (!existsSync(interpreter)) makeEnvironment(folder);
    execFileSync(interpreter, ['-c', 'import pyiceberg, fastavro, pyarrow'], { stdio: 'ignore' });
    project.provide('python', interpreter);
  } catch (error) {
    if (process.env.CI) throw new Error('the interop tests need Python 3 with venv and pip', { cause: error });
    process.stderr.write(
      `\n${'!'.repeat(78)}\n!! INTEROP TESTS NOT RUN: no Python 3 with venv and pip was found (${String(error)})\n${'!'.repeat(78)}\n\n`,
    );
    project.provide('python', null);
  }
}
