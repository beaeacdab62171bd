/**
 * Where a Parquet footer says of nanosecond columns whether they have a zone, and what it says of codecs and layout.
 * Source: Apache Parquet format, parquet.thrift (FileMetaData, SchemaElement, TimestampType); Apache Thrift, "Compact protocol".
 */
import { MoraineError } from '../../errors/index.js';

/** A column of timestamps with nanoseconds, at any depth. */
export interface NanosecondColumn {
  readonly fieldId: number | undefined;
  readonly isAdjustedToUtc: boolean;
  /** Offset, in the footer, of the byte whose low half is `isAdjustedToUTC`: {@link TRUE} or {@link FALSE}. */
  readonly flagOffset: number;
}

/** Field types of the compact protocol. A boolean field is its type: there is no other byte. */
const TRUE = 1;
const FALSE = 2;
const BYTE = 3;
const I16 = 4;
const I32 = 5;
const I64 = 6;
const DOUBLE = 7;
const BINARY = 8;
const LIST = 9;
const SET = 10;
const MAP = 11;
const STRUCT = 12;
const UUID = 13;

const FILE_SCHEMA = 2;
const ELEMENT_FIELD_ID = 9;
const ELEMENT_LOGICAL_TYPE = 10;
const LOGICAL_TIMESTAMP = 8;
const TIMESTAMP_ADJUSTED = 1;
const TIMESTAMP_UNIT = 2;
const UNIT_NANOS = 3;

/** Deeper than any footer: unknown fields are skipped, and must not exhaust the stack. */
const MAX_DEPTH = 64;
const MAX_VARINT_BYTES = 10;

/**
 * The nanosecond columns of a footer (the bytes before its length), in the order of the schema.
 * @throws DATA_FILE_CORRUPT for bytes that are not a footer; it names no file
 */
export function nanosecondColumns(footer: Uint8Array): readonly NanosecondColumn[] {
  const reader = new CompactReader(footer);
  const columns: NanosecondColumn[] = [];
  reader.struct((id, type) => {
    if (id !== FILE_SCHEMA || type !== LIST) return false;
    eachStruct(reader, () => {
      const column = schemaElement(reader);
      if (column !== undefined) columns.push(column);
    });
    return true;
  });
  return columns;
}

/** Codecs of column chunks that DuckDB does not read. */
export const LZO = 3;
export const HADOOP_LZ4 = 5;

const FILE_ROW_COUNT = 3;
const FILE_ROW_GROUPS = 4;
const GROUP_COLUMNS = 1;
const CHUNK_META = 3;
const META_TYPE = 1;
const META_CODEC = 4;
const META_STATISTICS = 12;

/** Physical types whose values have no order of their own: INT96, BYTE_ARRAY and FIXED_LEN_BYTE_ARRAY. */
const BYTES: ReadonlySet<number> = new Set([3, 6, 7]);
/** Fields of statistics: the deprecated `max` and `min`, and `max_value` and `min_value` in their place. */
const [OLD_MAX, OLD_MIN, MAX_VALUE, MIN_VALUE] = [1, 2, 5, 6];

/** Facts in a footer about a file as a whole. */
export interface FooterOutline {
  /** Codecs of the column chunks, as numbers of `CompressionCodec`. */
  readonly codecs: ReadonlySet<number>;
  /**
   * Whether bytes (text, decimals, times of 96 bits) have bounds in the deprecated fields alone, as parquet-mr before 1.10 wrote them: in the order of signed bytes,
   * by which values above 0x7f are below all others. DuckDB takes them for bounds.
   */
  readonly hasSignedBounds: boolean;
  /** All but the number of rows and the row groups: files in which these bytes are equal are laid out alike. */
  readonly layoutBytes: readonly Uint8Array[];
}

/** @throws DATA_FILE_CORRUPT for bytes that are not a footer; it names no file */
export function footerOutline(footer: Uint8Array): FooterOutline {
  const reader = new CompactReader(footer);
  const codecs = new Set<number>();
  let hasSignedBounds = false;
  const meta = (): void => {
    let isBytes = false;
    let statistics = 0;
    reader.struct((id, type) => {
      if (type === I32 && id === META_TYPE) isBytes = BYTES.has(reader.i32());
      else if (type === I32 && id === META_CODEC) codecs.add(reader.i32());
      else if (type === STRUCT && id === META_STATISTICS) statistics = fieldsOf(reader);
      else return false;
      return true;
    });
    const has = (field: number): boolean => (statistics & (1 << field)) !== 0;
    if (isBytes && ((has(OLD_MAX) && !has(MAX_VALUE)) || (has(OLD_MIN) && !has(MIN_VALUE)))) hasSignedBounds = true;
  };
  const inside = (wanted: number, wantedType: number, read: () => void) => (): void =>
    reader.struct((id, type) => {
      if (id !== wanted || type !== wantedType) return false;
      if (wantedType === STRUCT) read();
      else eachStruct(reader, read);
      return true;
    });
  const group = inside(GROUP_COLUMNS, LIST, inside(CHUNK_META, STRUCT, meta));
  const fields: { readonly id: number; readonly start: number }[] = [];
  reader.struct((id, type, start) => {
    fields.push({ id, start });
    if (id !== FILE_ROW_GROUPS || type !== LIST) return false;
    eachStruct(reader, group);
    return true;
  });
  const layoutBytes = fields.flatMap(({ id, start }, index) =>
    id === FILE_ROW_COUNT || id === FILE_ROW_GROUPS ? [] : [footer.subarray(start, fields[index + 1]?.start)],
  );
  return { codecs, hasSignedBounds, layoutBytes };
}

