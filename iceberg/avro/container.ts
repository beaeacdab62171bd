/**
 * Avro object container files. avsc writes and reads the data; the container is ours, because avsc's encoder drops the
 * `field-id` and `logicalType` properties that other Iceberg readers need.
 * Source: Apache Avro specification 1.12, "Object Container Files".
 */
import { createHash } from 'node:crypto';
import { MoraineError } from '../../errors/index.js';
import { type JsonValue, stringifyJson } from '../json.js';
import type { AvroNode } from './avro-node.js';
import { type AvroCodec, compressBlock, decompressBlock } from './codec.js';
import { Cursor } from './cursor.js';
import { type AvroRecord, avroSchema, recordSchema } from './datum.js';
import { MAGIC, readHeader, SYNC_BYTES } from './header.js';
import { inFile } from './in-file.js';

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
      const data = Buffer.from(block.buffer, block.byteOffset, block.length);
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
