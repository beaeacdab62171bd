/** A file that others write to, held open: it stays the same one while it is renamed, and a new one if it is truncated or rewritten in place. */
import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { SourceRange } from '../source-position.js';
import { beginsWith, bytesAt, FileMark, type FilePlace, firstDigestOf, placeIn } from './file-identity.js';
import { type Chunk, linesOf, unreadable } from './ndjson-chunks.js';

const READ_BYTES = 2 ** 20;
const MAX_READ = 64;

/** Whole lines, and where they were read. */
export interface FilePiece {
  readonly chunk: Chunk;
  /** The path that the file was found under. */
  readonly file: string;
  readonly range: SourceRange;
}

/** What files that are read together have in common. */
export interface Following {
  /** Positions and marks with what was read: every file that is read on changes them. */
  readonly known: { readonly positions: Map<string, bigint>; readonly marks: Map<string, string> };
  /** Marks, by source partition, of what was read since the beginning: of the newest {@link MAX_READ}. */
  readonly read: Map<string, FileMark>;
  /** Lines of a piece. */
  readonly maxLines: number;
  /** Time without a change after which a renamed file gets no more lines. */
  readonly quietMs: number;
  /** Told what a person may want to know of a file. */
  readonly onNotice: (text: string) => void;
}

export class GrowingFile {
  readonly file: string;
  /** Device and inode. */
  readonly id: string;
  readonly #handle: FileHandle;
  readonly #following: Following;
  #place: FilePlace | null = null;
  /** Size and times when it was read to its end. */
  #seen = '';
  #size: bigint;
  #changedMs = performance.now();
  #isWaiting = false;

  private constructor(file: string, found: BigIntStats, handle: FileHandle, following: Following) {
    [this.file, this.#handle, this.#following] = [file, handle, following];
    this.id = `${found.dev}:${found.ino}`;
    this.#size = found.size;
  }

  /** @returns null: there is none. @throws INPUT_UNREADABLE */
  static async open(file: string, following: Following): Promise<GrowingFile | null> {
    // A named pipe must not wait for its other end.
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === 'ENOENT') return null;
      throw unreadable(`The file ${file} cannot be opened: ${cause.message}.`, cause);
    });
    if (handle === null) return null;
    const found = await handle.stat({ bigint: true });
    if (found.isFile()) return new GrowingFile(file, found, handle, following);
    await handle.close();
    throw unreadable(`${file} is not a file; only files can be followed.`);
  }

  /** Its source partition; null: it is not known yet. */
  get partition(): string | null {
    return this.#place?.partition ?? null;
  }

  /** Bytes that it had when it was looked at last. */
  get size(): bigint {
    return this.#size;
  }

  async isEmpty(): Promise<boolean> {
    return (await this.#handle.stat()).size === 0;
  }

  /** Milliseconds for which nothing has changed in it. */
  get quietMs(): number {
    return performance.now() - this.#changedMs;
  }

  /**
   * The lines that it has got. Its next piece is read when the piece has been taken: nothing is kept in between.
   * @param isFinal nobody writes to it any more: a last line without an end is a record if it is a JSON object
   * @throws INPUT_UNREADABLE for a file that was cut short, and for a line of more than 64 MiB
   */
  async *pieces(isFinal = false): AsyncGenerator<FilePiece, void, undefined> {
    const { size, mtimeNs, ctimeNs } = await this.#handle.stat({ bigint: true });
    const state = `${size} ${mtimeNs} ${ctimeNs}`;
    if (state === this.#seen && !isFinal && this.#isCurrent()) return;
    if (state !== this.#seen) this.#changedMs = performance.now();
    const found = await this.#find(size, isFinal);
    this.#size = size;
    if (found !== null) {
      const { partition, position } = found;
      const bytes = bytesBetween(this.#handle, position, size);
      let { mark } = found;
      for await (const chunk of linesOf(bytes, this.file, position, this.#following.maxLines, !isFinal)) {
        const before = mark;
        mark = before.after(chunk.bytes);
        // Another file's bytes by now: it is looked at anew.
        if (!(await this.#holds(partition, chunk, before, mark))) return;
        const range = { partition, from: chunk.from, to: chunk.to, mark: mark.toString() };
        yield { chunk, file: this.file, range };
        this.#place = { partition, position: chunk.to, mark };
        this.#keep(this.#place);
      }
    }
    this.#seen = state;
  }

  /** Where the sink is in it, if it has read a part of it. @throws INPUT_UNREADABLE for a file that was cut short */
  async findRead(): Promise<FilePlace | null> {
    this.#size = (await this.#handle.stat({ bigint: true })).size;
    const { known, read } = this.#following;
    const place = await placeIn(this.#handle, this.file, known, { read, isFinal: false });
    this.#place = place === null || place === 'unclear' || place.position === 0n ? null : place;
    return this.#place;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  /** False: the same content was read on under another name. */
  #isCurrent(): boolean {
    if (this.#place === null) return true;
    return (this.#following.known.positions.get(this.#place.partition) ?? 0n) === this.#place.position;
  }

  #keep({ partition, position, mark }: FilePlace): void {
    const { known, read } = this.#following;
    known.positions.set(partition, position);
    known.marks.set(partition, mark.toString());
    read.delete(partition);
    read.set(partition, mark);
    for (const oldest of read.keys()) {
      if (read.size <= MAX_READ) break;
      read.delete(oldest);
    }
  }

  async #find(size: bigint, isFinal: boolean): Promise<FilePlace | null> {
    const { known, read, onNotice } = this.#following;
    const place = this.#place;
    if (place !== null && this.#isCurrent()) {
      if (size >= place.position && (await this.#hasMark(place.position, place.mark))) return place;
      onNotice(
        `${this.file} was truncated or rewritten after it had been read up to byte ${place.position}: what it has now is read from its beginning. Whether it had more before is not known.`,
      );
    }
    this.#place = null;
    const found = await placeIn(this.#handle, this.file, known, { read, isFinal });
    const isWaiting = found === 'unclear';
    if (isWaiting && !this.#isWaiting)
      onNotice(`${this.file} begins like a file of which more was read: it is read once it differs or has more.`);
    this.#isWaiting = isWaiting;
    this.#place = isWaiting ? null : found;
    return this.#place;
  }

  #hasMark(position: bigint, mark: FileMark): Promise<boolean> {
    return FileMark.at(this.#handle, position).then((found) => found?.toString() === mark.toString());
  }

  /** Whether what was read is of the file still, which may be truncated and written anew at any moment: its bytes are looked at after they were read. */
  async #holds(partition: string, chunk: Chunk, before: FileMark, after: FileMark): Promise<boolean> {
    if (chunk.from === 0n && !beginsWith(partition, firstDigestOf(chunk.bytes))) return false;
    return (await this.#hasMark(chunk.from, before)) && (await this.#hasMark(chunk.to, after));
  }
}

async function* bytesBetween(handle: FileHandle, from: bigint, to: bigint): AsyncGenerator<Buffer, void, undefined> {
  for (let at = from; at < to; ) {
    const wanted = to - at < READ_BYTES ? Number(to - at) : READ_BYTES;
    const bytes = await bytesAt(handle, at, wanted);
    if (bytes.length > 0) yield bytes;
    if (bytes.length < wanted) return;
    at += BigInt(bytes.length);
  }
}
