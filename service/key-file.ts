/** The file of API keys: read while the service runs, changed by commands. */
import { readFile, rename, stat, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { MoraineError } from '../errors/index.js';
import { type FileLock, tryLockFile } from '../processes/index.js';
import { type ApiKey, keyFileSchema, newApiKey, type Scope } from './api-keys.js';
import { WatchedFiles } from './watched-files.js';

const OWNER_ONLY = 0o600;
/** Milliseconds that a change waits for others, and between two looks whether they are done. */
const LOCK_WAIT_MS = 10_000;
const LOCK_LOOK_MS = 20;

/** @throws CONFIG_INVALID if the file is not there or has another content */
export async function readKeyFile(path: string): Promise<readonly ApiKey[]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw invalid(path, error instanceof Error ? error.message : String(error), error);
  });
  try {
    return keyFileSchema.parse(JSON.parse(text)).keys;
  } catch (error) {
    throw invalid(path, 'it is not what `moraine serve key create` writes', error);
  }
}

function invalid(path: string, reason: string, cause: unknown): MoraineError {
  return new MoraineError('CONFIG_INVALID', `The file of API keys (server.keys) ${path} cannot be read: ${reason}.`, {
    cause,
    remedy: 'Make it with `moraine serve key create NAME`.',
  });
}

/**
 * Adds a key to the file, which is made if it is not there.
 * @returns the key, which is kept nowhere
 * @throws STORAGE_UNAVAILABLE if other changes of the file do not end
 */
export async function createApiKey(path: string, name: string, scopes: readonly Scope[]): Promise<string> {
  const { key, kept } = newApiKey(name, scopes, new Date());
  await changeKeyFile(path, async () => [...(await keysOrNone(path)), kept]);
  return key;
}

/** Takes a key out of the file. @throws INVALID_ARGUMENT if there is none of this id; STORAGE_UNAVAILABLE as {@link createApiKey} */
export async function deleteApiKey(path: string, id: string): Promise<void> {
  await changeKeyFile(path, async () => {
    const keys = await readKeyFile(path);
    const left = keys.filter((key) => key.id !== id);
    if (left.length < keys.length) return left;
    throw new MoraineError('INVALID_ARGUMENT', `There is no API key with the id '${id}' in ${path}.`);
  });
}

/** One change at a time, also of several processes: each reads what the one before has written. */
async function changeKeyFile(path: string, change: () => Promise<readonly ApiKey[]>): Promise<void> {
  const lock = await lockOf(path);
  try {
    await writeKeyFile(path, await change());
  } finally {
    lock.release();
  }
}

/** The file beside it stays, since others may be waiting for its lock. */
async function lockOf(path: string): Promise<FileLock> {
  const until = performance.now() + LOCK_WAIT_MS;
  for (;;) {
    const lock = await tryLockFile(`${path}.lock`);
    if (lock !== undefined) return lock;
    if (performance.now() > until) break;
    await sleep(LOCK_LOOK_MS);
  }
  throw new MoraineError(
    'STORAGE_UNAVAILABLE',
    `The file of API keys ${path} was not changed: another process has held ${path}.lock for ${LOCK_WAIT_MS / 1000} s.`,
    { remedy: 'Repeat the command when the other one has ended.' },
  );
}

async function keysOrNone(path: string): Promise<readonly ApiKey[]> {
  const exists = await stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
  );
  return exists ? await readKeyFile(path) : [];
}

async function writeKeyFile(path: string, keys: readonly ApiKey[]): Promise<void> {
  const written = `${path}.${process.pid}.tmp`;
  await writeFile(written, `${JSON.stringify({ keys }, undefined, 2)}\n`, { mode: OWNER_ONLY });
  await rename(written, path);
}

/** The keys of a file, followed while it changes. */
export class WatchedKeys {
  readonly #file: WatchedFiles<readonly ApiKey[]>;

  private constructor(file: WatchedFiles<readonly ApiKey[]>) {
    this.#file = file;
  }

  /**
   * @param failed is told why a changed file cannot be read; the keys stay as they were
   * @throws CONFIG_INVALID if it cannot be read now
   */
  static async open(path: string, failed: (error: unknown) => void): Promise<WatchedKeys> {
    return new WatchedKeys(await WatchedFiles.open([path], () => readKeyFile(path), { failed }));
  }

  get keys(): readonly ApiKey[] {
    return this.#file.value;
  }

  close(): void {
    this.#file.close();
  }
}
