/**
 * Avro data of a schema, read and written by avsc. Records are avsc's, with fields named by position (`f0`, `f1`, ..), so that no
 * name of a file reaches generated code; maps are `Map`s; longs are `bigint`; bytes are views of the block.
 */
import avro from 'avsc';
import { MoraineError } from '../../errors/index.js';
import { type AvroNode, parseAvroSchema } from './avro-node.js';
import { PackedMap, type PairsFormat } from './packed-map.js';

/** A decoded value: null, boolean, number, bigint, string, Buffer, array, Map or record. */
export type AvroDatum = unknown;

/** A decoded record: values under the keys of {@link positionKey}. */
export type AvroRecord = Readonly<Record<string, AvroDatum>>;

/** The property of a decoded record that holds its field at this position. */
export function positionKey(position: number): string {
  return `f${String(position)}`;
}

/** The part of avsc's cursor that our types use. It may pass the end of its buffer, which avsc checks after each record. */
interface Tap {
  buf: Uint8Array;
  pos: number;
  readLong(): number;
  skipLong(): number;
  writeLong(value: number): void;
}

/** The reading and writing half of an avsc type. */
interface Codec {
  _read(tap: Tap): AvroDatum;
  _write(tap: Tap, value: AvroDatum): void;
}

/** avsc refuses longs beyond 2^53; these are `bigint` over the whole range. */
class BigLongType extends avro.types.LongType {
  _read(tap: Tap): bigint {
    const { buf } = tap;
    let byte = buf[tap.pos++] ?? 0;
    let low = byte & 0x7f;
    let factor = 128;
    while (byte & 0x80 && factor < 2 ** 49) {
      byte = buf[tap.pos++] ?? 0;
      low += (byte & 0x7f) * factor;
      factor *= 128;
    }
    if (!(byte & 0x80)) return BigInt(low % 2 === 0 ? low / 2 : -(low + 1) / 2);
    let zigzag = BigInt(low);
    for (let shift = 49n; byte & 0x80; shift += 7n) {
      if (shift > 63n) throw new Error('a long of more than ten bytes');
      byte = buf[tap.pos++] ?? 0;
      zigzag |= BigInt(byte & 0x7f) << shift;
    }
    return BigInt.asIntN(64, (zigzag >> 1n) ^ -(zigzag & 1n));
  }

