/** Compression of Avro blocks. Source: Apache Avro specification 1.12, "Required Codecs" and "Optional Codecs". */
import { constants, crc32, deflateRawSync, inflateRawSync } from 'node:zlib';
import { Decompress } from 'fzstd';
import { MoraineError } from '../../errors/index.js';
import { decompressSnappy } from './snappy.js';

/** The codecs that are written. */
export type AvroCodec = 'null' | 'deflate';

/** Speed over size: a manifest of 10,000 entries must take tens of milliseconds, and is read far more often than moved. */
const DEFLATE_LEVEL = constants.Z_BEST_SPEED;
const DECOMPRESS_CHUNK_BYTES = 64 * 1024;

/** Compresses one block. */
export function compressBlock(codec: AvroCodec, block: Uint8Array): Uint8Array {
  return codec === 'null' ? block : deflateRawSync(block, { level: DEFLATE_LEVEL });
}

/**
 * Decompresses one block.
 * @param codec the file's `avro.codec`
 * @param maxBytes the largest result allowed
 * @throws MoraineError `UNSUPPORTED_FEATURE` for a codec that is not read, `LIMIT_EXCEEDED` for a larger result; another error for bad
 *   data and for what is not a codec
 */
export function decompressBlock(codec: string, block: Uint8Array, maxBytes: number): Uint8Array {
  switch (codec) {
    case 'null':
      return block;
    case 'deflate':
      return inflate(block, maxBytes);
    case 'zstandard':
      return decompressZstandard(block, maxBytes);
    case 'snappy':
      return decompressSnappyBlock(block, maxBytes);
    default:
      throw unknownCodec(codec);
  }
}

const READ_CODECS: ReadonlySet<string> = new Set(['null', 'deflate', 'snappy', 'zstandard']);
/** Codecs of the specification that are not read. */
const UNREAD_CODECS: ReadonlySet<string> = new Set(['bzip2', 'xz']);

/** @throws MoraineError `UNSUPPORTED_FEATURE` for a codec that is not read; another error for what is not a codec */
export function requireCodec(codec: string): void {
  if (!READ_CODECS.has(codec)) throw unknownCodec(codec);
}

function unknownCodec(codec: string): Error {
  if (!UNREAD_CODECS.has(codec)) return new Error(`its codec '${codec}' is none that Avro has`);
  return new MoraineError(
    'UNSUPPORTED_FEATURE',
    `The Avro codec '${codec}' is not supported (null, deflate, snappy and zstandard are). Rewrite the file with one of these.`,
    { details: { codec } },
  );
}

const CRC_BYTES = 4;

/** The checksum after a Snappy block is that of the decompressed bytes, in big-endian order. */
function decompressSnappyBlock(block: Uint8Array, maxBytes: number): Uint8Array {
  const end = block.length - CRC_BYTES;
  if (end < 0) throw new Error('a block is no Snappy');
  const bytes = decompressSnappy(block.subarray(0, end), maxBytes, () => tooLarge(maxBytes));
  const expected = Buffer.from(block.buffer, block.byteOffset + end, CRC_BYTES).readUInt32BE();
  if (crc32(bytes) !== expected) throw new Error('the checksum of a block is wrong');
  return bytes;
}

function inflate(block: Uint8Array, maxBytes: number): Uint8Array {
  try {
    return inflateRawSync(block, { maxOutputLength: maxBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(maxBytes);
    throw error;
  }
}

function decompressZstandard(block: Uint8Array, maxBytes: number): Uint8Array {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const stream = new Decompress((chunk) => {
    length += chunk.length;
    if (length > maxBytes) throw tooLarge(maxBytes);
    chunks.push(chunk);
  });
  for (let start = 0; start < block.length; start += DECOMPRESS_CHUNK_BYTES) {
    const end = Math.min(start + DECOMPRESS_CHUNK_BYTES, block.length);
    stream.push(block.subarray(start, end), end === block.length);
  }
  return Buffer.concat(chunks, length);
}

function tooLarge(maxBytes: number): MoraineError {
  return new MoraineError('LIMIT_EXCEEDED', `An Avro block decompresses to more than ${String(maxBytes)} bytes.`);
}
