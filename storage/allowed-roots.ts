/** Which files may be touched: those that lie under an allowed root once `..` and symbolic links are resolved. */
import { mkdir, readlink, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { MoraineError } from '../errors/index.js';
import { normalizeLocation, printableLocation } from './location.js';
import { storageError } from './storage-error.js';

const MAX_LINKS = 40;

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | null)?.code;
}

/** The target of a symbolic link, or null if the path is no link (or nothing). */
async function linkTarget(path: string): Promise<string | null> {
  try {
    return await readlink(path);
  } catch {
    return null;
  }
}

/** Resolves `..` and symbolic links; of a path that does not exist, those of its existing part (and of dangling links). */
async function physicalPath(path: string, linksLeft = MAX_LINKS): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' || path === '/') throw error;
  }
  const parent = await physicalPath(dirname(path), linksLeft);
  const name = basename(path);
  if (name === '..') return dirname(parent);
  const full = join(parent, name);
  const target = await linkTarget(full);
  if (target === null) return full;
  if (linksLeft === 0) throw Object.assign(new Error('too many symbolic links'), { code: 'ELOOP' });
  return physicalPath(target.startsWith('/') ? target : `${parent}/${target}`, linksLeft - 1);
}

function isUnder(path: string, root: string): boolean {
  return path === root || root === '/' || path.startsWith(`${root}/`);
}

/** A fixed set of allowed roots, each a folder or a single file. */
export class AllowedRoots {
  readonly #roots: readonly string[];
  readonly #create: boolean;
  #physicalRoots: readonly string[] | undefined;

  constructor(roots: readonly string[], create: boolean) {
    this.#roots = roots.map(normalizeLocation);
    this.#create = create;
  }

  /**
   * The physical path of an existing or future file.
   * @throws MoraineError `LOCATION_REFUSED` outside every root
   */
  async resolve(location: string): Promise<string> {
    const literal = normalizeLocation(location);
    const roots = await this.#resolveRoots();
    let path: string;
    try {
      path = await physicalPath(literal);
    } catch (error) {
      throw storageError(error, 'resolve', location);
    }
    if (roots.some((root) => isUnder(path, root))) return path;
    const message = `Location ${printableLocation(location)} is outside the allowed storage roots (${this.#roots.join(', ')}).`;
    throw new MoraineError('LOCATION_REFUSED', message, { details: { location, roots: this.#roots } });
  }

  async #resolveRoots(): Promise<readonly string[]> {
    if (this.#physicalRoots !== undefined) return this.#physicalRoots;
    try {
      if (this.#create) await Promise.all(this.#roots.map((root) => mkdir(root, { recursive: true })));
      const physical = await Promise.all(this.#roots.map((root) => physicalPath(root)));
      // Only roots that exist are remembered: a missing one may yet become a symbolic link.
      const exist = await Promise.all(
        physical.map((root) =>
          realpath(root).then(
            () => true,
            () => false,
          ),
        ),
      );
      if (exist.every(Boolean)) this.#physicalRoots = physical;
      return physical;
    } catch (error) {
      throw storageError(error, 'open the storage root', this.#roots.join(', '));
    }
  }
}
