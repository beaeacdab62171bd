/** New locations for the files of a table that moves: a pure function, so that whatever names a file gets the same answer. */
import { createHash } from 'node:crypto';
import { comparableLocation, type Location } from './location.js';

/** Folder, in the new place, for files that lay outside the old one. */
const FOREIGN_FOLDER = 'moved';

/** The move of a folder, with what belongs to it and lies elsewhere. */
export class Relocation {
  readonly from: Location;
  readonly to: Location;
  readonly #from: string;

  /** @param from the old folder, in any spelling; @param to the new one */
  constructor(from: Location, to: Location) {
    this.from = from;
    this.to = withoutEndSlash(to);
    this.#from = withoutEndSlash(comparableLocation(from));
  }

  /**
   * The new location of a file. A file below the old folder keeps its place in the folder. Any other goes to `moved/<hash>/<name>`, with a
   * hash of its old folder. Different files get different locations; spellings of one file get the same.
   */
  of(location: Location): Location {
    const below = this.below(location);
    if (below !== null && isPlainPath(below)) return `${this.to}/${below}`;
    const plain = comparableLocation(location);
    const slash = plain.lastIndexOf('/');
    const name = plain.slice(slash + 1);
    if (!isPlainPath(name)) return `${this.to}/${FOREIGN_FOLDER}/${hashOf(plain)}`;
    return `${this.to}/${FOREIGN_FOLDER}/${hashOf(plain.slice(0, slash))}/${name}`;
  }

  /** The new location of the old folder, or of a folder or file below it; null for anything else. */
  within(location: Location): Location | null {
    if (withoutEndSlash(comparableLocation(location)) === this.#from) return this.to;
    const below = this.below(location);
    return below !== null && isPlainPath(below) ? `${this.to}/${below}` : null;
  }

  /** The path below the old folder, which may have segments that a file system would resolve. */
  private below(location: Location): string | null {
    const plain = withoutEndSlash(comparableLocation(location));
    return plain.startsWith(`${this.#from}/`) ? plain.slice(this.#from.length + 1) : null;
  }
}

/** Object stores have names such as `a//b` and `a/../b`, which mean other files as paths. */
const isPlainPath = (path: string): boolean => !path.split('/').some((name) => ['', '.', '..'].includes(name));

const withoutEndSlash = (location: Location): Location => location.replace(/(?<=[^/])\/+$/, '');

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 32);
