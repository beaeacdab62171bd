/** Thrift structs as trees, read and written again. Source: Apache Thrift, "Thrift Compact Protocol". */

/** The bytes end within a struct. */
export class ShortThriftError extends Error {
  constructor() {
    super('its Thrift structs are cut off');
  }
}

export interface ThriftStruct {
  readonly kind: 'struct';
  /** In the order of their ids. */
  readonly fields: ReadonlyMap<number, ThriftValue>;
}

export interface ThriftList {
  readonly kind: 'list';
  readonly elementType: number;
  readonly items: readonly ThriftValue[];
}

/** A value with its type in the protocol. Integers are `bigint`; what needs no look inside stays as bytes. */
export type ThriftValue =
  | { readonly kind: 'integer'; readonly type: number; readonly value: bigint }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'bytes'; readonly type: number; readonly bytes: Uint8Array }
  | ThriftList
  | ThriftStruct;

const TRUE = 1;
const FALSE = 2;
const BYTE = 3;
const I16 = 4;
export const I32 = 5;
export const I64 = 6;
const DOUBLE = 7;
const BINARY = 8;
const LIST = 9;
const STRUCT = 12;
const UUID = 13;

const FIXED_BYTES: ReadonlyMap<number, number> = new Map([
  [BYTE, 1],
  [DOUBLE, 8],
  [UUID, 16],
]);
const MAX_DEPTH = 64;

/** Reads one struct at the start of the bytes. @throws ShortThriftError, Error */
export function readThrift(bytes: Uint8Array): { readonly struct: ThriftStruct; readonly end: number } {
  const reader = new Reader(bytes);
  const struct = reader.struct(0);
  return { struct, end: reader.offset };
}

class Reader {
  readonly #bytes: Uint8Array;
  offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  struct(depth: number): ThriftStruct {
    if (depth > MAX_DEPTH) throw new Error('its Thrift structs are too deep');
    const fields = new Map<number, ThriftValue>();
    let id = 0;
    for (let header = this.#byte(); header !== 0; header = this.#byte()) {
      const type = header & 0xf;
      id = header >> 4 === 0 ? Number(this.#zigzag()) : id + (header >> 4);
      const isBoolean = type === TRUE || type === FALSE;
      fields.set(id, isBoolean ? { kind: 'boolean', value: type === TRUE } : this.#value(type, depth));
    }
    return { kind: 'struct', fields };
  }

  #value(type: number, depth: number): ThriftValue {
    const width = FIXED_BYTES.get(type);
    if (width !== undefined) return { kind: 'bytes', type, bytes: this.#take(width) };
    switch (type) {
      case I16:
      case I32:
      case I64:
        return { kind: 'integer', type, value: this.#zigzag() };
      case BINARY:
        return { kind: 'bytes', type, bytes: this.#take(Number(this.#varint())) };
      case LIST:
        return this.#list(depth);
      case STRUCT:
        return this.struct(depth + 1);
      default:
        throw new Error(`its Thrift structs have a field of the type ${type}`);
    }
  }

  #list(depth: number): ThriftList {
    const header = this.#byte();
    const elementType = header & 0xf;
    const size = header >> 4 === 15 ? Number(this.#varint()) : header >> 4;
    if (size > this.#bytes.length - this.offset) throw new ShortThriftError();
    const isBoolean = elementType === TRUE || elementType === FALSE;
    const items: ThriftValue[] = [];
    for (let index = 0; index < size; index += 1) {
      items.push(isBoolean ? { kind: 'boolean', value: this.#byte() === TRUE } : this.#value(elementType, depth));
    }
    return { kind: 'list', elementType, items };
  }

  #zigzag(): bigint {
    const bits = this.#varint();
    return BigInt.asIntN(64, (bits >> 1n) ^ -(bits & 1n));
  }

  #varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new Error('its Thrift structs have a number of more than ten bytes');
  }

  #byte(): number {
    const [byte] = this.#take(1);
    return byte as number;
  }

  #take(length: number): Uint8Array {
    if (length > this.#bytes.length - this.offset) throw new ShortThriftError();
    this.offset += length;
    return this.#bytes.subarray(this.offset - length, this.offset);
  }
}

/** The bytes of a struct. */
export function writeThrift(struct: ThriftStruct): Buffer {
  const parts: Uint8Array[] = [];
  writeStruct(struct, parts);
  return Buffer.concat(parts);
}

function writeStruct({ fields }: ThriftStruct, parts: Uint8Array[]): void {
  let last = 0;
  for (const [id, value] of [...fields].sort(([a], [b]) => a - b)) {
    const type = typeOf(value);
    const delta = id - last;
    last = id;
    parts.push(delta > 0 && delta <= 15 ? Buffer.of((delta << 4) | type) : longHeader(type, id));
    if (value.kind !== 'boolean') writeValue(value, parts);
  }
  parts.push(Buffer.of(0));
}

const longHeader = (type: number, id: number): Uint8Array => Buffer.concat([Buffer.of(type), zigzag(BigInt(id))]);

function typeOf(value: ThriftValue): number {
  if (value.kind === 'boolean') return value.value ? TRUE : FALSE;
  if (value.kind === 'struct') return STRUCT;
  return value.kind === 'list' ? LIST : value.type;
}

function writeValue(value: ThriftValue, parts: Uint8Array[]): void {
  switch (value.kind) {
    case 'boolean':
      parts.push(Buffer.of(value.value ? TRUE : FALSE));
      return;
    case 'integer':
      parts.push(zigzag(value.value));
      return;
    case 'bytes':
      if (value.type === BINARY) parts.push(varint(BigInt(value.bytes.length)));
      parts.push(value.bytes);
      return;
    case 'struct':
      writeStruct(value, parts);
      return;
    case 'list': {
      const { items, elementType } = value;
      if (items.length < 15) parts.push(Buffer.of((items.length << 4) | elementType));
      else parts.push(Buffer.of(0xf0 | elementType), varint(BigInt(items.length)));
      for (const item of items) writeValue(item, parts);
    }
  }
}

const zigzag = (value: bigint): Uint8Array => varint(BigInt.asUintN(64, (value << 1n) ^ (value >> 63n)));

function varint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}
