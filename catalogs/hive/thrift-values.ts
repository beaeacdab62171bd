/**
 * Values of the Thrift protocol as it writes them: each with its type, the fields of a struct by their numbers. What a metastore sends is
 * sent back as it was, with the fields that no version known here has: a replaced table loses nothing.
 * Source: "Thrift Binary protocol encoding" and "Thrift Types", Apache Thrift.
 */

/** The protocol of the `thrift` package, as far as values need it; its own declarations are not there for users of this package. */
export interface Protocol {
  writeFieldBegin(name: string, type: number, id: number): void;
  writeFieldStop(): void;
  writeMapBegin(keyType: number, valueType: number, size: number): void;
  writeListBegin(elementType: number, size: number): void;
  writeBool(value: boolean): void;
  writeByte(value: number): void;
  writeI16(value: number): void;
  writeI32(value: number): void;
  writeDouble(value: number): void;
  writeBinary(value: Buffer): void;
  readFieldBegin(): { readonly ftype: number; readonly fid: number };
  readMapBegin(): { readonly ktype: number; readonly vtype: number; readonly size: number };
  readListBegin(): { readonly etype: number; readonly size: number };
  readBool(): boolean;
  readByte(): number;
  readI16(): number;
  readI32(): number;
  readDouble(): number;
  readBinary(): Buffer;
  getTransport(): { write(bytes: Buffer): void; read(length: number): Buffer };
}

/** The numbers of types in the protocol. */
export const TYPE = {
  stop: 0,
  bool: 2,
  byte: 3,
  double: 4,
  i16: 6,
  i32: 8,
  i64: 10,
  string: 11,
  struct: 12,
  map: 13,
  set: 14,
  list: 15,
} as const;

export type Value =
  | { readonly type: typeof TYPE.bool; readonly value: boolean }
  | { readonly type: typeof TYPE.byte | typeof TYPE.i16 | typeof TYPE.i32 | typeof TYPE.double; readonly value: number }
  | { readonly type: typeof TYPE.i64; readonly value: bigint }
  /** Text in UTF-8, or bytes of any kind. */
  | { readonly type: typeof TYPE.string; readonly value: Buffer }
  | { readonly type: typeof TYPE.list | typeof TYPE.set; readonly element: number; readonly value: readonly Value[] }
  | {
      readonly type: typeof TYPE.map;
      readonly key: number;
      readonly element: number;
      readonly value: readonly (readonly [Value, Value])[];
    }
  | { readonly type: typeof TYPE.struct; readonly value: Fields };

/** The fields of a struct by their numbers; those that are not set are missing. */
export type Fields = ReadonlyMap<number, Value>;

const DEEPEST = 64;

export const text = (value: string): Value => ({ type: TYPE.string, value: Buffer.from(value) });
export const i32 = (value: number): Value => ({ type: TYPE.i32, value });
export const i64 = (value: bigint): Value => ({ type: TYPE.i64, value });
export const bool = (value: boolean): Value => ({ type: TYPE.bool, value });
export const list = (element: number, value: readonly Value[]): Value => ({ type: TYPE.list, element, value });
export const texts = (values: readonly string[]): Value => list(TYPE.string, values.map(text));
export const textMap = (values: Iterable<readonly [string, string]>): Value => ({
  type: TYPE.map,
  key: TYPE.string,
  element: TYPE.string,
  value: [...values].map(([key, value]) => [text(key), text(value)] as const),
});

/** A struct of the fields that are given. */
export const struct = (fields: Readonly<Record<number, Value | undefined>>): Value => ({
  type: TYPE.struct,
  value: fieldsOf(fields),
});

export function fieldsOf(fields: Readonly<Record<number, Value | undefined>>): Fields {
  const entries = Object.entries(fields).map(([id, value]) => [Number(id), value] as const);
  return new Map(entries.flatMap(([id, value]) => (value === undefined ? [] : [[id, value] as const])));
}

