/** One spelling for every file, so that a listed file and one that a table names can be compared. */
import { MoraineError } from '../errors/index.js';
import { comparableLocation, type FileIO } from '../storage/index.js';

/** Folders that are remembered. */
const MAX_FOLDERS = 100_000;

/** Canonical paths as the storage resolves them: `file:` spellings, `..` and links are gone. Each folder is asked for once. */
export class CanonicalPaths {
  readonly #io: FileIO;
  readonly #folders = new Map<string, Promise<string>>();

  constructor(io: FileIO) {
    this.#io = io;
  }

  /** @throws MoraineError `LOCATION_REFUSED` for a location of another scheme, of a host, or outside the allowed roots */
  async of(location: string): Promise<string> {
    const path = comparableLocation(location);
    const slash = path.lastIndexOf('/');
    const name = path.slice(slash + 1);
    if (slash < 0 || name === '' || name === '..') return this.#io.resolve(location);
    return `${await this.#folder(path.slice(0, slash))}/${name}`;
  }

  #folder(path: string): Promise<string> {
    let resolved = this.#folders.get(path);
    if (resolved === undefined) {
      if (this.#folders.size >= MAX_FOLDERS) this.#folders.clear();
      resolved = this.#io.resolve(path === '' ? '/' : path).then((folder) => (folder === '/' ? '' : folder));
      this.#folders.set(path, resolved);
    }
    return resolved;
  }
}

/** A table names a file in a way that cannot be compared with what is stored: nothing may be deleted on such grounds. */
export function prefixMismatch(table: string, location: string, cause: unknown): MoraineError {
  const message = `Table ${table} names the file ${JSON.stringify(location)}, which cannot be compared with the files of its folder: its scheme, host or root is another one. Nothing was deleted. Add its folder to storage.roots, or have the table's files rewritten under its location.`;
  return new MoraineError('LOCATION_REFUSED', message, { details: { location }, cause });
}
