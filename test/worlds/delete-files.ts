/** Delete files of table worlds. Source: Apache Iceberg specification, "Delete Formats", and the Puffin specification. */
import { writeFile } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import type { NestedField } from '../../iceberg/index.js';

export const PATH_COLUMN: NestedField = {
  id: 2147483546,
  name: 'file_path',
  required: true,
  type: { kind: 'string' },
};
export const POSITION_COLUMN: NestedField = { id: 2147483545, name: 'pos', required: true, type: { kind: 'long' } };

/** Where a vector lies in its Puffin file. */
export interface WrittenVector {
  readonly offset: bigint;
  readonly size: bigint;
}

/** A Puffin file of one deletion vector for each data file. Returns where each vector lies. */
export async function writeVectors(
  path: string,
  vectors: readonly { readonly dataFile: string; readonly positions: readonly number[] }[],
): Promise<readonly WrittenVector[]> {
  const magic = Buffer.from('PFA1', 'latin1');
  const blobs = vectors.map(({ positions }) => vectorBlob(positions));
  let offset = magic.length;
  const placed = blobs.map((blob) => {
    const place = { offset, length: blob.length };
    offset += blob.length;
    return place;
  });
  const described = vectors.map(({ dataFile, positions }, index) => ({
    type: 'deletion-vector-v1',
    fields: [POSITION_COLUMN.id],
    'snapshot-id': -1,
    'sequence-number': -1,
    ...placed[index],
    properties: { 'referenced-data-file': dataFile, cardinality: String(positions.length) },
  }));
  const footer = Buffer.from(JSON.stringify({ blobs: described, properties: {} }));
  const tail = Buffer.alloc(8);
  tail.writeInt32LE(footer.length, 0);
  await writeFile(path, Buffer.concat([magic, ...blobs, magic, footer, tail, magic]));
  return placed.map((place) => ({ offset: BigInt(place.offset), size: BigInt(place.length) }));
}

/** Length and checksum big-endian around the magic and the bitmap. */
function vectorBlob(positions: readonly number[]): Buffer {
  const body = Buffer.concat([Buffer.of(0xd1, 0xd3, 0x39, 0x64), bitmap64(positions)]);
  const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(body.length);
  checksum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, checksum]);
}

/** Roaring's portable form for positions below 2^16: one 32-bit bitmap with one array container. */
function bitmap64(positions: readonly number[]): Buffer {
  const sorted = [...new Set(positions)].sort((a, b) => a - b);
  if (sorted.length === 0 || sorted.length > 4096 || (sorted.at(-1) as number) >= 2 ** 16) {
    throw new Error('this vector needs other containers than are written here');
  }
  const header = Buffer.alloc(8 + 4 + 4 + 4 + 4 + 4);
  header.writeBigUInt64LE(1n, 0); // bitmaps
  header.writeUInt32LE(0, 8); // their upper 32 bits
  header.writeUInt32LE(12_346, 12); // no run containers
  header.writeUInt32LE(1, 16); // containers
  header.writeUInt16LE(0, 20); // upper 16 bits
  header.writeUInt16LE(sorted.length - 1, 22);
  header.writeUInt32LE(16, 24); // where the container begins, from the cookie on
  const values = Buffer.alloc(sorted.length * 2);
  for (const [index, position] of sorted.entries()) values.writeUInt16LE(position, index * 2);
  return Buffer.concat([header, values]);
}
