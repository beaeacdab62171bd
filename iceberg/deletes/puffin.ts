/** Puffin files: blobs with a footer that describes them. Source: Apache Iceberg, "Puffin file format". */
import { MoraineError } from '../../errors/index.js';
import { isJsonArray, isJsonObject, type JsonValue, parseJson, stringifyJson } from '../json.js';
import { JsonFields } from '../json-fields.js';

const MAGIC = Buffer.from('PFA1', 'latin1');
/** Payload size, flags and magic: the last bytes of a file. */
export const PUFFIN_TRAILER_BYTES = 12;
const MAX_FOOTER_BYTES = 256 * 2 ** 20;

/** Entry of a footer for a blob. */
export interface PuffinBlob {
  readonly type: string;
  readonly fields: readonly number[];
  /** -1 for blobs that are written before their snapshot is known. */
  readonly snapshotId: bigint;
  readonly sequenceNumber: bigint;
  readonly offset: bigint;
  readonly length: bigint;
  readonly compressionCodec?: string;
  readonly properties: ReadonlyMap<string, string>;
}

export interface PuffinFooter {
  readonly blobs: readonly PuffinBlob[];
  readonly properties: ReadonlyMap<string, string>;
}

function corrupt(reason: string): MoraineError {
  return new MoraineError('DELETE_FILE_CORRUPT', `It is not a Puffin file: ${reason}.`);
}

/**
 * The number of bytes that the whole footer takes at the end of a file, from the file's last {@link PUFFIN_TRAILER_BYTES}.
 * @throws MoraineError `DELETE_FILE_CORRUPT`; `UNSUPPORTED_FEATURE` for a compressed footer
 */
export function puffinFooterBytes(trailer: Uint8Array): number {
  const bytes = Buffer.from(trailer.buffer, trailer.byteOffset, trailer.byteLength);
  if (bytes.length !== PUFFIN_TRAILER_BYTES || !bytes.subarray(8).equals(MAGIC))
    throw corrupt('it does not end as one');
  const payloadBytes = bytes.readInt32LE(0);
  if (payloadBytes < 0 || payloadBytes > MAX_FOOTER_BYTES) throw corrupt(`its footer claims ${payloadBytes} bytes`);
  if (((bytes[4] ?? 0) & 1) === 1)
    throw new MoraineError('UNSUPPORTED_FEATURE', 'Its footer is compressed (LZ4), which is not read.');
  return MAGIC.length + payloadBytes + PUFFIN_TRAILER_BYTES;
}

/**
 * Reads a whole footer, of the length that {@link puffinFooterBytes} gave.
 * @throws MoraineError `DELETE_FILE_CORRUPT`; `UNSUPPORTED_FEATURE` for a compressed footer
 */
export function parsePuffinFooter(footer: Uint8Array): PuffinFooter {
  const bytes = Buffer.from(footer.buffer, footer.byteOffset, footer.byteLength);
  if (puffinFooterBytes(bytes.subarray(-PUFFIN_TRAILER_BYTES)) !== bytes.length) throw corrupt('its footer is cut');
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw corrupt('its footer does not begin as one');
  const root = new JsonFields(parsePayload(bytes), 'its footer', 'DELETE_FILE_CORRUPT');
  const blobs = root.required('blobs');
  if (!isJsonArray(blobs)) throw corrupt('its footer lists no blobs');
  return { blobs: blobs.map(parseBlob), properties: textMap(root.optional('properties')) };
}

