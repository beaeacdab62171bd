/** Values in the binary form of bounds and partition summaries. Source: Apache Iceberg specification, Appendix D. */
import { MoraineError } from '../../errors/index.js';
import { typeToString } from '../schema/schema-json.js';
import type { IcebergType, PrimitiveType, PrimitiveValue } from '../schema/types.js';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const MICROS_PER_DAY = 86_400_000_000n;
const NANOS_PER_DAY = 86_400_000_000_000n;

/** The binary form of a value. */
export function serializeValue(type: IcebergType, value: PrimitiveValue): Uint8Array {
  switch (type.kind) {
    case 'boolean':
      return Uint8Array.of(value === true ? 1 : 0);
    case 'int':
    case 'date':
      return fixedBytes(4, (view) => view.setInt32(0, value as number, true));
    case 'long':
    case 'time':
    case 'timestamp':
    case 'timestamptz':
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return fixedBytes(8, (view) => view.setBigInt64(0, value as bigint, true));
    case 'float':
      return fixedBytes(4, (view) => view.setFloat32(0, value as number, true));
    case 'double':
      return fixedBytes(8, (view) => view.setFloat64(0, value as number, true));
    case 'string':
      return encoder.encode(value as string);
    case 'uuid':
      return uuidToBytes(value as string);
    case 'fixed':
    case 'binary':
      return value as Uint8Array;
    case 'decimal':
      return bigintToBytes(value as bigint);
    default:
      throw new MoraineError('TYPE_MISMATCH', `Values of type ${typeToString(type)} have no binary form.`);
  }
}

/**
 * The value of a binary form. Values written before the column was promoted are read as the new type: an int as a long,
 * a float as a double, a date as a timestamp.
 * @throws MoraineError `MANIFEST_CORRUPT` when the bytes are not a value of the type
 */
export function deserializeValue(type: IcebergType, bytes: Uint8Array): PrimitiveValue {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (type.kind) {
    case 'boolean':
      if (bytes.length === 1) return bytes[0] !== 0;
      break;
    case 'int':
    case 'date':
      if (bytes.length === 4) return view.getInt32(0, true);
      break;
    case 'float':
      if (bytes.length === 4) return view.getFloat32(0, true);
      break;
    case 'double':
      if (bytes.length === 4) return view.getFloat32(0, true);
      if (bytes.length === 8) return view.getFloat64(0, true);
      break;
    case 'long':
    case 'time':
    case 'timestamp':
    case 'timestamptz':
    case 'timestamp_ns':
    case 'timestamptz_ns':
      if (bytes.length === 8) return view.getBigInt64(0, true);
      if (bytes.length === 4 && type.kind !== 'time') return promoteInt(type, view.getInt32(0, true));
      break;
    case 'string':
      return decodeText(bytes);
    case 'uuid':
      if (bytes.length === 16) return bytesToUuid(bytes);
      break;
    case 'fixed':
    case 'binary':
      return bytes;
    case 'decimal':
      if (bytes.length > 0) return bytesToBigint(bytes);
      break;
    default:
      throw new MoraineError('TYPE_MISMATCH', `Values of type ${typeToString(type)} have no binary form.`);
  }
  throw new MoraineError('MANIFEST_CORRUPT', `${bytes.length} bytes are not a value of type ${typeToString(type)}.`);
}

function promoteInt(type: PrimitiveType, value: number): bigint {
  if (type.kind === 'long') return BigInt(value);
  return BigInt(value) * (type.kind.endsWith('_ns') ? NANOS_PER_DAY : MICROS_PER_DAY);
}

function decodeText(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new MoraineError('MANIFEST_CORRUPT', `${bytes.length} bytes are not text in UTF-8.`, { cause });
  }
}

function fixedBytes(length: number, fill: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(length);
  fill(new DataView(bytes.buffer));
  return bytes;
}

/** The fewest big-endian two's-complement bytes of an integer: the form of decimals. */
export function bigintToBytes(value: bigint): Uint8Array {
  let length = 1;
  while (BigInt.asIntN(length * 8, value) !== value) length++;
  const bytes = new Uint8Array(length);
  for (let i = length - 1, rest = value; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 0xffn);
  return bytes;
}

/** The integer of big-endian two's-complement bytes of any length. */
export function bytesToBigint(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return BigInt.asIntN(bytes.length * 8, value);
}

/** The sixteen bytes of a uuid in text form. */
export function uuidToBytes(uuid: string): Uint8Array {
  const hex = uuid.replaceAll('-', '');
  if (!/^[0-9a-f]{32}$/i.test(hex)) throw new MoraineError('TYPE_MISMATCH', `'${uuid}' is not a uuid.`);
  return Uint8Array.from({ length: 16 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}

/** The canonical lower-case text of a uuid's sixteen bytes. */
export function bytesToUuid(bytes: Uint8Array): string {
  const hex = bytesToHex(bytes);
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** Bytes as lower-case hexadecimal digits. */
export function bytesToHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
