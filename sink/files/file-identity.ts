/** Which file a sink has read before, whatever its name is now: a file is known by what it holds. */
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import type { SourceMarks, SourcePositions } from '../source-position.js';
import { MAX_LINE_BYTES, NEWLINE, unreadable, withoutReturn } from './ndjson-chunks.js';

/** Bytes at the beginning, and before a position, of which a digest is kept. */
const MARK_BYTES = 4096;
const PIECE_BYTES = 2 ** 16;
const DIGEST_CHARS = 16;

/** A file's place in a sink. */
export interface FilePlace {
  /** Name of the source partition. */
  readonly partition: string;
  /** The byte to go on from. */
  readonly position: bigint;
  /** Of what lies before it. */
  readonly mark: FileMark;
}

/** Digests of a file's beginning and of its bytes before a position. */
export class FileMark {
  #head = Buffer.alloc(0);
  #tail = Buffer.alloc(0);

  /** The mark of a position. @returns null: the file is shorter */
  static async at(handle: FileHandle, position: bigint): Promise<FileMark | null> {
    const mark = new FileMark();
    const length = Number(position < MARK_BYTES ? position : MARK_BYTES);
    mark.#head = await bytesAt(handle, 0n, length);
    mark.#tail = await bytesAt(handle, position - BigInt(length), length);
    return mark.#tail.length === length && mark.#head.length === length ? mark : null;
  }

