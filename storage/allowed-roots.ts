/** Which files may be touched: those that lie under an allowed root once `..` and symbolic links are resolved. */
import { readlink, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { MoraineError } from '../errors/index.js';
import { type Location, normalizeLocation, type PrefixMap, printableLocation } from '../locations/index.js';
import { makeFolders } from '../processes/index.js';
import { storageError } from './storage-error.js';

const MAX_LINKS = 40;

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | null)?.code;
}

/** The target of a symbolic link, or null if the path is not a link (or nothing). */
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

const isThere = (path: string): Promise<boolean> =>
  realpath(path).then(
    () => true,
    () => false,
  );

function isUnder(path: string, root: string): boolean {
  return path === root || root === '/' || path.startsWith(`${root}/`);
}

/** A fixed set of allowed roots, each a folder or a single file. */
export class AllowedRoots {
  readonly #roots: readonly string[];
  readonly #create: boolean;
  readonly #prefixes: PrefixMap;
  #physicalRoots: readonly string[] | undefined;
  /** Why roots could not be opened. */
  readonly #errors = new Map<string, Error>();

  /** @param prefixes of locations that mean other folders than they say */
  constructor(roots: readonly string[], create: boolean, prefixes: PrefixMap) {
    this.#prefixes = prefixes;
    this.#roots = roots.map(normalizeLocation);
    this.#create = create;
  }

  /**
   * The physical path of an existing or future file.
   * @throws MoraineError `LOCATION_REFUSED` outside every root
   */
  async resolve(location: Location): Promise<string> {
    const literal = this.#prefixes.pathOf(location);
    const roots = await this.#resolveRoots();
    const path = await physicalPath(literal).catch((error: unknown) => {
      throw this.#errorOfRoot(literal) ?? storageError(error, 'resolve', location);
    });
    if (roots.some((root) => isUnder(path, root))) return this.#settled(location, path);
    const broken = this.#errorOfRoot(literal);
    if (broken !== undefined) throw broken;
    const moved = (await isThere(path))
      ? ''
      : ' There is no such file here: if the project was moved, run moraine doctor.';
    const message = `Location ${printableLocation(location)} is outside the allowed storage roots (${this.#roots.join(', ')}).${moved}`;
    throw new MoraineError('LOCATION_REFUSED', message, { details: { location, roots: this.#roots } });
  }

  /** As {@link resolve}, but a symbolic link at the end of the path is not followed: its own place. */
  async resolvePlace(location: Location): Promise<string> {
    const target = await this.resolve(location);
    const literal = this.#prefixes.pathOf(location);
    const name = basename(literal);
    return name === '' || name === '..' ? target : join(await physicalPath(dirname(literal)), name);
  }

  /** A path is a location, too: it must mean itself. */
  #settled(location: Location, path: string): string {
    const again = this.#prefixes.pathOf(path);
    if (again === path) return path;
    const message = `Location ${printableLocation(location)} is the file ${path}, which storage.locations maps to ${again}. Map no prefix that a link leads to.`;
    throw new MoraineError('LOCATION_REFUSED', message, { details: { location } });
  }

  #errorOfRoot(path: string): Error | undefined {
    const root = this.#roots.find((candidate) => this.#errors.has(candidate) && isUnder(path, candidate));
    return root === undefined ? undefined : this.#errors.get(root);
  }

  /** Roots as they are on disk. One that cannot be opened keeps nobody from the others: what lies under it cannot be opened either. */
  async #resolveRoots(): Promise<readonly string[]> {
    if (this.#physicalRoots !== undefined) return this.#physicalRoots;
    const opened = await Promise.all(this.#roots.map((root) => this.#openRoot(root)));
    const physical = opened.flatMap((root) => (root === undefined ? [] : [root.path]));
    // Only roots that exist are remembered: a missing one may yet become a symbolic link.
    if (opened.every((root) => root?.exists === true)) this.#physicalRoots = physical;
    return physical;
  }

  async #openRoot(root: string): Promise<{ readonly path: string; readonly exists: boolean } | undefined> {
    try {
      if (this.#create) await makeFolders(root);
      const path = await physicalPath(root);
      const exists = await isThere(path);
      this.#errors.delete(root);
      return { path, exists };
    } catch (error) {
      this.#errors.set(root, storageError(error, 'open the storage root', root));
      return undefined;
    }
  }
}