function parsePayload(footer: Buffer): JsonValue {
  try {
    const payload = footer.subarray(MAGIC.length, -PUFFIN_TRAILER_BYTES);
    return parseJson(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch (cause) {
    throw new MoraineError('DELETE_FILE_CORRUPT', 'It is not a Puffin file: its footer is not JSON.', { cause });
  }
}

function parseBlob(value: JsonValue, index: number): PuffinBlob {
  const blob = new JsonFields(value, `blob ${index} of its footer`, 'DELETE_FILE_CORRUPT');
  const fields = blob.required('fields');
  const codec = blob.optionalString('compression-codec');
  return {
    type: blob.string('type'),
    fields: isJsonArray(fields) ? fields.map(Number) : [],
    snapshotId: blob.long('snapshot-id'),
    sequenceNumber: blob.long('sequence-number'),
    offset: blob.long('offset'),
    length: blob.long('length'),
    ...(codec === undefined ? {} : { compressionCodec: codec }),
    properties: textMap(blob.optional('properties')),
  };
}

function textMap(value: JsonValue | undefined): ReadonlyMap<string, string> {
  if (!isJsonObject(value)) return new Map();
  const texts = Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string');
  return new Map(texts);
}

/** A blob to write; it is stored as it is. */
export interface PuffinBlobToWrite extends Pick<PuffinBlob, 'type' | 'fields' | 'snapshotId' | 'sequenceNumber'> {
  readonly data: Uint8Array;
  readonly properties: ReadonlyMap<string, string>;
}

/** Property of a blob: the data file that a deletion vector is about. */
const REFERENCED_DATA_FILE = 'referenced-data-file';

/**
 * A whole footer in which the blobs name their data files anew. Blobs keep their places, so that what is before the footer stays.
 * @throws MoraineError as {@link parsePuffinFooter}
 */
export function relocatePuffinFooter(footer: Uint8Array, relocate: (location: string) => string): Uint8Array {
  parsePuffinFooter(footer);
  const bytes = Buffer.from(footer.buffer, footer.byteOffset, footer.byteLength);
  const root = parsePayload(bytes);
  const blobs = isJsonObject(root) ? root['blobs'] : undefined;
  if (!isJsonObject(root) || blobs === undefined || !isJsonArray(blobs)) throw corrupt('its footer lists no blobs');
  return footerOf({ ...root, blobs: blobs.map((blob) => relocateBlob(blob, relocate)) });
}

function relocateBlob(blob: JsonValue, relocate: (location: string) => string): JsonValue {
  const properties = isJsonObject(blob) ? blob['properties'] : undefined;
  const about = isJsonObject(properties) ? properties[REFERENCED_DATA_FILE] : undefined;
  if (!isJsonObject(blob) || !isJsonObject(properties) || typeof about !== 'string') return blob;
  return { ...blob, properties: { ...properties, [REFERENCED_DATA_FILE]: relocate(about) } };
}

/** Magic, payload, its size, no flags, magic. */
function footerOf(payload: JsonValue): Uint8Array {
  const text = Buffer.from(stringifyJson(payload));
  const trailer = Buffer.alloc(PUFFIN_TRAILER_BYTES);
  trailer.writeInt32LE(text.length, 0);
  MAGIC.copy(trailer, 8);
  return Buffer.concat([MAGIC, text, trailer]);
}

export interface WrittenPuffin {
  readonly bytes: Uint8Array;
  /** As the footer describes them, in the order given. */
  readonly blobs: readonly PuffinBlob[];
}

/** A Puffin file of uncompressed blobs. */
export function writePuffin(
  blobs: readonly PuffinBlobToWrite[],
  properties: ReadonlyMap<string, string> = new Map(),
): WrittenPuffin {
  let offset = MAGIC.length;
  const described = blobs.map(({ data, ...blob }): PuffinBlob => {
    const placed = { ...blob, offset: BigInt(offset), length: BigInt(data.length) };
    offset += data.length;
    return placed;
  });
  const footer = footerOf({ blobs: described.map(blobToJson), properties: Object.fromEntries(properties) });
  return { bytes: Buffer.concat([MAGIC, ...blobs.map(({ data }) => data), footer]), blobs: described };
}

function blobToJson(blob: PuffinBlob): JsonValue {
  return {
    type: blob.type,
    fields: blob.fields,
    'snapshot-id': blob.snapshotId,
    'sequence-number': blob.sequenceNumber,
    offset: blob.offset,
    length: blob.length,
    properties: Object.fromEntries(blob.properties),
  };
}
