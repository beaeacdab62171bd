/**
 * The folder that a table's files are copied to. A file there is complete, and its location says which file it is: whoever comes to it
 * again, after a crash or beside another process, leaves it as it is.
 */
import { isMoraineError, MoraineError } from '../../errors/index.js';
import { type Location, printableLocation } from '../../locations/index.js';
import { type FileIO, type FileTail, listFiles } from '../../storage/index.js';

/** Bytes that are asked for at a time. They are written as they come. */
const RANGE_BYTES = 64 * 2 ** 20;
/** Bytes of a file's end by which it is compared: the footer of a Parquet or Puffin file, or as much of it as tells files apart. */
const TAIL_BYTES = 16 * 1024;

/** The content of a file: the beginning of another one, and an end of its own. */
export interface CopiedContent {
  readonly from: Location;
  /** Bytes at the end of the other file that are left out. */
  readonly cutBytes: number;
  /** What follows. */
  readonly end: Uint8Array;
}

export class TargetFolder {
  readonly #io: FileIO;
  /** Files that were there already. */
  readonly #files: ReadonlySet<Location>;
  readonly #signal: AbortSignal | undefined;
  /** Bytes that were written. */
  writtenBytes = 0n;
  /** Files that were there already and are as they should be. */
  reusedFiles = 0;

  private constructor(io: FileIO, files: ReadonlySet<Location>, signal: AbortSignal | undefined) {
    this.#io = io;
    this.#files = files;
    this.#signal = signal;
  }

  /** @throws MoraineError `LOCATION_REFUSED` outside the storage roots */
  static async open(io: FileIO, location: Location, signal?: AbortSignal): Promise<TargetFolder> {
    const files = new Set<Location>();
    for await (const file of listFiles(io, location)) files.add(file.location);
    return new TargetFolder(io, files, signal);
  }

  async has(location: Location): Promise<boolean> {
    return this.#files.size > 0 && this.#files.has(await this.#io.canonical(location));
  }

  /**
   * Copies a file, byte for byte.
   * @throws MoraineError `FILE_NOT_FOUND`, `FILE_CHANGED`; `FILE_ALREADY_EXISTS` for another file there
   */
  copy(from: Location, to: Location): Promise<void> {
    return this.copyWithEnd({ from, cutBytes: 0, end: new Uint8Array(0) }, to);
  }

  /** The same for a file whose end is another one. */
  async copyWithEnd({ from, cutBytes, end }: CopiedContent, to: Location): Promise<void> {
    const source = await this.#io.readTail(from, Math.max(TAIL_BYTES, cutBytes));
    const kept = source.bytes.subarray(0, source.bytes.length - cutBytes);
    const sizeBytes = source.sizeBytes - cutBytes + end.length;
    const tail = Buffer.concat([kept, end]);
    await this.#createOnce(to, sizeBytes, tail, () => {
      const isWhole = source.bytes.length === source.sizeBytes;
      if (isWhole) return this.#io.create(to, tail);
      return this.#io.createFrom(to, this.#pieces(from, source, source.sizeBytes - cutBytes, end));
    });
  }

  /** Writes a file whose content is at hand. @throws MoraineError `FILE_ALREADY_EXISTS` for another file there */
  async put(to: Location, content: Uint8Array): Promise<void> {
    await this.#createOnce(to, content.length, content, () => this.#io.create(to, content));
  }

  async #createOnce(to: Location, sizeBytes: number, tail: Uint8Array, create: () => Promise<void>): Promise<void> {
    this.#signal?.throwIfAborted();
    if (!(await this.has(to))) {
      try {
        await create();
        this.writtenBytes += BigInt(sizeBytes);
        return;
      } catch (error) {
        if (!isMoraineError(error, 'FILE_ALREADY_EXISTS')) throw error;
      }
    }
    const there = await this.#io.readTail(to, Math.max(1, tail.length));
    if (there.sizeBytes !== sizeBytes || !Buffer.from(there.bytes).equals(tail.subarray(0, sizeBytes)))
      throw otherFile(to);
    this.reusedFiles += 1;
  }

  async *#pieces(
    from: Location,
    { identity }: FileTail,
    lengthBytes: number,
    end: Uint8Array,
  ): AsyncGenerator<Uint8Array> {
    for (let offset = 0; offset < lengthBytes; offset += RANGE_BYTES) {
      this.#signal?.throwIfAborted();
      const length = Math.min(RANGE_BYTES, lengthBytes - offset);
      yield* this.#io.readRange(from, { offset, length, identity });
    }
    if (end.length > 0) yield end;
  }
}

/** A file that is in the way. Nothing is overwritten: it may belong to somebody. */
export function otherFile(location: Location): MoraineError {
  const message = `The file ${printableLocation(location)} is not the one that the move writes there. Remove it if it is of no use, or choose another folder with --location.`;
  return new MoraineError('FILE_ALREADY_EXISTS', message, { details: { location } });
}
