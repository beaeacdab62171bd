/** A path at which a file is written that is now and then renamed away for a new one, as log rotation does. */
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isMoraineError } from '../../errors/index.js';
import type { SourcePositions } from '../source-position.js';
import { compressedRest } from './compressed-rest.js';
import { type FilePiece, type Following, GrowingFile } from './growing-file.js';
import { unreadable } from './ndjson-chunks.js';

export class FollowedPath {
  readonly path: string;
  readonly #following: Following;
  #current: GrowingFile | null = null;
  /** Files that were here before, the oldest first. */
  #renamed: readonly GrowingFile[] = [];
  #looking: Promise<void> | undefined;

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
    let isKnown = own !== null;
    for (const each of names) {
      if (each === name || !each.startsWith(name)) continue;
      const file = await GrowingFile.open(join(folder, each), this.#following).catch(() => null);
      if (file === null) continue;
      if (await this.#isCompressed(file.file)) isKnown = true;
      const place = await file.findRead().catch(() => null);
      if (place !== null) isKnown = true;
      const isRest = place !== null && place.position < file.size && place.partition !== own?.partition;
      if (isRest) found.push({ file, mtimeMs: (await stat(file.file)).mtimeMs });
      else await file.close();
    }
    this.#renamed = found.toSorted((a, b) => a.mtimeMs - b.mtimeMs).map(({ file }) => file);
    for (const { file } of found)
      this.#following.onNotice(
        `${file.file} was ${this.path} when its beginning was read: it is read to its end first.`,
      );
    if (!isKnown && this.#following.known.positions.size > 0)
      this.#following.onNotice(
        `Neither ${this.path} nor a file beside it is one that the table has a part of. If one that was here before has more than was read of it, name it, too, before ${this.path}.`,
      );
  }

  /**
   * Opens what is at the path now, if it is another file than before: from then on it is read whatever it is renamed to. It may be called while pieces are read.
   * @throws INPUT_UNREADABLE
   */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  /** What has come since it was asked last: of files that were renamed first. @throws INPUT_UNREADABLE as {@link GrowingFile.pieces} */
  async *pieces(): AsyncGenerator<FilePiece, void, undefined> {
    const renamed = this.#renamed;
    await this.look();
    for (const file of this.files) yield* renamed.includes(file) ? this.#piecesOfRenamed(file) : file.pieces();
  }

  /** Tells of files that were renamed and of which the table has nothing: the next run does not know that they were here. */
  async tellUnread(committed: SourcePositions): Promise<void> {
    await this.look().catch(() => undefined);
    for (const file of this.#renamed) {
      if ((committed.get(file.partition ?? '') ?? 0n) > 0n || (await file.isEmpty())) continue;
      this.#following.onNotice(
        `The table has nothing of a file that was ${this.path} and was renamed: name it, too, before ${this.path}.`,
      );
    }
  }

  async close(): Promise<void> {
    await this.#looking?.catch(() => undefined);
    for (const file of this.files) await file.close();
  }

  async #look(): Promise<void> {
    const id = await idAt(this.path);
    if (this.#current !== null && this.#current.id !== id) {
      this.#renamed = [...this.#renamed, this.#current];
      this.#current = null;
    }
    if (this.#current === null && id !== null) this.#current = await GrowingFile.open(this.path, this.#following);
  }

  /** Whether a file is the compressed one of which the table has a part; tells of what it lacks. */
  async #isCompressed(file: string): Promise<boolean> {
    const rest = await compressedRest(file, this.#following.known).catch(() => null);
    if (rest !== null && rest.bytes > 0n)
      this.#following.onNotice(
        `${file} has ${rest.bytes} bytes, behind byte ${rest.position} when it is decompressed, that the table lacks: they are not read. Decompress it, and name it, too, before ${this.path}.`,
      );
    return rest !== null;
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
