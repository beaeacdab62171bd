/**
 * Copies of files that are read in their place, because DuckDB cannot read the files themselves, or not exactly.
 * See docs/adr/0008-zoned-nanoseconds.md and docs/adr/0009-converted-files.md.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isMoraineError, MoraineError } from '../../errors/index.js';

/** Makes a copy of the file `path` as `copy`. */
export type Copier = (path: string, copy: string) => Promise<void>;

/** Names of a copy that is one of several of its file. */
export interface CopyNames {
  /** The file that errors name; the path itself unless given. */
  readonly original?: string;
  /** The path in whose place the copy is read; the path itself unless given. */
  readonly standsFor?: string;
}

/** Copies of data files: each made once. They belong to one connection, and go with it. How one is made: `convert-file.ts`. */
export class FileCopies {
  readonly #tempDirectory: string;
  #folder: Promise<string> | undefined;
  readonly #copies = new Map<string, Promise<string>>();
  readonly #originals = new Map<string, string>();
  readonly #finished = new Map<string, string>();
  #lastTurn: Promise<void> = Promise.resolve();

  /** @param tempDirectory a folder that statements may read */
  constructor(tempDirectory: string) {
    this.#tempDirectory = tempDirectory;
  }

  /**
   * The path of the copy of a file, made by `copier` unless there is one.
   * @throws FILE_NOT_FOUND, DATA_FILE_CORRUPT, UNSUPPORTED_FEATURE or STORAGE_UNAVAILABLE naming the file
   */
  async of(path: string, copier: Copier, { original = path, standsFor = path }: CopyNames = {}): Promise<string> {
    const copy = this.#copies.get(path) ?? this.#make(path, original, copier);
    this.#copies.set(path, copy);
    this.#finished.set(standsFor, await copy);
    return await copy;
  }

  /** The file that a path stands for: what errors should name. */
  originalOf(path: string): string {
    return this.#originals.get(path) ?? path;
  }

  /** Path to read in place of a file: its copy, if it has one. */
  standInFor(path: string): string {
    return this.#finished.get(path) ?? path;
  }

  /** Deletes the copies. What cannot be deleted goes with the engine's folder. */
  async remove(): Promise<void> {
    if (this.#folder === undefined) return;
    await Promise.allSettled(this.#copies.values());
    await this.#folder.then((folder) => rm(folder, { recursive: true, force: true })).catch(() => undefined);
  }

  /** A connection does one thing at a time: statements that meet on it fail, or end the process. */
  inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#lastTurn.then(work);
    this.#lastTurn = turn.catch(() => undefined);
    return turn;
  }

  async #make(path: string, original: string, copier: Copier): Promise<string> {
    this.#folder ??= mkdtemp(join(this.#tempDirectory, 'copies-'));
    const copy = join(await this.#folder, `${this.#originals.size}.parquet`);
    this.#originals.set(copy, original);
    try {
      await copier(path, copy);
    } catch (error) {
      throw copyFailed(original, error);
    }
    return copy;
  }
}

function copyFailed(path: string, cause: unknown): MoraineError {
  const details = { path };
  if (isMoraineError(cause)) {
    const message = cause.message.includes(path) ? cause.message : `${cause.message} (${path})`;
    return new MoraineError(cause.code, message, { details: { ...cause.details, ...details }, cause });
  }
  const { code } = cause as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new MoraineError('FILE_NOT_FOUND', `The data file ${path} does not exist.`, { details, cause });
  }
  const remedy =
    code === 'ENOSPC' || code === 'EDQUOT'
      ? 'Free space in the temporary folder (engine.tempDirectory).'
      : 'Reading it needs a copy in the temporary folder (engine.tempDirectory).';
  return new MoraineError(
    'STORAGE_UNAVAILABLE',
    `The data file ${path} cannot be copied: ${code ?? 'unknown'}. ${remedy}`,
    { details: { path, reason: code ?? 'unknown' }, cause },
  );
}
