/** The storage interface: everything Moraine asks of a place where files live. An object store can do all of it. */

import type { LocalPath, Location } from '../locations/index.js';
import type { DiskCache } from './disk-cache.js';
import type { FileCache } from './file-cache.js';

/** Status of a stored file, known without reading it. */
export interface FileStatus {
  readonly location: Location;
  readonly sizeBytes: number;
  /** When the content was last changed, in milliseconds since 1970; whoever copies a file may set it. */
  readonly modifiedMs: number;
  /** When the file appeared under this name, by the storage's clock, in milliseconds since 1970; copying a file cannot make it older. */
  readonly appearedMs: number;
  /** Tells this file from any other that was at the location before or comes later: a version, an ETag, or what a file system has of it. */
  readonly identity: string;
}

/** A part of a listing. */
export interface FilePage {
  readonly files: readonly FileStatus[];
  /** Where the next page begins, to be given back as `after`; null: there is none. */
  readonly next: string | null;
}

/** A part of a file. */
export interface FileRange {
  readonly offset: number;
  readonly length: number;
}

/** The end of a file. */
export interface FileTail extends Pick<FileStatus, 'sizeBytes' | 'identity'> {
  readonly bytes: Uint8Array;
}

/** Which file is expected at a location. */
export interface ExpectedFile {
  /** As {@link FileStatus} had it; another file there is `FILE_CHANGED`. Absent: whichever is there. */
  readonly identity?: string;
}

/**
 * Reads and writes whole immutable files. Every method first normalizes the location's spelling and refuses
 * (`LOCATION_REFUSED`) a scheme or path outside the allowed roots. A missing file is `FILE_NOT_FOUND`.
 */
export interface FileIO {
  /** The location as listings spell it, of an existing or future file or folder: two that are the same file are equal. */
  canonical(location: Location): Promise<Location>;
  stat(location: Location): Promise<FileStatus>;
  /** Reads a whole file; one larger than `maxBytes` is `LIMIT_EXCEEDED` before it is read. */
  read(location: Location, options?: ExpectedFile & { readonly maxBytes?: number }): Promise<Uint8Array>;
  /** Reads `length` bytes from `offset` in pieces, as they come; a short file is `DATA_FILE_CORRUPT`. Errors come with the next piece. */
  readRange(location: Location, range: FileRange & ExpectedFile): AsyncIterable<Uint8Array>;
  /** Reads the last bytes of a file, all of it if it has no more than `length`, and what file it is. */
  readTail(location: Location, length: number): Promise<FileTail>;
  /** Creates a file atomically with its whole content, durable on return; an existing one is `FILE_ALREADY_EXISTS` and stays untouched. */
  create(location: Location, content: Uint8Array): Promise<void>;
  /** The same for content that comes in pieces: nothing is at the location until the last one is stored. If the pieces fail, so does this. */
  createFrom(location: Location, content: AsyncIterable<Uint8Array>): Promise<void>;
  /**
   * Makes sure that a creation leaves a file untouched that is at its location. Names with a random part do without; who writes to names that
   * others choose, too, asks first.
   * @throws MoraineError `UNSUPPORTED_FEATURE` for a store that ignores the condition of a creation, and replaces the file
   */
  requireExclusiveCreation(location: Location): Promise<void>;
  /**
   * Gives up creations of files under a location that began before a time, in milliseconds since 1970, and never ended. Nothing is done where
   * what is left of them is listed as a file.
   */
  abandonCreations(location: Location, beforeMs: number): Promise<void>;
  /** Deletes files; a missing one is not an error. Of those that cannot be deleted the first is reported, after all were tried. */
  delete(...locations: readonly Location[]): Promise<void>;
  /**
   * At most `maxFiles` of the files under a location, in an order that does not change, from where another page has ended. All pages
   * together hold every file that is there throughout, once. A missing location is empty.
   */
  listPage(location: Location, options: { readonly maxFiles: number; readonly after?: string }): Promise<FilePage>;
  /**
   * The files at and below a location as files of this machine, if that is what they are; null: they must be fetched to be opened, and
   * uploaded. This method, `diskCache` and `scope` may refuse a location outside the roots, and need not.
   */
  localFiles(location: Location): LocalFiles | null;
  /** The parsed content of files that were read before. */
  readonly cache: FileCache;
  /** Files and parts of files that were fetched before; null: the files at the location are local, or nothing is kept. */
  diskCache(location: Location): DiskCache | null;
  /** Tells the storage of a location from others, and from itself with other credentials, among the files that processes of this machine share. */
  scope(location: Location): string;
}

/** Operations on files of this machine alone: paths, folders, symbolic links. */
export interface LocalFiles {
  /**
   * The canonical path of an existing or future file or folder.
   * `file:/p`, `file://` + `/p`, `file:///p` and `/p` are one file; nothing is percent-decoded; `..` and symbolic links are resolved.
   * @throws MoraineError `LOCATION_REFUSED` outside the allowed roots
   */
  pathOf(location: Location): Promise<LocalPath>;
  /** The symbolic links directly in a folder, by name, each with the location that it points to. A missing folder has none. */
  links(location: Location): Promise<ReadonlyMap<string, Location>>;
  /** Makes sure that a folder exists, in which the engine can write files that {@link adopt} then publishes. */
  prepareFolder(location: Location): Promise<LocalPath>;
  /**
   * Moves finished files to their locations, each atomically, all durable on return. An existing file is `FILE_ALREADY_EXISTS` and stays
   * untouched. The files must lie on the file system of their locations.
   */
  adopt(files: readonly { readonly path: LocalPath; readonly location: Location }[]): Promise<void>;
}

/** Pieces that come one after another, in memory of their own: a piece may be a small part of a large block, which it would keep. */
export async function joined(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  const bytes = new Uint8Array(all.reduce((sum, piece) => sum + piece.length, 0));
  let place = 0;
  for (const piece of all) {
    bytes.set(piece, place);
    place += piece.length;
  }
  return bytes;
}

/** Pieces as one; a single one is not copied. */
export const asOne = (pieces: readonly Uint8Array[]): Uint8Array =>
  pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces);

/** Every file under a location, in no particular order. Symbolic links are neither followed nor listed. */
export async function* listFiles(io: FileIO, location: Location): AsyncIterable<FileStatus> {
  let after: string | undefined;
  do {
    const page: FilePage = await io.listPage(location, {
      maxFiles: PAGE_FILES,
      ...(after === undefined ? {} : { after }),
    });
    yield* page.files;
    after = page.next ?? undefined;
  } while (after !== undefined);
}

const PAGE_FILES = 1000;
