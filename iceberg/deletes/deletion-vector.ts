/** Deletion vectors: the deleted rows of one data file. Source: Puffin specification, "deletion-vector-v1 blob type". */
import { crc32 } from 'node:zlib';
import { MoraineError } from '../../errors/index.js';
import { decodePositions, encodePositions, type PositionContainer } from './roaring-bitmap.js';

/** The type of the Puffin blob that holds a vector. */
export const DELETION_VECTOR_BLOB = 'deletion-vector-v1';

const MAGIC = Uint8Array.of(0xd1, 0xd3, 0x39, 0x64);
const LENGTH_BYTES = 4;
const CHECKSUM_BYTES = 4;

function corrupt(reason: string): MoraineError {
  return new MoraineError('DELETE_FILE_CORRUPT', `It is not a deletion vector: ${reason}.`);
}

/**
 * The positions of a vector, container by container, once its length, magic and checksum have been checked.
 * @param recordCount the number of positions that the manifest claims; another number is found out at the end
 * @throws MoraineError `DELETE_FILE_CORRUPT`
 */
export function* decodeDeletionVector(blob: Uint8Array, recordCount: bigint): Generator<PositionContainer> {
  let cardinality = 0n;
  for (const container of decodePositions(checkedVector(blob))) {
    cardinality += BigInt(container.values.length);
    yield container;
  }
  if (cardinality !== recordCount) throw corrupt(`it has ${cardinality} positions, the manifest says ${recordCount}`);
}

/** The serialized bitmap inside a blob. */
function checkedVector(blob: Uint8Array): Uint8Array {
  const view = new DataView(blob.buffer, blob.byteOffset, blob.byteLength);
  const least = LENGTH_BYTES + MAGIC.length + CHECKSUM_BYTES;
  if (blob.length < least) throw corrupt(`it has only ${blob.length} bytes`);
  const length = view.getUint32(0);
  if (length !== blob.length - LENGTH_BYTES - CHECKSUM_BYTES)
    throw corrupt(`its length field says ${length}, of ${blob.length} bytes in all`);
  const checked = blob.subarray(LENGTH_BYTES, LENGTH_BYTES + length);
  if (!MAGIC.every((byte, index) => checked[index] === byte)) throw corrupt('it does not begin with the magic bytes');
  const checksum = view.getUint32(LENGTH_BYTES + length);
  if (crc32(checked) !== checksum) throw corrupt('its checksum does not match');
  return checked.subarray(MAGIC.length);
}

/** The blob of a set of positions. @throws MoraineError `INVALID_ARGUMENT` for a negative position */
export function encodeDeletionVector(positions: Iterable<bigint>): Uint8Array {
  const checked = Buffer.concat([MAGIC, encodePositions(positions)]);
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(checked.length);
  const checksum = Buffer.alloc(CHECKSUM_BYTES);
  checksum.writeUInt32BE(crc32(checked));
  return Buffer.concat([length, checked, checksum]);
}
