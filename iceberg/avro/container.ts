/**
 * Avro object container files. avsc writes and reads the data; the container is ours, because avsc's encoder drops the
 * `field-id` and `logicalType` properties that other Iceberg readers need.
 * Source: Apache Avro specification 1.12, "Object Container Files".
 */
import { createHash } from 'node:crypto';
import { constants, crc32, deflateRawSync, inflateRawSync } from 'node:zlib';
import { Decompress } from 'fzstd';
import { type ErrorCode, MoraineError } from '../../errors/index.js';
import { type JsonValue, stringifyJson } from '../json.js';
import { type AvroNode } from './avro-node.js';
import { Cursor } from './cursor.js';
import { type AvroRecord, avroSchema, recordSchema } from './datum.js';
import { decompressSnappy } from './snappy.js';

/** Bounds on what a file may make us allocate. */
export interface AvroLimits {
  /** Largest block, as stored and decompressed. */
  readonly maxBlockBytes: number;
  /** Largest sum of all decompressed blocks. */
  readonly maxTotalBytes: number;
}

export const DEFAULT_AVRO_LIMITS: AvroLimits = { maxBlockBytes: 256 * 2 ** 20, maxTotalBytes: 2 ** 30 };

/** Header of a file, before its blocks. */
export interface AvroHeader {
  /** The file's own properties, without `avro.schema` and `avro.codec`. */
  readonly metadata: ReadonlyMap<string, string>;
  readonly schema: AvroNode;
}

/** A whole file. */
export interface AvroFile extends AvroHeader {
  readonly records: readonly AvroRecord[];
}

/** Blocks of about this size compress well and keep the buffer small. */
const BLOCK_BYTES = 256 * 1024;

/**
 * Reads the header of a container file.
 * @param location names the file in errors
 * @throws MoraineError `MANIFEST_CORRUPT`
 */
export function readAvroHeader(bytes: Uint8Array, location: string): AvroHeader {
  return inFile(location, () => {
    const header = readHeader(new Cursor(bytes));
    return { metadata: header.metadata, schema: avroSchema(header.schemaText).node };
  });
}

/**
 * Reads a container file whose schema is a record.
 * @param location names the file in errors
 * @throws MoraineError `MANIFEST_CORRUPT` for a truncated or damaged file, `LIMIT_EXCEEDED` for a block or a sum of blocks over
 *   the limits, `UNSUPPORTED_FEATURE` for an unknown codec
 */
export function readAvroFile(bytes: Uint8Array, location: string, limits = DEFAULT_AVRO_LIMITS): AvroFile {
  return inFile(location, () => {
    const cursor = new Cursor(bytes);
    const { metadata, schemaText, codec, sync } = readHeader(cursor);
    const { node: schema, datum } = recordSchema(schemaText);
    const records: AvroRecord[] = [];
    let totalBytes = 0;
    while (!cursor.atEnd()) {
      const count = cursor.long();
      const block = decompressBlock(codec, readBlock(cursor, sync, limits), limits.maxBlockBytes);
      totalBytes += block.length;
      if (totalBytes > limits.maxTotalBytes) {
        throw new MoraineError('LIMIT_EXCEEDED', `It decompresses to more than ${String(limits.maxTotalBytes)} bytes.`);
      }
      if (count < 0 || count > block.length)
        throw new Error(`a block of ${String(block.length)} bytes claims ${String(count)} records`);
      const data = ownBuffer(block);
      let position = 0;
      for (let index = 0; index < count; index++) {
        const { value, end } = datum.decode(data, position);
        if (end <= position) throw new Error('a record of no length');
        position = end;
        records.push(value as AvroRecord);
      }
      if (position !== data.length) throw new Error('a block holds more bytes than its records');
    }
    return { metadata, schema, records };
  });
}

/**
 * Writes a container file. The same input gives the same bytes (the sync marker is a digest of the content).
 * @param schema the Avro schema as JSON, with the properties that readers need
 * @param records values in the shape that {@link readAvroFile} returns
 */
export function writeAvroFile(
  schema: JsonValue,
  metadata: ReadonlyMap<string, string>,
  records: Iterable<AvroRecord>,
  codec: AvroCodec = 'deflate',
): Uint8Array {
  const schemaText = stringifyJson(schema);
  const blocks = encodeBlocks(schemaText, records, codec);
  const digest = createHash('sha256').update(schemaText);
  for (const block of blocks) digest.update(block.bytes);
  const sync = digest.digest().subarray(0, SYNC_BYTES);

  const entries = [['avro.schema', schemaText], ['avro.codec', codec], ...metadata] as const;
  const parts: Uint8Array[] = [MAGIC, varint(entries.length)];
  for (const [key, value] of entries) parts.push(...lengthPrefixed(key), ...lengthPrefixed(value));
  parts.push(varint(0), sync);
  for (const { count, bytes } of blocks) parts.push(varint(count), varint(bytes.length), bytes, sync);
  return Buffer.concat(parts);
}

