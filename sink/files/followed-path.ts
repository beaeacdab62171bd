/** A path at which a file is written that is now and then renamed away for a new one, as log rotation does. */
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isMoraineError } from '../../errors/index.js';
import { type FilePiece, type Following, GrowingFile } from './growing-file.js';
import { unreadable } from './ndjson-chunks.js';

export class FollowedPath {
  readonly path: string;
  readonly #following: Following;
  #current: GrowingFile | null = null;
  /** Files that were here before, the oldest first. */
  #renamed: readonly GrowingFile[] = [];

  constructor(path: string, following: Following) {
    this.path = path;
    this.#following = following;
  }

  /** Source partition of the file that is here; null: there is none, or nothing of it was read. */
  get partition(): string | null {
    return this.#current?.partition ?? null;
  }

  /** Those that are open. */
  get files(): readonly GrowingFile[] {
    return this.#current === null ? this.#renamed : [...this.#renamed, this.#current];
  }

  /**
   * Looks for files that were renamed while nobody followed them: beside the path, with names that begin with its name. Those of which the sink has a part are read
   * to their ends, before what is here now.
   * @throws INPUT_UNREADABLE
   */
  async findRenamed(): Promise<void> {
    const [folder, name] = [dirname(this.path), basename(this.path)];
    this.#current = await GrowingFile.open(this.path, this.#following);
    const own = (await this.#current?.findRead()) ?? null;
    const names = await readdir(folder).catch(() => []);
    const found: { readonly file: GrowingFile; readonly mtimeMs: number }[] = [];
    for (const each of names) {
      if (each === name || !each.startsWith(name)) continue;
      const file = await GrowingFile.open(join(folder, each), this.#following).catch(() => null);
      if (file === null) continue;
      const place = await file.findRead().catch(() => null);
      const isRest = place !== null && place.position < file.size && place.partition !== own?.partition;
      if (isRest) found.push({ file, mtimeMs: (await stat(file.file)).mtimeMs });
      else await file.close();
    }
    this.#renamed = found.toSorted((a, b) => a.mtimeMs - b.mtimeMs).map(({ file }) => file);
    for (const { file } of found)
      this.#following.onNotice(
        `${file.file} was ${this.path} when its beginning was read: it is read to its end first.`,
      );
  }

  /** What has come since it was asked last: of files that were renamed first. @throws INPUT_UNREADABLE as {@link GrowingFile.pieces} */
  async *pieces(): AsyncGenerator<FilePiece, void, undefined> {
    for (const file of this.#renamed) yield* this.#piecesOfRenamed(file);
    const id = await idAt(this.path);
    if (this.#current !== null && this.#current.id !== id) {
      yield* this.#current.pieces();
      this.#renamed = [...this.#renamed, this.#current];
      this.#current = null;
    }
    if (this.#current === null && id !== null) this.#current = await GrowingFile.open(this.path, this.#following);
    if (this.#current !== null) yield* this.#current.pieces();
  }

  async close(): Promise<void> {
    for (const file of this.files) await file.close();
  }

  /** Whoever writes may hold a renamed file open for a while. */
  async *#piecesOfRenamed(file: GrowingFile): AsyncGenerator<FilePiece, void, undefined> {
    yield* file.pieces();
    if (file.quietMs < this.#following.quietMs) return;
    try {
      yield* file.pieces(true);
    } catch (error) {
      if (!isMoraineError(error, 'INPUT_UNREADABLE')) throw error;
      this.#following.onNotice(error.message);
    }
    this.#renamed = this.#renamed.filter((each) => each !== file);
    await file.close();
  }
}

/** Device and inode of the file at a path; null: there is none. */
async function idAt(path: string): Promise<string | null> {
  try {
    const { dev, ino } = await stat(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return null;
    throw unreadable(`The file ${path} cannot be looked at: ${message}.`, cause);
  }
}
