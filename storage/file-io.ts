/** The storage interface: everything Moraine asks of a place where files live. */

/** Status of a stored file, known without reading it. */
export interface FileStatus {
  readonly location: string;
  readonly sizeBytes: number;
  /** When the content was last changed, in milliseconds since 1970; whoever copies a file may set it. */
  readonly modifiedMs: number;
  /** When the file appeared under this name, by the storage's clock, in milliseconds since 1970; copying a file cannot make it older. */
  readonly appearedMs: number;
}

/** A part of a listing. */
export interface FilePage {
  readonly files: readonly FileStatus[];
  /** Where the next page begins, to be given back as `after`; null: there is none. */
  readonly next: string | null;
}

/**
 * Reads and writes whole immutable files. Every method first normalizes the location's spelling and refuses
 * (`LOCATION_REFUSED`) a scheme or path outside the allowed roots. A missing file is `FILE_NOT_FOUND`.
 */
export interface FileIO {
  /**
   * The canonical path of an existing or future file, as the query engine should open it.
   * `file:/p`, `file://` + `/p`, `file:///p` and `/p` are one file; nothing is percent-decoded; `..` and symlinks are resolved.
   */
  resolve(location: string): Promise<string>;
  stat(location: string): Promise<FileStatus>;
  /** Reads a whole file; one larger than `maxBytes` is `LIMIT_EXCEEDED` before it is read. */
  read(location: string, options?: { readonly maxBytes?: number }): Promise<Uint8Array>;
  /** Reads `length` bytes from `offset`; a short file is `DATA_FILE_CORRUPT`. */
  readRange(location: string, offset: number, length: number): Promise<Uint8Array>;
  /** Creates a file atomically with its whole content, durable on return; an existing one is `FILE_ALREADY_EXISTS` and stays untouched. */
  create(location: string, content: Uint8Array): Promise<void>;
  /** Deletes a file; a missing one is not an error. Deleting a symbolic link deletes the link and keeps its target. */
  delete(location: string): Promise<void>;
  /** Every file under a location, in no particular order. */
  list(location: string): AsyncIterable<FileStatus>;
  /**
   * At most `maxFiles` of the files under a location, in an order that does not change, from where another page has ended. All pages
   * together hold every file that is there throughout, once. A missing location is empty. Symbolic links are neither followed nor listed.
   */
  listPage(location: string, options: { readonly maxFiles: number; readonly after?: string }): Promise<FilePage>;
  /**
   * The symbolic links directly in a folder, by name, each with the location that it points to. A missing folder has none, nor has a
   * storage that knows no links.
   */
  links(location: string): Promise<ReadonlyMap<string, string>>;
  /** Makes sure that files can be created below a location by other writers (the query engine). */
  prepareFolder(location: string): Promise<string>;
}
