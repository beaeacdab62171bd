/** Compressions of Kafka that its client reads otherwise than Java's clients write them, or not at all on Node 20. */
import type * as Library from '@platformatic/kafka';
import { MoraineError } from '../../errors/index.js';

type Codec = (typeof Library.compressionsAlgorithms)['snappy'];
type Compressed = Parameters<Codec['decompressSync']>[0];

let completed: Promise<void> | undefined;

/** Completes the codecs of the client, once. */
export function completeCodecs({ compressionsAlgorithms: codecs }: typeof Library): Promise<void> {
  completed ??= (async () => {
    const raw = codecs.snappy.decompressSync;
    Object.assign(codecs.snappy, { decompressSync: (data: Compressed) => framedSnappy(bytesOf(data), raw) });
    // Node 20 has no Zstandard.
    if (codecs.zstd.available) return;
    const { decompress } = await import('fzstd');
    Object.assign(codecs.zstd, { decompressSync: (data: Compressed) => Buffer.from(decompress(bytesOf(data))) });
  })();
  return completed;
}

/** Java's clients write Snappy in blocks, behind a header of 16 bytes: magic, version, the least version that reads it. */
const MAGIC = Buffer.from('\x82SNAPPY\0', 'latin1');
const HEADER_BYTES = 16;
const LENGTH_BYTES = 4;

/** @param raw decompresses one block. @throws MoraineError `INPUT_UNREADABLE` for a block that is cut short */
export function framedSnappy(bytes: Buffer, raw: (block: Buffer) => Buffer): Buffer {
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) return raw(bytes);
  const blocks: Buffer[] = [];
  for (let at = HEADER_BYTES; at < bytes.length; ) {
    const length = at + LENGTH_BYTES <= bytes.length ? bytes.readUInt32BE(at) : Number.POSITIVE_INFINITY;
    at += LENGTH_BYTES;
    if (at + length > bytes.length)
      throw new MoraineError('INPUT_UNREADABLE', 'A batch of records compressed by Snappy is cut short.');
    blocks.push(raw(bytes.subarray(at, at + length)));
    at += length;
  }
  return Buffer.concat(blocks);
}

const bytesOf = (data: Compressed): Buffer => (Buffer.isBuffer(data) ? data : data.buffer);
