/** Locations and paths, told apart by the compiler; which texts name a local file, and which file they name. */
import { MoraineError } from '../errors/index.js';

declare const kind: unique symbol;

/**
 * The name of a file or folder in a storage, as catalogs, metadata and manifests hold it: `s3://bucket/key`, `file:///w/t`, `/w/t`.
 * It is compared, recorded and given to a `FileIO`; never to the engine or to `node:fs`. Any text may be taken for one, but no
 * {@link LocalPath}.
 */
export type Location = string & { readonly [kind]?: 'location' };

/**
 * The absolute path of a file or folder of this machine, as DuckDB and `node:fs` open it: symbolic links are resolved and it lies where
 * files may be touched. A {@link Location} becomes one only by the storage's `localFiles`, or by fetching the file.
 */
export type LocalPath = string & { readonly [kind]: 'local path' };

/** A path that this process made up or checked itself: of a temporary file, or a user's input. */
export const localPath = (path: string): LocalPath => path as LocalPath;

const SCHEME = /^([A-Za-z][A-Za-z0-9+.-]*):/;

/** Schemes of object stores: those of S3's protocol (`s3a` and `s3n` are Hadoop's names of the same objects), and Google Cloud Storage. */
const STORE = /^(s3[an]?|gs):\/\//;

/** Whether a location names an object of a store. */
export const isStoreLocation = (location: Location): boolean => STORE.test(location);

/** A location as it may stand in a message: short, and without characters that would disturb a terminal. */
export function printableLocation(location: string): string {
  const text = JSON.stringify(location);
  return text.length > 300 ? `${text.slice(0, 300)}..."` : text;
}

function refused(location: string, reason: string): MoraineError {
  return new MoraineError('LOCATION_REFUSED', `Location ${printableLocation(location)} is refused: ${reason}.`, {
    details: { location },
  });
}

function stripFileScheme(location: string): string {
  const scheme = SCHEME.exec(location);
  if (scheme === null) return location;
  if (scheme[1]?.toLowerCase() !== 'file') {
    throw refused(location, `the scheme "${scheme[1] ?? ''}" is not supported; only local files are`);
  }
  const rest = location.slice(scheme[0].length);
  if (!rest.startsWith('//')) return rest;
  if (!rest.startsWith('///')) throw refused(location, 'a file location must not name a host');
  return rest.slice(2);
}

/**
 * The absolute path that a location means. `file:/p`, `file://` + `/p`, `file:///p` and `/p` are the same file; what
 * follows the scheme is the literal path (nothing is percent-decoded). Empty and `.` segments are dropped; `..` is kept,
 * because only the file system knows what it means behind a symbolic link.
 * @throws MoraineError `LOCATION_REFUSED` for another scheme, a host, a relative path or a NUL character
 */
export function normalizeLocation(location: string): string {
  if (location.includes('\0')) throw refused(location, 'it contains a NUL character');
  const path = stripFileScheme(location);
  if (!path.startsWith('/')) throw refused(location, 'it is not an absolute path');
  return `/${path
    .split('/')
    .filter((segment) => segment !== '' && segment !== '.')
    .join('/')}`;
}

/** For comparing locations: the one spelling of those that can be normalized, others as they are. Nothing is opened by it. */
export function comparableLocation(location: string): string {
  try {
    return normalizeLocation(location);
  } catch {
    // Hadoop's other names of the same objects.
    return location.replace(/^s3[an]:\/\//, 's3://');
  }
}
