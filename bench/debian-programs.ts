/** Programs of Debian that jobs compare with or measure by, unpacked into the user's cache folder: nothing is installed. */
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { keptInCache } from '../test/support/kept-in-cache.js';

/** Packages of the programs, with the libraries that a small machine does not have. */
const PACKAGES = {
  'redis-server': ['redis-server', 'redis-tools', 'liblzf1', 'libjemalloc2'],
  wrk: ['wrk', 'libluajit-5.1-2', 'libluajit-5.1-common'],
} as const;

export interface DebianProgram {
  readonly path: string;
  /** Environment that it needs beside the machine's. */
  readonly env: { readonly LD_LIBRARY_PATH: string };
}

/** A program of a package; the first call on a machine downloads it by `apt-get download`. */
export function debianProgram(name: keyof typeof PACKAGES): DebianProgram {
  const folder = keptInCache(`debian-${name}`, (staging) => {
    execFileSync('apt-get', ['download', ...PACKAGES[name]], { cwd: staging, stdio: ['ignore', 'ignore', 'pipe'] });
    for (const file of readdirSync(staging).filter((each) => each.endsWith('.deb')))
      execFileSync('dpkg', ['-x', file, '.'], { cwd: staging });
  });
  const libraries = join(folder, 'usr/lib/x86_64-linux-gnu');
  return { path: join(folder, 'usr/bin', name), env: { LD_LIBRARY_PATH: libraries } };
}
