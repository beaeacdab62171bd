/** Files of Maven Central, kept in the user's cache folder. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { tryLockFile } from '../../processes/index.js';
import { userCacheFolder } from '../../workers/server/user-cache.js';

/** A file of Maven Central. */
export interface Jar {
  /** `GROUP:ARTIFACT:VERSION`, and `:CLASSIFIER` for a file that is not the artifact itself; `@EXTENSION` where it is no jar. */
  readonly coordinates: string;
  readonly sha256: string;
}

const TRIES = 5;

/** The files that a list names: a line for each with its coordinates and SHA-256; `#` begins a comment. */
export function jarsOf(list: string): readonly Jar[] {
  const lines = readFileSync(list, 'utf8').split('\n');
  return lines
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [coordinates = '', sha256 = ''] = line.split(' ');
      return { coordinates, sha256 };
    });
}

/** Milliseconds between two looks at whether another process has downloaded a file. */
const LOOK_MS = 500;

/**
 * The path of a file, which is downloaded by one process unless it exists. Throws if what was downloaded is not the file of the known
 * digest.
 */
export async function cachedJar({ coordinates, sha256 }: Jar): Promise<string> {
  const [parts = '', extension = 'jar'] = coordinates.split('@');
  const [group = '', artifact = '', version = '', classifier] = parts.split(':');
  const file = `${artifact}-${version}${classifier === undefined ? '' : `-${classifier}`}.${extension}`;
  const path = join(userCacheFolder(), file);
  mkdirSync(dirname(path), { recursive: true });
  for (; !existsSync(path); await sleep(LOOK_MS)) {
    const lock = await tryLockFile(`${path}.lock`);
    if (lock === undefined) continue;
    try {
      if (!existsSync(path))
        await downloadTo(path, { coordinates, sha256 }, `${group.replaceAll('.', '/')}/${artifact}/${version}/${file}`);
    } finally {
      lock.release();
    }
  }
  return path;
}

async function downloadTo(path: string, { coordinates, sha256 }: Jar, place: string): Promise<void> {
  const bytes = await download(`https://repo1.maven.org/maven2/${place}`);
  const digest = createHash('sha256').update(bytes).digest('hex');
  if (digest !== sha256) throw new Error(`${coordinates} has the SHA-256 ${digest}, not ${sha256}`);
  const staging = `${path}.${process.pid}`;
  writeFileSync(staging, bytes);
  renameSync(staging, path);
}

async function download(url: string): Promise<Buffer> {
  for (let tries = 1; ; tries += 1) {
    try {
      const response = await fetch(url);
      if (!response.ok) throw new Error(`${url} answered ${response.status}`);
      return Buffer.from(await response.arrayBuffer());
    } catch (error) {
      if (tries === TRIES) throw error;
      await sleep(1000 * tries);
    }
  }
}
