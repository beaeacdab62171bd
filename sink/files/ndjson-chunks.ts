/** JSON Lines files in pieces of whole lines, each with its place in the file. */
import { open } from 'node:fs/promises';
import { MoraineError } from '../../errors/index.js';
import { withoutMark } from './json-line.js';

/** Whole lines of a file. */
export interface Chunk {
  readonly bytes: Buffer;
  /** Lines, empty ones included. */
  readonly lines: number;
  /** Where they begin and end, in bytes. */
  readonly from: bigint;
  readonly to: bigint;
}

export const NEWLINE = 0x0a;
/** A carriage return before the newline belongs to the end of the line. */
const RETURN = 0x0d;
/** Bytes that a piece has, unless one line is longer. */
const CHUNK_BYTES = 8 * 2 ** 20;
/** Bytes that are read of a file at once, at least. */
const READ_BYTES = 2 ** 20;
export const MAX_LINE_BYTES = 64 * 2 ** 20;

/**
 * The lines of a file from a byte on. A last line without an end is one if it is a JSON object.
 * @param maxLines lines of a piece
 * @throws INPUT_UNREADABLE for a file that is shorter than `from`, that has a line there which began before, that ends within a record, or that has a line of more than 64 MiB
 */
export async function* chunksOf(file: string, from: bigint, maxLines: number): AsyncGenerator<Chunk, void, undefined> {
  await requirePosition(file, from);
  const handle = await open(file);
  try {
    let at = Number(from);
    const more = async (unread: UnreadBytes): Promise<More> => {
      const space = unread.space(READ_BYTES);
      const { bytesRead } = await handle.read(space, 0, space.length, at);
      unread.filled(bytesRead);
      at += bytesRead;
      return bytesRead > 0 ? 'bytes' : 'end';
    };
    const onPart = (byte: bigint): void => {
      throw partOfRecord(file, byte);
    };
    yield* chunks(more, file, { from, maxLines, onPart });
  } finally {
    await handle.close();
  }
}

/**
 * The lines of bytes of a file, by the same rules.
 * @param name what messages call it
 * @param from the offset of its first byte
 * @param isGrowing a last line without an end is none: it may get one
 */
export async function* linesOf(
  stream: AsyncIterable<Uint8Array>,
  name: string,
  from: bigint,
  maxLines: number,
  isGrowing = false,
): AsyncGenerator<Chunk, void, undefined> {
  const pieces = stream[Symbol.asyncIterator]();
  const more = async (unread: UnreadBytes): Promise<More> => {
    const piece = await pieces.next();
    if (piece.done === true) return 'end';
    unread.space(piece.value.length).set(piece.value);
    unread.filled(piece.value.length);
    return 'bytes';
  };
  const onPart = (byte: bigint): void => {
    throw partOfRecord(name, byte);
  };
  try {
    yield* chunks(more, name, { from, maxLines, onPart: isGrowing ? null : onPart });
  } finally {
    await pieces.return?.();
  }
}

/** What reading on has come to. `lines`: nothing more for now; whole lines that are there are a piece. */
export type More = 'bytes' | 'lines' | 'end';

interface ChunkOptions {
  /** The offset of the first byte. */
  readonly from: bigint;
  /** Lines of a piece. Those that were given before it was full count towards it. */
  readonly maxLines: number;
  /** Called for a last line that has no end and is no JSON object; null: a last line without an end is left. */
  readonly onPart: ((at: bigint) => void) | null;
}

/** @param more reads on */
export async function* chunks(
  more: (unread: UnreadBytes) => Promise<More>,
  name: string,
  { from, maxLines, onPart }: ChunkOptions,
): AsyncGenerator<Chunk, void, undefined> {
  let at = from;
  let left = maxLines;
  const unread = new UnreadBytes();
  const chunkOf = (bytes: Buffer, lines: number): Chunk => {
    const chunk = { bytes, lines, from: at, to: at + BigInt(bytes.length) };
    at = chunk.to;
    return chunk;
  };
  for (let found = await more(unread); found !== 'end'; found = await more(unread)) {
    for (;;) {
      const lines = unread.countLines(left);
      const isFull = lines === left || unread.length >= CHUNK_BYTES;
      if (lines === 0 || (!isFull && found !== 'lines')) break;
      left = isFull ? maxLines : left - lines;
      yield chunkOf(unread.takeLines(), lines);
    }
    if (unread.length > MAX_LINE_BYTES) throw unreadable(`${name} has a line of more than 64 MiB at byte ${at}.`);
  }
  const lines = unread.countLines(left);
  if (lines > 0) yield chunkOf(unread.takeLines(), lines);
  if (unread.length === 0 || onPart === null) return;
  const last = unread.takeAll();
  if (isObject(at === 0n ? withoutMark(last) : last)) yield chunkOf(last, 1);
  else onPart(at);
}

