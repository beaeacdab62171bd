/** One spelling for every file, so that a listed file and one that a table names can be compared. */
import { MoraineError } from '../../errors/index.js';
import { comparableLocation } from '../../locations/index.js';
import { type FileIO } from '../../storage/index.js';

/** Folders that are remembered. */
const MAX_FOLDERS = 100_000;
/** Links that may follow one another, as on a file system. */
const MAX_LINKS = 40;

const NO_LINKS: ReadonlyMap<string, string> = new Map();

interface Folder {
  /** Without a slash at the end. */
  readonly path: string;
  /** The symbolic links in it, with what they point to. */
  readonly links: ReadonlyMap<string, string>;
}

/** A file's folder and its name there. */
interface Place {
  readonly folder: Folder;
  readonly name: string;
}

const pathOf = ({ folder, name }: Place): string => `${folder.path}/${name}`;

/**
 * Canonical paths as the storage resolves them: `file:` spellings, `..` and linked folders are gone. Each folder is looked at once, so
 * that an instance is right about links as they were when it first saw their folder.
 */
export class CanonicalPaths {
  readonly #io: FileIO;
  readonly #folders = new Map<string, Promise<Folder>>();

  constructor(io: FileIO) {
    this.#io = io;
  }

  /**
   * The place of a file: its folder is resolved, and its own name stays, even where that is a symbolic link.
   * @throws MoraineError `LOCATION_REFUSED` for a location of another scheme, of a host, or outside the allowed roots
   */
  async of(location: string): Promise<string> {
    return pathOf(await this.#place(location));
  }

  /**
   * Every place that a file depends on: its own and, where that is a symbolic link, each one that the link leads through, up to the real file.
   * @throws MoraineError `LOCATION_REFUSED` as {@link of}, also where a link leads there; for links without end
   */
  async all(location: string): Promise<readonly string[]> {
    const places: string[] = [];
    for (let next: string | undefined = location; next !== undefined; ) {
      if (places.length > MAX_LINKS) {
        throw new MoraineError('LOCATION_REFUSED', `The symbolic links of ${JSON.stringify(location)} form a loop.`);
      }
      const place: Place = await this.#place(next);
      places.push(pathOf(place));
      next = place.folder.links.get(place.name);
    }
    return places;
  }

  async #place(location: string): Promise<Place> {
    const path = comparableLocation(location);
    const slash = path.lastIndexOf('/');
    const name = path.slice(slash + 1);
    if (slash >= 0 && name !== '' && name !== '..') return { folder: await this.#folder(path.slice(0, slash)), name };
    const resolved = await this.#io.canonical(location);
    const end = resolved.lastIndexOf('/');
    return { folder: { path: resolved.slice(0, end), links: NO_LINKS }, name: resolved.slice(end + 1) };
  }

  #folder(path: string): Promise<Folder> {
    let folder = this.#folders.get(path);
    if (folder === undefined) {
      if (this.#folders.size >= MAX_FOLDERS) this.#folders.clear();
      folder = this.#lookAt(path === '' ? '/' : path);
      this.#folders.set(path, folder);
    }
    return folder;
  }

  async #lookAt(location: string): Promise<Folder> {
    const path = await this.#io.canonical(location);
    const links = (await this.#io.localFiles(path)?.links(path)) ?? NO_LINKS;
    return { path: path === '/' ? '' : path, links };
  }
}

/** A table names a file in a way that cannot be compared with what is stored: nothing may be deleted on such grounds. */
export function prefixMismatch(table: string, location: string, cause: unknown): MoraineError {
  const message = `Table ${table} names the file ${JSON.stringify(location)}, which cannot be compared with the files of its folder: its scheme, host or root is another one. Nothing was deleted. Add its folder to storage.roots, or have the table's files rewritten under its location.`;
  return new MoraineError('LOCATION_REFUSED', message, { details: { location }, cause });
}
