/** Prefixes of locations that stand for folders of this machine: how a project that was moved finds its files. */
import { MoraineError } from '../errors/index.js';
import type { Location } from './location.js';
import { comparableLocation, normalizeLocation, printableLocation } from './location.js';

/** A prefix and the folder that it stands for. */
export interface LocationPrefix {
  /** As metadata has it, without a slash at the end. */
  readonly prefix: Location;
  /** An absolute path. */
  readonly folder: string;
}

/**
 * The folders that prefixes of locations stand for. Whole segments count, the longest prefix wins, and a result is not mapped again: a folder
 * that lies below a prefix must stand for itself.
 */
export class PrefixMap {
  /** The longest first. */
  readonly #prefixes: readonly LocationPrefix[];

  /** @throws MoraineError `CONFIG_INVALID` for a folder that another prefix, or its own, leads away from; for a prefix that is not an absolute location */
  constructor(prefixes: readonly LocationPrefix[]) {
    this.#prefixes = prefixes
      .map(({ prefix, folder }) => ({ prefix: plainPrefix(prefix), folder: normalizeLocation(folder) }))
      .toSorted((a, b) => b.prefix.length - a.prefix.length);
    for (const { prefix, folder } of this.#prefixes) {
      const led = this.#lookUp(folder);
      if (led === null || led === folder) continue;
      const message = `storage.locations maps ${printableLocation(prefix)} to ${folder}, which it maps to ${led}: a folder that locations are mapped to must not lie below a prefix that is mapped elsewhere.`;
      throw new MoraineError('CONFIG_INVALID', message);
    }
  }

  /**
   * The absolute path that a location means here, with `..` left in it.
   * @throws MoraineError `LOCATION_REFUSED` for one without a prefix that is mapped, if it is not the location of a local file
   */
  pathOf(location: Location): string {
    return this.#lookUp(comparableLocation(location)) ?? normalizeLocation(location);
  }

  /** Whether a location has one of the prefixes. */
  maps(location: Location): boolean {
    return this.#lookUp(comparableLocation(location)) !== null;
  }

  /** The prefixes, without a slash at the end. */
  get prefixes(): readonly Location[] {
    return this.#prefixes.map(({ prefix }) => prefix);
  }

  /** Null: it has none of the prefixes. */
  #lookUp(location: string): string | null {
    for (const { prefix, folder } of this.#prefixes) {
      if (location === prefix) return folder;
      const below = prefix.endsWith('/') ? prefix : `${prefix}/`;
      if (location.startsWith(below)) return normalizeLocation(`${folder}/${location.slice(below.length)}`);
    }
    return null;
  }
}

function plainPrefix(prefix: Location): Location {
  const plain = comparableLocation(prefix);
  if (plain.startsWith('/') || /^[A-Za-z][A-Za-z0-9+.-]*:\/\/[^/]/.test(plain))
    return plain.replace(/(?<=[^/])\/+$/, '');
  const message = `storage.locations: ${printableLocation(prefix)} is not an absolute location, such as /warehouse or s3://bucket/warehouse.`;
  throw new MoraineError('CONFIG_INVALID', message);
}