export const partOfRecord = (name: string, at: bigint): MoraineError =>
  unreadable(
    `${name} ends within the record at byte ${at}: nothing of it was written. Run the command again when the file is whole.`,
  );

/** Bytes that were read and not given yet. Each is looked at once; what was given stays as it is. */
export class UnreadBytes {
  #buffer: Buffer = Buffer.alloc(0);
  #start = 0;
  #end = 0;
  /** Whole lines, where the last of them ends, and up to where they were looked for. */
  #lines = 0;
  #linesEnd = 0;
  #counted = 0;

  get length(): number {
    return this.#end - this.#start;
  }

  /** Room for at least so many bytes, behind those that are there. */
  space(bytes: number): Buffer {
    if (this.#buffer.length - this.#end < bytes) {
      const larger = Buffer.allocUnsafeSlow(this.length + Math.max(bytes, CHUNK_BYTES));
      this.#buffer.copy(larger, 0, this.#start, this.#end);
      this.#linesEnd -= this.#start;
      this.#counted -= this.#start;
      [this.#buffer, this.#start, this.#end] = [larger, 0, this.length];
    }
    return this.#buffer.subarray(this.#end);
  }

  filled(bytes: number): void {
    this.#end += bytes;
  }

  /** Whole lines, at most so many. */
  countLines(maxLines: number): number {
    while (this.#lines < maxLines && this.#counted < this.#end) {
      const found = this.#buffer.indexOf(NEWLINE, this.#counted);
      const isFound = found >= 0 && found < this.#end;
      this.#counted = isFound ? found + 1 : this.#end;
      if (!isFound) break;
      this.#lines += 1;
      this.#linesEnd = this.#counted;
    }
    return this.#lines;
  }

  /** The lines that were counted. */
  takeLines(): Buffer {
    return this.#take(this.#linesEnd);
  }

  takeAll(): Buffer {
    return this.#take(this.#end);
  }

  #take(end: number): Buffer {
    const taken = this.#buffer.subarray(this.#start, end);
    this.#start = end;
    this.#lines = 0;
    return taken;
  }
}

/** Lines are read on from their beginnings only. */
async function requirePosition(file: string, from: bigint): Promise<void> {
  if (from === 0n) return;
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    if (BigInt(size) < from)
      throw unreadable(
        `${file} has ${size} bytes, and the table has its records up to byte ${from}: it was cut short or replaced. Restore it, or write it with a sink of another name (--name).`,
      );
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(3), 0, 3, Number(from) - 1);
    // A last line without an end may have got it since.
    if (buffer[0] === NEWLINE || isEnd(buffer.subarray(1, bytesRead))) return;
    throw unreadable(
      `${file} has no line that begins at byte ${from}, up to which the table has its records: the file was changed. Restore it, or write it with a sink of another name (--name).`,
    );
  } finally {
    await handle.close();
  }
}

/** Whether a line ends where these bytes follow. */
const isEnd = (next: Buffer): boolean =>
  next.length === 0 || next[0] === NEWLINE || (next[0] === RETURN && (next.length === 1 || next[1] === NEWLINE));

/** A line without the carriage return that its end may begin with. */
export const withoutReturn = (line: Buffer): Buffer => (line.at(-1) === RETURN ? line.subarray(0, -1) : line);

/** Whether a line is whole though it has no end: what an object lacks is seen. */
function isObject(bytes: Buffer): boolean {
  try {
    const value: unknown = JSON.parse(bytes.toString());
    return typeof value === 'object' && value !== null;
  } catch {
    return false;
  }
}

export const unreadable = (message: string, cause?: unknown): MoraineError =>
  new MoraineError('INPUT_UNREADABLE', message, { cause });