  /** Goes on behind the bytes that follow. */
  append(bytes: Buffer): void {
    if (this.#head.length < MARK_BYTES)
      this.#head = Buffer.concat([this.#head, bytes.subarray(0, MARK_BYTES - this.#head.length)]);
    this.#tail = Buffer.concat([this.#tail, bytes.subarray(-MARK_BYTES)]).subarray(-MARK_BYTES);
  }

  /** The mark behind the bytes that follow; this one stays. */
  after(bytes: Buffer): FileMark {
    const mark = new FileMark();
    [mark.#head, mark.#tail] = [this.#head, this.#tail];
    mark.append(bytes);
    return mark;
  }

  /** Whether a file begins otherwise, as far as it goes. */
  async differsFrom(handle: FileHandle): Promise<boolean> {
    const begins = await bytesAt(handle, 0n, this.#head.length);
    return !begins.equals(this.#head.subarray(0, begins.length));
  }

  toString(): string {
    return `${this.#head.length}.${digestOf(this.#head)}.${digestOf(this.#tail)}`;
  }
}

/** What a sink has read, with what was read since its last commit. */
export interface KnownFiles {
  readonly positions: SourcePositions;
  readonly marks: SourceMarks;
}

/**
 * Where a sink is in a file. A file is the one that was read up to a position if it begins with the same line and has the same bytes before the position and at its
 * beginning: so it may be renamed, moved, copied, and appended to.
 * @returns null: the file is empty
 * @throws INPUT_UNREADABLE for a file that cannot be opened, or that begins like one of which more was read than it has
 */
export async function placeOf(file: string, known: KnownFiles): Promise<FilePlace | null> {
  const handle = await open(file).catch((cause: unknown) => {
    throw unreadable(`The file ${file} does not exist or cannot be opened.`, cause);
  });
  try {
    const place = await placeIn(handle, file, known);
    return place === 'unclear' ? null : place;
  } finally {
    await handle.close();
  }
}

/** How {@link placeIn} looks at a file that others write to. */
export interface GrowingLook {
  /** Marks, by source partition, of files that this process has read: they tell files apart that are short. */
  readonly read: ReadonlyMap<string, FileMark>;
  /** Nobody writes to it any more. */
  readonly isFinal: boolean;
}

/**
 * As {@link placeOf}, of an open file.
 * @param growing for a file that others write to: it has no place before its first line has an end
 * @returns `unclear`, of a file that others write to: it is too short to be told from one of which more was read
 */
export async function placeIn(
  handle: FileHandle,
  file: string,
  known: KnownFiles,
  growing?: GrowingLook,
): Promise<FilePlace | null | 'unclear'> {
  const mayGrow = growing?.isFinal === false;
  const first = await firstLineDigest(handle, mayGrow);
  if (first === null) return null;
  const alike = [...known.positions].filter(([partition]) => beginsWith(partition, first));
  // Of copies, the one that was read the furthest.
  alike.sort(([, a], [, b]) => Number(b - a));
  for (const [partition, position] of alike) {
    const mark = await FileMark.at(handle, position);
    if (mark !== null && mark.toString() === known.marks.get(partition)) return { partition, position, mark };
  }
  for (const [partition, position] of alike) {
    if ((await growing?.read.get(partition)?.differsFrom(handle)) === true) continue;
    const { size } = await handle.stat();
    const likeness = await likenessOf(handle, position, known.marks.get(partition) ?? '');
    if (likeness === 'unclear' && mayGrow) return 'unclear';
    if (likeness !== 'another')
      throw unreadable(
        `${file} has ${size} bytes and begins like a file that the table has up to byte ${position}: it is that file, cut short, or another one. Restore it, or write it with a sink of another name (--name).`,
      );
  }
  // Nothing is in the table of one that a rollback has set to its beginning.
  const [unread] = alike.find(([, position]) => position === 0n) ?? [];
  const partition = unread ?? (alike.length === 0 ? `file:${first}` : `file:${first}.${alike.length + 1}`);
  return { partition, position: 0n, mark: new FileMark() };
}

/** Whether the files of a source partition begin with the line of this digest. */
export function beginsWith(partition: string, first: string): boolean {
  return partition === `file:${first}` || partition.startsWith(`file:${first}.`);
}

/** Whether a file may be one that was longer once, and has the same first line. */
async function likenessOf(
  handle: FileHandle,
  position: bigint,
  mark: string,
): Promise<'another' | 'unclear' | 'cut short'> {
  const { size } = await handle.stat();
  if (BigInt(size) >= position) return 'another';
  const [headBytes, head] = mark.split('.');
  const begins = await bytesAt(handle, 0n, Number(headBytes));
  if (begins.length !== Number(headBytes)) return 'unclear';
  return digestOf(begins) === head ? 'cut short' : 'another';
}

/** The digest of a file's first line, without its end; null if the file is empty. @param hasEnd null, too, if the line has no end */
async function firstLineDigest(handle: FileHandle, hasEnd: boolean): Promise<string | null> {
  const hash = createHash('sha256');
  // A carriage return at the end of a piece may belong to the line's end.
  let kept = Buffer.alloc(0);
  for (let at = 0; at < MAX_LINE_BYTES; at += PIECE_BYTES) {
    const bytes = await bytesAt(handle, BigInt(at), PIECE_BYTES);
    if (at === 0 && bytes.length === 0) return null;
    const end = bytes.indexOf(NEWLINE);
    const text = Buffer.concat([kept, end < 0 ? bytes : bytes.subarray(0, end)]);
    const line = withoutReturn(text);
    hash.update(line);
    if (end >= 0) break;
    kept = text.subarray(line.length);
    if (bytes.length === PIECE_BYTES) continue;
    if (hasEnd) return null;
    break;
  }
  return hash.digest('hex').slice(0, DIGEST_CHARS);
}

/** The digest that {@link FilePlace.partition} has of the first line of these bytes. */
export function firstDigestOf(bytes: Buffer): string {
  const end = bytes.indexOf(NEWLINE);
  return digestOf(withoutReturn(end < 0 ? bytes : bytes.subarray(0, end)));
}

/** Bytes of a file; fewer at its end. */
export async function bytesAt(handle: FileHandle, position: bigint, length: number): Promise<Buffer<ArrayBuffer>> {
  const bytes = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(bytes, filled, length - filled, Number(position) + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

/** What marks and source partitions have of bytes. */
export const digestOf = (bytes: Buffer): string =>
  createHash('sha256').update(bytes).digest('hex').slice(0, DIGEST_CHARS);
