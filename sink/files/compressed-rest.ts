/** What a file that was compressed after it had been read has more than was read of it. */
import { open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { constants, gunzip } from 'node:zlib';
import { beginsWith, bytesAt, digestOf, firstDigestOf, type KnownFiles } from './file-identity.js';
import { NEWLINE } from './ndjson-chunks.js';

/** Compressed bytes of which the beginning is taken. */
const HEAD_BYTES = 2 ** 16;
/** A gzip file ends with the length of its content, modulo 2^32. */
const LENGTH_BYTES = 4;
const LENGTHS = 2n ** 32n;

/** What a file has, decompressed, behind the position up to which it was read. */
interface CompressedRest {
  readonly position: bigint;
  readonly bytes: bigint;
}

/**
 * @param file a path; its name ends with `.gz` if it is compressed
 * @returns null: it is not compressed, or does not begin as a file that was read
 * @throws for a file that cannot be read or is damaged
 */
export async function compressedRest(file: string, known: KnownFiles): Promise<CompressedRest | null> {
  if (!file.endsWith('.gz')) return null;
  const { head, length } = await lookInto(file);
  if (!head.includes(NEWLINE)) return null;
  const first = firstDigestOf(head);
  const positions = [...known.positions].flatMap(([partition, position]) => {
    const [bytes, digest] = (known.marks.get(partition) ?? '').split('.');
    const begins = digestOf(head.subarray(0, Number(bytes)));
    return position > 0n && beginsWith(partition, first) && begins === digest ? [position] : [];
  });
  if (positions.length === 0) return null;
  const position = positions.reduce((a, b) => (a > b ? a : b));
  const rest = length - position;
  if (rest < 0n && position < LENGTHS) return null;
  return { position, bytes: ((rest % LENGTHS) + LENGTHS) % LENGTHS };
}

/** The beginning of what was compressed, and its length modulo 2^32. */
async function lookInto(file: string): Promise<{ readonly head: Buffer; readonly length: bigint }> {
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    const compressed = await bytesAt(handle, 0n, HEAD_BYTES);
    // It ends anywhere.
    const head = await promisify(gunzip)(compressed, { finishFlush: constants.Z_SYNC_FLUSH });
    const length = await bytesAt(handle, BigInt(size - LENGTH_BYTES), LENGTH_BYTES);
    return { head, length: BigInt(length.readUInt32LE()) };
  } finally {
    await handle.close();
  }
}