/** Some fields of a struct replaced, the others as they are. */
export const withFields = (fields: Fields, changed: Readonly<Record<number, Value>>): Fields =>
  new Map([...fields, ...fieldsOf(changed)]);

export function textOf(value: Value | undefined): string | undefined {
  return value?.type === TYPE.string ? value.value.toString() : undefined;
}

export function structOf(value: Value | undefined): Fields {
  return value?.type === TYPE.struct ? value.value : new Map();
}

export function listOf(value: Value | undefined): readonly Value[] {
  return value?.type === TYPE.list ? value.value : [];
}

export function textMapOf(value: Value | undefined): ReadonlyMap<string, string> {
  const entries = value?.type === TYPE.map ? value.value : [];
  return new Map(entries.map(([key, element]) => [textOf(key) ?? '', textOf(element) ?? '']));
}

export function writeFields(protocol: Protocol, fields: Fields): void {
  for (const [id, value] of fields) {
    protocol.writeFieldBegin('', value.type, id);
    write(protocol, value);
  }
  protocol.writeFieldStop();
}

function write(protocol: Protocol, each: Value): void {
  switch (each.type) {
    case TYPE.bool:
      return protocol.writeBool(each.value);
    case TYPE.byte:
      return protocol.writeByte(each.value);
    case TYPE.i16:
      return protocol.writeI16(each.value);
    case TYPE.i32:
      return protocol.writeI32(each.value);
    case TYPE.double:
      return protocol.writeDouble(each.value);
    case TYPE.i64: {
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64BE(each.value);
      return protocol.getTransport().write(bytes);
    }
    case TYPE.string:
      return protocol.writeBinary(each.value);
    case TYPE.struct:
      return writeFields(protocol, each.value);
    case TYPE.list:
    case TYPE.set:
      protocol.writeListBegin(each.element, each.value.length);
      for (const element of each.value) write(protocol, element);
      return;
    case TYPE.map:
      protocol.writeMapBegin(each.key, each.element, each.value.length);
      for (const [key, element] of each.value) {
        write(protocol, key);
        write(protocol, element);
      }
      return;
  }
}

/** @throws Error for what is not of the protocol, and where the bytes end before the fields do */
export function readFields(protocol: Protocol, depth = 0): Fields {
  if (depth > DEEPEST) throw new Error(`structs in structs, more than ${DEEPEST} deep`);
  const fields = new Map<number, Value>();
  for (;;) {
    const { ftype, fid } = protocol.readFieldBegin();
    if (ftype === TYPE.stop) return fields;
    fields.set(fid, read(protocol, ftype, depth));
  }
}

function read(protocol: Protocol, type: number, depth: number): Value {
  switch (type) {
    case TYPE.bool:
      return { type, value: protocol.readBool() };
    case TYPE.byte:
      return { type, value: protocol.readByte() };
    case TYPE.i16:
      return { type, value: protocol.readI16() };
    case TYPE.i32:
      return { type, value: protocol.readI32() };
    case TYPE.double:
      return { type, value: protocol.readDouble() };
    case TYPE.i64:
      return { type, value: protocol.getTransport().read(8).readBigInt64BE() };
    case TYPE.string:
      return { type, value: Buffer.from(protocol.readBinary()) };
    case TYPE.struct:
      return { type, value: readFields(protocol, depth + 1) };
    case TYPE.list:
    case TYPE.set: {
      const { etype: element, size } = protocol.readListBegin();
      return { type, element, value: elements(size, () => read(protocol, element, depth + 1)) };
    }
    case TYPE.map: {
      const { ktype: key, vtype: element, size } = protocol.readMapBegin();
      const entry = () => [read(protocol, key, depth + 1), read(protocol, element, depth + 1)] as const;
      return { type, key, element, value: elements(size, entry) };
    }
    default:
      throw new Error(`there is no type ${type}`);
  }
}

/** Each takes at least a byte, so that a size that is made up ends at the end of the bytes. */
function elements<T>(size: number, next: () => T): readonly T[] {
  const found: T[] = [];
  while (found.length < size) found.push(next());
  return found;
}