function encodeBlocks(
  schemaText: string,
  records: Iterable<AvroRecord>,
  codec: AvroCodec,
): readonly { readonly count: number; readonly bytes: Uint8Array }[] {
  const { datum } = avroSchema(schemaText);
  const blocks: { count: number; bytes: Uint8Array }[] = [];
  let buffer = Buffer.allocUnsafe(BLOCK_BYTES * 2);
  let used = 0;
  let count = 0;
  const flush = (): void => {
    if (count > 0) blocks.push({ count, bytes: Uint8Array.from(compressBlock(codec, buffer.subarray(0, used))) });
    used = 0;
    count = 0;
  };
  for (const record of records) {
    let end = datum.encode(record, buffer, used);
    if (end < 0) {
      flush();
      for (end = datum.encode(record, buffer, 0); end < 0; end = datum.encode(record, buffer, 0)) {
        buffer = Buffer.allocUnsafe(buffer.length * 2);
      }
    }
    used = end;
    count++;
    if (used >= BLOCK_BYTES) flush();
  }
  flush();
  return blocks;
}

function readBlock(cursor: Cursor, sync: Uint8Array, limits: AvroLimits): Uint8Array {
  const length = cursor.long();
  if (length > limits.maxBlockBytes) {
    throw new MoraineError(
      'LIMIT_EXCEEDED',
      `A block claims ${String(length)} bytes, more than ${String(limits.maxBlockBytes)}.`,
    );
  }
  const block = cursor.take(length);
  if (!Buffer.from(cursor.take(SYNC_BYTES)).equals(sync)) throw new Error('a block does not end with the sync marker');
  return block;
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let zigzag = value * 2;
  for (; zigzag > 0x7f; zigzag = Math.floor(zigzag / 128)) bytes.push((zigzag % 128) | 0x80);
  bytes.push(zigzag);
  return Uint8Array.from(bytes);
}

function lengthPrefixed(text: string): [Uint8Array, Uint8Array] {
  const bytes = Buffer.from(text, 'utf8');
  return [varint(bytes.length), bytes];
}

export const MAGIC = Buffer.from([0x4f, 0x62, 0x6a, 0x01]);
export const SYNC_BYTES = 16;
const MAX_HEADER_ENTRIES = 10_000;

/** A header as it stands in the file. */
export interface RawHeader {
  readonly metadata: ReadonlyMap<string, string>;
  readonly schemaText: string;
  readonly codec: string;
  readonly sync: Uint8Array;
}

/** @throws Error when the bytes are not a header */
export function readHeader(cursor: Cursor): RawHeader {
  if (!MAGIC.equals(cursor.take(MAGIC.length))) throw new Error('it is not an Avro file');
  const metadata = new Map<string, string>();
  for (let count = cursor.long(); count !== 0; count = cursor.long()) {
    if (count < 0) cursor.long();
    for (let left = Math.abs(count); left > 0; left--) {
      if (metadata.size >= MAX_HEADER_ENTRIES) throw new Error('its header has too many entries');
      const key = cursor.text();
      metadata.set(key, cursor.text());
    }
  }
  const schemaText = metadata.get('avro.schema');
  if (schemaText === undefined) throw new Error('it has no schema');
  const codec = metadata.get('avro.codec') ?? 'null';
  metadata.delete('avro.schema');
  metadata.delete('avro.codec');
  return { metadata, schemaText, codec, sync: cursor.take(SYNC_BYTES) };
}

/** Codes that are kept as they are; whatever else fails while a file is read means that the file is damaged. */
const KEPT_CODES: ReadonlySet<string> = new Set([
  'MANIFEST_CORRUPT',
  'LIMIT_EXCEEDED',
  'UNSUPPORTED_FEATURE',
  'FORMAT_VERSION_UNSUPPORTED',
  'STORAGE_UNAVAILABLE',
]);

/** The error of reading a file, named: of the code `damaged` unless it says better. */
export function errorInFile(location: string, error: unknown, damaged: ErrorCode): MoraineError {
  const kept = error instanceof MoraineError && KEPT_CODES.has(error.code) && !isOther(error.code, damaged);
  const name = damaged === 'MANIFEST_CORRUPT' ? { location } : { path: location };
  return new MoraineError(kept ? error.code : damaged, `Cannot read ${location}: ${reason(error)}`, {
    details: { ...(kept ? error.details : {}), ...name },
    cause: error,
  });
}

/** Readers of Avro call whatever is damaged a manifest. */
const isOther = (code: ErrorCode, damaged: ErrorCode): boolean => code === 'MANIFEST_CORRUPT' && code !== damaged;

/** Runs a reader so that whatever fails names the file: `MANIFEST_CORRUPT` unless the error says better. */
export function inFile<T>(location: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw errorInFile(location, error, 'MANIFEST_CORRUPT');
  }
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

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

/**
 * Bytes in a buffer that holds little else. Values that stay point into their block, and zlib gives a small block as a part of 16 kB,
 * which a cached manifest of one entry would keep.
 */
function ownBuffer(bytes: Uint8Array): Buffer {
  const own = bytes.buffer.byteLength > 2 * bytes.length ? new Uint8Array(bytes) : bytes;
  return Buffer.from(own.buffer, own.byteOffset, own.length);
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
