/** JSON Lines files in pieces of whole lines, each with its place in the file. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import { MoraineError } from '../errors/index.js';

/** Whole lines of a file. */
export interface Chunk {
  readonly bytes: Buffer;
  /** Lines, empty ones included. */
  readonly lines: number;
  /** Where they begin and end, in bytes. */
  readonly from: bigint;
  readonly to: bigint;
}

const NEWLINE = 0x0a;
/** Bytes that a piece has, unless one line is longer. */
const CHUNK_BYTES = 8 * 2 ** 20;
const MAX_LINE_BYTES = 64 * 2 ** 20;
const DIGEST_CHARS = 16;

/**
 * Names a file by its own name and the digest of its first line: it stays the same while lines are appended, and in another folder.
 * @returns null: the file is empty
 * @throws INPUT_UNREADABLE
 */
export async function identityOf(file: string): Promise<string | null> {
  const handle = await open(file).catch((cause: unknown) => {
    throw unreadable(`The file ${file} does not exist or cannot be opened.`, cause);
  });
  try {
    const hash = createHash('sha256');
    let isEmpty = true;
    for await (const piece of handle.createReadStream({ end: MAX_LINE_BYTES, autoClose: false })) {
      const bytes = piece as Buffer;
      const end = bytes.indexOf(NEWLINE);
      isEmpty = false;
      hash.update(end < 0 ? bytes : bytes.subarray(0, end));
      if (end >= 0) break;
    }
    return isEmpty ? null : `${basename(file)}#${hash.digest('hex').slice(0, DIGEST_CHARS)}`;
  } finally {
    await handle.close();
  }
}

/**
 * The lines of a file from a byte on. A last line without an end is one if it is a JSON object.
 * @param maxLines lines of a piece
 * @throws INPUT_UNREADABLE for a file that is shorter than `from`, that has a line there which began before, that ends within a record, or that has a line of more than 64 MiB
 */
export async function* chunksOf(file: string, from: bigint, maxLines: number): AsyncGenerator<Chunk, void, undefined> {
  await requirePosition(file, from);
  let at = from;
  let rest: Buffer = Buffer.alloc(0);
  const take = (bytes: Buffer, lines: number): Chunk => {
    const chunk = { bytes, lines, from: at, to: at + BigInt(bytes.length) };
    at = chunk.to;
    return chunk;
  };
  for await (const piece of createReadStream(file, { start: Number(from), highWaterMark: 2 ** 20 })) {
    rest = rest.length === 0 ? (piece as Buffer) : Buffer.concat([rest, piece as Buffer]);
    for (let cut = cutAt(rest, maxLines); cut !== undefined; cut = cutAt(rest, maxLines)) {
      if (!cut.isFull && rest.length < CHUNK_BYTES) break;
      yield take(rest.subarray(0, cut.end), cut.lines);
      rest = rest.subarray(cut.end);
    }
    if (rest.length > MAX_LINE_BYTES) throw unreadable(`${file} has a line of more than 64 MiB at byte ${at}.`);
  }
  const last = cutAt(rest, maxLines);
  if (last !== undefined) {
    yield take(rest.subarray(0, last.end), last.lines);
    rest = rest.subarray(last.end);
  }
  if (rest.length === 0) return;
  if (!isObject(rest))
    throw unreadable(
      `${file} ends within the record at byte ${at}: nothing of it was written. Run the command again when the file is whole.`,
    );
  yield take(rest, 1);
}

/** The end of the last whole line, of at most so many lines. */
function cutAt(bytes: Buffer, maxLines: number): { end: number; lines: number; isFull: boolean } | undefined {
  let [end, lines] = [0, 0];
  for (let next = bytes.indexOf(NEWLINE); next >= 0 && lines < maxLines; next = bytes.indexOf(NEWLINE, end)) {
    end = next + 1;
    lines += 1;
  }
  return lines === 0 ? undefined : { end, lines, isFull: lines >= maxLines };
}

/** Lines are read on from their beginnings only. */
async function requirePosition(file: string, from: bigint): Promise<void> {
  if (from === 0n) return;
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    if (BigInt(size) < from)
      throw unreadable(
        `${file} has ${size} bytes, and the table has its records up to byte ${from}: it was cut short or replaced. Give the new file another name.`,
      );
    const { buffer } = await handle.read(Buffer.alloc(2), 0, 2, Number(from) - 1);
    // A last line without an end may have got it since.
    if (buffer.includes(NEWLINE) || BigInt(size) === from) return;
    throw unreadable(
      `${file} has no line that begins at byte ${from}, up to which the table has its records: the file was changed. Give the new file another name.`,
    );
  } finally {
    await handle.close();
  }
}

/** Whether a line is whole though it has no end: what an object lacks is seen. */
function isObject(bytes: Buffer): boolean {
  try {
    const value: unknown = JSON.parse(bytes.toString());
    return typeof value === 'object' && value !== null;
  } catch {
    return false;
  }
}

const unreadable = (message: string, cause?: unknown): MoraineError =>
  new MoraineError('INPUT_UNREADABLE', message, { cause });