/** The fields below 32 that a struct has, as bits. */
function fieldsOf(reader: CompactReader): number {
  let fields = 0;
  reader.struct((id) => {
    if (id < 32) fields |= 1 << id;
    return false;
  });
  return fields;
}

function eachStruct(reader: CompactReader, read: () => void): void {
  reader.list((elementType) => {
    if (elementType !== STRUCT) throw broken();
    read();
  });
}

/** Turns the zone of a column on or off in its footer: one byte, and nothing moves. */
export function withZone(footer: Uint8Array, column: NanosecondColumn, isAdjustedToUtc: boolean): number {
  const byte = footer[column.flagOffset] as number;
  return (byte & 0xf0) | (isAdjustedToUtc ? TRUE : FALSE);
}

type Timestamp = Omit<NanosecondColumn, 'fieldId'>;

function schemaElement(reader: CompactReader): NanosecondColumn | undefined {
  let fieldId: number | undefined;
  let timestamp: Timestamp | undefined;
  reader.struct((id, type) => {
    if (id === ELEMENT_FIELD_ID && type === I32) {
      fieldId = reader.i32();
      return true;
    }
    if (id !== ELEMENT_LOGICAL_TYPE || type !== STRUCT) return false;
    timestamp = logicalType(reader);
    return true;
  });
  return timestamp && { fieldId, ...timestamp };
}

function logicalType(reader: CompactReader): Timestamp | undefined {
  let timestamp: Timestamp | undefined;
  reader.struct((id, type) => {
    if (id !== LOGICAL_TIMESTAMP || type !== STRUCT) return false;
    timestamp = timestampType(reader);
    return true;
  });
  return timestamp;
}

function timestampType(reader: CompactReader): Timestamp | undefined {
  let flag: Timestamp | undefined;
  let isNanos = false;
  reader.struct((id, type, offset) => {
    if (id === TIMESTAMP_ADJUSTED && (type === TRUE || type === FALSE)) {
      flag = { isAdjustedToUtc: type === TRUE, flagOffset: offset };
      return true;
    }
    if (id !== TIMESTAMP_UNIT || type !== STRUCT) return false;
    reader.struct((unit) => {
      isNanos = unit === UNIT_NANOS;
      return false;
    });
    return true;
  });
  return isNanos ? flag : undefined;
}

/** Reads a field of a struct, or answers false to have it skipped. `offset` is that of the field's first byte. */
type FieldReader = (id: number, type: number, offset: number) => boolean;

/** A cursor that never leaves its bytes. */
class CompactReader {
  readonly #bytes: Uint8Array;
  #offset = 0;
  #depth = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  struct(read: FieldReader): void {
    this.#deeper(() => {
      let id = 0;
      for (;;) {
        const offset = this.#offset;
        const header = this.#byte();
        if (header === 0) return;
        const delta = header >> 4;
        id = delta === 0 ? this.i32() : id + delta;
        const type = header & 0xf;
        if (!read(id, type, offset)) this.#skipField(type);
      }
    });
  }

  list(read: (elementType: number) => void): void {
    const header = this.#byte();
    const size = header >> 4 === 15 ? this.#varint() : header >> 4;
    for (let index = 0; index < size; index += 1) read(header & 0xf);
  }

  i32(): number {
    const bits = this.#varint();
    return (bits >>> 1) ^ -(bits & 1);
  }

  #skipField(type: number): void {
    if (type !== TRUE && type !== FALSE) this.#skipValue(type);
  }

  #skipValue(type: number): void {
    switch (type) {
      case TRUE:
      case FALSE:
      case BYTE:
        return this.#advance(1);
      case I16:
      case I32:
      case I64:
        this.#varint();
        return;
      case DOUBLE:
        return this.#advance(8);
      case BINARY:
        return this.#advance(this.#varint());
      case UUID:
        return this.#advance(16);
      case LIST:
      case SET:
        return this.#deeper(() => this.list((elementType) => this.#skipValue(elementType)));
      case MAP:
        return this.#deeper(() => this.#skipMap());
      case STRUCT:
        return this.struct(() => false);
      default:
        throw broken();
    }
  }

  #skipMap(): void {
    const size = this.#varint();
    if (size === 0) return;
    const types = this.#byte();
    for (let index = 0; index < size; index += 1) {
      this.#skipValue(types >> 4);
      this.#skipValue(types & 0xf);
    }
  }

  /** Exact up to 2^53. What is above is only skipped, or more than there are bytes. */
  #varint(): number {
    let value = 0;
    let unit = 1;
    for (let index = 0; index < MAX_VARINT_BYTES; index += 1) {
      const byte = this.#byte();
      value += (byte & 0x7f) * unit;
      if (byte < 0x80) return value;
      unit *= 0x80;
    }
    throw broken();
  }

  #byte(): number {
    const byte = this.#bytes[this.#offset];
    if (byte === undefined) throw broken();
    this.#offset += 1;
    return byte;
  }

  #advance(count: number): void {
    if (count > this.#bytes.length - this.#offset) throw broken();
    this.#offset += count;
  }

  #deeper(work: () => void): void {
    if (this.#depth >= MAX_DEPTH) throw broken();
    this.#depth += 1;
    work();
    this.#depth -= 1;
  }
}

function broken(): MoraineError {
  return new MoraineError('DATA_FILE_CORRUPT', 'A data file is damaged: its footer cannot be read.');
}