  _write(tap: Tap, value: unknown): void {
    if (typeof value !== 'bigint') throw new Error(`not a long: ${String(value)}`);
    if (value >= -0x3fffffffn && value <= 0x3fffffffn) {
      tap.writeLong(Number(value));
      return;
    }
    if (BigInt.asIntN(64, value) !== value) throw new Error(`${String(value)} does not fit 64 bits`);
    let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
    while (rest > 0x7fn) {
      tap.buf[tap.pos++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    tap.buf[tap.pos++] = Number(rest);
  }

  _check(value: unknown): boolean {
    return typeof value === 'bigint';
  }
}

/** Calls `readItem` for every item of an Avro array or map; a count that the remaining bytes cannot hold ends it. */
function readItems(tap: Tap, readItem: () => void): void {
  for (let count = tap.readLong(); count !== 0; count = tap.readLong()) {
    if (count < 0) {
      count = -count;
      tap.skipLong();
    }
    if (!(count <= tap.buf.length - tap.pos)) throw new Error(`an array claims ${String(count)} items`);
    while (count-- > 0) {
      const before = tap.pos;
      readItem();
      if (tap.pos <= before) throw new Error('an item of no length');
    }
  }
}

/** An array whose claimed length is checked before it is believed. */
class BoundedArrayType extends avro.types.ArrayType {
  _read(tap: Tap): AvroDatum[] {
    const items = this.itemsType as unknown as Codec;
    const values: AvroDatum[] = [];
    readItems(tap, () => values.push(items._read(tap)));
    return values;
  }
}

/** avsc reads and writes bytes as Buffers; this reads plain Uint8Arrays (views of the block) and writes either. */
class PlainBytesType extends avro.types.BytesType {
  _read(tap: Tap): Uint8Array {
    const length = tap.readLong();
    const start = tap.pos;
    tap.pos += length;
    if (length < 0 || tap.pos > tap.buf.length) throw new Error('it ends within a record');
    return new Uint8Array(tap.buf.buffer, tap.buf.byteOffset + start, length);
  }

  _write(tap: Tap, value: unknown): void {
    if (!(value instanceof Uint8Array)) throw new Error('not bytes');
    tap.writeLong(value.length);
    writeRaw(tap, value);
  }

  _check(value: unknown): boolean {
    return value instanceof Uint8Array;
  }
}

function writeRaw(tap: Tap, bytes: Uint8Array): void {
  if (tap.pos + bytes.length <= tap.buf.length) tap.buf.set(bytes, tap.pos);
  tap.pos += bytes.length;
}

function isMap(values: unknown): values is ReadonlyMap<AvroDatum, AvroDatum> {
  return values instanceof Map || values instanceof PackedMap;
}

/** Avro's map, and Iceberg's array of key-value records (the bytes are alike), as a `Map`. */
class PairsType extends avro.types.ArrayType {
  _read(tap: Tap): ReadonlyMap<AvroDatum, AvroDatum> {
    const [key, value] = this.codecs();
    const values = new Map<AvroDatum, AvroDatum>();
    readItems(tap, () => values.set(key._read(tap), value._read(tap)));
    return values;
  }

  _write(tap: Tap, values: unknown): void {
    if (!isMap(values)) throw new Error('not a Map');
    const [key, value] = this.codecs();
    if (values.size > 0) {
      tap.writeLong(values.size);
      for (const [k, v] of values) {
        key._write(tap, k);
        value._write(tap, v);
      }
    }
    tap.writeLong(0);
  }

  _check(values: unknown): boolean {
    return isMap(values);
  }

  private codecs(): [Codec, Codec] {
    const [key, value] = (this.itemsType as avro.types.RecordType).fields;
    return [key?.type, value?.type] as unknown as [Codec, Codec];
  }
}

/**
 * Pairs of an int and a long or bytes: read as a {@link PackedMap}, and written as they came.
 * (A class for each type, since avsc freezes its types before a field could be added.)
 */
function packedPairsType(items: avro.Type, valueKind: 'long' | 'bytes'): avro.Type {
  const eager = new PairsType({ type: 'array', items }, {});
  const format: PairsFormat = {
    valueKind,
    unpack: (bytes) =>
      eager.fromBuffer(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)) as ReadonlyMap<number, AvroDatum>,
  };

  class PackedPairsType extends PairsType {
    override _read(tap: Tap): ReadonlyMap<AvroDatum, AvroDatum> {
      const start = tap.pos;
      readItems(tap, valueKind === 'long' ? () => skipLongPair(tap) : () => skipBytesPair(tap));
      if (tap.pos > tap.buf.length) throw new Error('it ends within a record');
      return new PackedMap(format, tap.buf, start, tap.pos);
    }

    override _write(tap: Tap, values: unknown): void {
      if (values instanceof PackedMap && values.format.valueKind === valueKind) writeRaw(tap, values.bytes);
      else super._write(tap, values);
    }
  }
  return new PackedPairsType({ type: 'array', items }, {});
}

function skipLongPair(tap: Tap): void {
  tap.skipLong();
  tap.skipLong();
}

function skipBytesPair(tap: Tap): void {
  tap.skipLong();
  const length = tap.readLong();
  tap.pos += length;
}

/** A union of null and one type, told apart by the value being null. */
class OptionalType extends avro.types.UnwrappedUnionType {
  _getIndex(value: unknown): number {
    const nullIndex = this.types.findIndex((type) => type.typeName === 'null');
    return value === null || value === undefined ? nullIndex : 1 - nullIndex;
  }
}

/** Reads and writes values of one schema. */
export interface DatumCodec {
  /**
   * Reads one value.
   * @throws Error when the bytes are not a value of the schema
   */
  decode(bytes: Buffer, position: number): { readonly value: AvroDatum; readonly end: number };
  /** Writes one value; returns the position after it, or -1 when the buffer is too small. */
  encode(value: AvroDatum, bytes: Buffer, position: number): number;
}

/** A codec for a schema. Making one compiles code; {@link avroSchema} keeps it. */
function datumCodec(node: AvroNode): DatumCodec {
  const type = avscType(node, { count: 0 });
  return {
    decode(bytes, position) {
      const decoded: { readonly value: AvroDatum; readonly offset: number } = type.decode(bytes, position);
      if (decoded.offset < 0) throw new Error('it ends within a record');
      return { value: decoded.value, end: decoded.offset };
    },
    encode(value, bytes, position) {
      const end = type.encode(value, bytes, position);
      return end > position ? end : -1;
    },
  };
}

/** A writer's schema and the codec of its data. */
export interface AvroSchema {
  readonly node: AvroNode;
  readonly datum: DatumCodec;
}

const cache = new Map<string, AvroSchema>();
const CACHED_SCHEMAS = 128;

/**
 * A schema, kept by its text: a table's manifests share a few.
 * @throws MoraineError `MANIFEST_CORRUPT` as {@link parseAvroSchema}
 */
export function avroSchema(text: string): AvroSchema {
  const known = cache.get(text);
  if (known !== undefined) return known;
  const node = parseAvroSchema(text);
  let codec: DatumCodec | undefined;
  const schema: AvroSchema = {
    node,
    get datum() {
      codec ??= datumCodec(node);
      return codec;
    },
  };
  if (cache.size >= CACHED_SCHEMAS) cache.clear();
  cache.set(text, schema);
  return schema;
}

/** A schema whose data are records. */
export type AvroRecordSchema = AvroSchema & { readonly node: { readonly kind: 'record' } };

/** As {@link avroSchema}. @throws Error when the schema is not a record */
export function recordSchema(text: string): AvroRecordSchema {
  const schema = avroSchema(text);
  if (!isRecordSchema(schema)) throw new Error('its schema is not a record');
  return schema;
}

const isRecordSchema = (schema: AvroSchema): schema is AvroRecordSchema => schema.node.kind === 'record';

function avscType(node: AvroNode, names: { count: number }): avro.Type {
  switch (node.kind) {
    case 'primitive':
      if (node.name === 'long') return new BigLongType();
      return node.name === 'bytes' ? new PlainBytesType() : avro.Type.forSchema(node.name);
    case 'fixed':
      return avro.Type.forSchema({ type: 'fixed', name: `t${String(names.count++)}`, size: node.size });
    case 'array':
      return new BoundedArrayType({ type: 'array', items: avscType(node.items, names) }, {});
    case 'pairs': {
      const items = recordType([avscType(node.key, names), avscType(node.value, names)], names);
      const valueName = node.value.kind === 'primitive' ? node.value.name : undefined;
      const packs = node.key.kind === 'primitive' && node.key.name === 'int';
      return packs && (valueName === 'long' || valueName === 'bytes')
        ? packedPairsType(items, valueName)
        : new PairsType({ type: 'array', items }, {});
    }
    case 'record':
      return recordType(
        node.fields.map((field) => avscType(field.node, names)),
        names,
      );
    case 'union':
      return unionType(node.branches, names);
  }
}

function recordType(types: readonly avro.Type[], names: { count: number }): avro.Type {
  const fields = types.map((type, position) => ({ name: positionKey(position), type }));
  return avro.Type.forSchema(
    { type: 'record', name: `t${String(names.count++)}`, fields },
    { omitRecordMethods: true, wrapUnions: 'never' },
  );
}

function unionType(branches: readonly AvroNode[], names: { count: number }): avro.Type {
  const nulls = branches.filter((branch) => branch.kind === 'primitive' && branch.name === 'null').length;
  if (branches.length === 1 && nulls === 1) return avro.Type.forSchema('null');
  if (branches.length !== 2 || nulls !== 1) {
    throw new MoraineError('MANIFEST_CORRUPT', 'its Avro schema has a union other than of null and one type');
  }
  const types = branches.map((branch) => avscType(branch, names));
  return new OptionalType(types as unknown as avro.Schema, {});
}
