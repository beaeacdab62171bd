/** Arrow tables as DuckDB tables: column by column, byte by byte. */
import { isUtf8 } from 'node:buffer';
import {
  BIGINT,
  BLOB,
  BOOLEAN,
  DATE,
  DECIMAL,
  DOUBLE,
  DuckDBDataChunk,
  DuckDBStructType,
  type DuckDBType,
  FLOAT,
  INTEGER,
  LIST,
  MAP,
  SMALLINT,
  TIME,
  TIMESTAMP,
  TIMESTAMP_MS,
  TIMESTAMP_NS,
  TIMESTAMP_S,
  TIMESTAMPTZ,
  TINYINT,
  UBIGINT,
  UINTEGER,
  USMALLINT,
  UTINYINT,
  UUID,
  VARCHAR,
} from '@duckdb/node-api';
import duckdb from '@duckdb/node-bindings';
import { type Data, DataType, DateUnit, type Field, Precision, type Table, TimeUnit, type Vector } from 'apache-arrow';
import { MoraineError } from '../../errors/index.js';
import type { IcebergType } from '../../iceberg/index.js';
import type { Connection } from '../connection.js';
import { classifyDuckDbError } from '../duckdb-error.js';
import { provisionalIds } from '../input/input-column.js';
import { icebergType } from '../sql/duckdb-type.js';
import { isLateSql } from '../sql/late-times.js';
import { quoteIdentifier } from '../sql/sql-text.js';
import { sqlType } from '../sql/sql-type.js';
import type { ArrowColumn } from './arrow-column.js';
import { rangedColumn, timeOfDayAt } from './arrow-ranges.js';
import { ARROW_UUID, EXTENSION_NAME } from './arrow-types.js';
import { type BytesAt, entriesOf, fixedBytes, hasNulls, validRows, variable } from './arrow-values.js';

/** Rows of one DuckDB chunk. */
const CHUNK_ROWS = 2048;

/** How a column of an Arrow type is stored by DuckDB. */
interface ColumnPlan {
  readonly type: DuckDBType;
  /** Writes rows `start` to `start + count` of one batch's data into a vector. */
  readonly write: (vector: RawVector, data: Data, start: number, count: number) => void;
  /** The type of the wanted values, which the stored ones are cast to. */
  readonly iceberg: IcebergType;
}

type RawVector = Parameters<typeof duckdb.vector_get_data>[0];

/** See `arrowColumnTypes`. */
export function columnTypes({ schema }: Pick<Table, 'schema'>): ReadonlyMap<string, IcebergType> {
  return typesOf(schema.fields, planColumns(schema.fields));
}

function typesOf(fields: readonly Field[], plans: readonly ColumnPlan[]): ReadonlyMap<string, IcebergType> {
  return new Map(plans.map(({ iceberg }, index) => [fields[index]?.name ?? '', iceberg]));
}

function planColumns(fields: readonly Field[]): readonly ColumnPlan[] {
  refuseSameNames(fields, 'columns');
  const nextId = provisionalIds();
  return fields.map((field) => planColumn(field.name, field, nextId));
}

/** See `registerArrow`. */
export async function copyIn(
  connection: Connection,
  name: string,
  table: Pick<Table, 'schema' | 'batches'>,
): Promise<ReadonlyMap<string, IcebergType>> {
  const plans = planColumns(table.schema.fields);
  const raw = `${name} (raw)`;
  await copyRaw(connection, raw, table, plans);
  const columns = plans.map(({ iceberg }, index) => {
    return `c${index}::${sqlType(iceberg)} AS ${quoteIdentifier(table.schema.fields[index]?.name ?? '')}`;
  });
  await connection.run(
    `CREATE TEMP VIEW ${quoteIdentifier(name)} AS SELECT ${columns.join(', ')} FROM ${quoteIdentifier(raw)}`,
  );
  return typesOf(table.schema.fields, plans);
}

async function copyRaw(
  connection: Connection,
  name: string,
  table: Pick<Table, 'batches'>,
  plans: readonly ColumnPlan[],
): Promise<void> {
  const stored = plans.map((plan, index) => `c${index} ${String(plan.type)}`).join(', ');
  await connection.run(`CREATE TEMP TABLE ${quoteIdentifier(name)} (${stored})`);
  await append(connection, name, table, plans);
}

/** See `copyArrow`. */
export async function copyColumns(
  connection: Connection,
  name: string,
  table: Pick<Table, 'schema' | 'batches'>,
): Promise<readonly ArrowColumn[]> {
  const { fields } = table.schema;
  const columns = planColumns(fields).map((plan, index) => {
    const chunks = table.batches.map(({ data }) => data.children[index] as Data);
    const ranged = rangedColumn(fields[index]?.type as DataType, chunks);
    return { plan, ranged, hasNulls: chunks.some(hasNulls) };
  });
  const stored = columns.map(({ plan, ranged }) =>
    ranged === null ? plan : fixed(ranged.stored, ranged.widthBytes, plan.iceberg),
  );
  await copyRaw(connection, name, table, stored);
  return columns.map(({ plan: { iceberg: type }, ranged, hasNulls }, index) => {
    const [column, common] = [`c${index}`, { name: fields[index]?.name ?? '', type, hasNulls }];
    if (ranged !== null) return { ...common, sql: ranged.value(column), misfit: ranged.misfit(column) };
    const sql = `${column}::${sqlType(type)}`;
    const isLate = type.kind === 'time' ? undefined : isLateSql(type, sql);
    return isLate === undefined ? { ...common, sql } : { ...common, sql, misfit: isLate };
  });
}

const hasZone = (timezone: string | null | undefined): boolean => (timezone ?? '') !== '';

function refuseSameNames(fields: readonly Field[], what: string): void {
  const seen = new Set<string>();
  for (const { name } of fields) {
    if (seen.has(name.toLowerCase())) {
      throw new MoraineError('INVALID_ARGUMENT', `Two ${what} are called ${name}, ignoring case. Rename one.`);
    }
    seen.add(name.toLowerCase());
  }
}

async function append(
  connection: Connection,
  name: string,
  table: Pick<Table, 'batches'>,
  plans: readonly ColumnPlan[],
): Promise<void> {
  const appender = await connection.duckdb.createAppender(name).catch((error: unknown) => {
    throw classifyDuckDbError(error);
  });
  try {
    for (const batch of table.batches) {
      for (let start = 0; start < batch.numRows; start += CHUNK_ROWS) {
        const count = Math.min(CHUNK_ROWS, batch.numRows - start);
        const chunk = DuckDBDataChunk.create(
          plans.map((plan) => plan.type),
          count,
        );
        for (const [index, plan] of plans.entries()) {
          const vector = duckdb.data_chunk_get_vector(chunk.chunk, index);
          writeColumn(vector, plan, batch.data.children[index] as Data, start, count);
        }
        appender.appendDataChunk(chunk);
      }
      // Appending is synchronous: other work gets its turn between batches.
      await new Promise((resolve) => setImmediate(resolve));
      connection.throwIfAborted();
    }
    // The appender flushes by itself, too, after a hundred chunks.
    appender.flushSync();
  } finally {
    appender.closeSync();
  }
}

function writeColumn(vector: RawVector, plan: ColumnPlan, data: Data, start: number, count: number): void {
  plan.write(vector, data, start, count);
  writeValidity(vector, data, start, count);
}

function writeValidity(vector: RawVector, data: Data, start: number, count: number): void {
  const isValid = validRows(data);
  if (isValid === null) return;
  const bits = new Uint8Array(Math.ceil(count / 64) * 8);
  for (let row = 0; row < count; row += 1) {
    if (isValid(start + row)) bits[row >> 3] = (bits[row >> 3] as number) | (1 << (row & 7));
  }
  duckdb.vector_ensure_validity_writable(vector);
  duckdb.copy_data_to_vector_validity(vector, 0, bits.buffer, 0, bits.byteLength);
}

/** Values of a fixed width that DuckDB stores the same way. Of a column that is shorter than others the nulls at its end have no bytes. */
function fixed(type: DuckDBType, widthBytes: number, iceberg: IcebergType): ColumnPlan {
  return {
    type,
    iceberg,
    write: (vector, data, start, count) => {
      const values = data.values as ArrayBufferView;
      const first = start * widthBytes;
      const length = Math.min(count * widthBytes, values.byteLength - first);
      if (length <= 0) return;
      duckdb.copy_data_to_vector(vector, 0, values.buffer as ArrayBuffer, values.byteOffset + first, length);
    },
  };
}

/** A text or bytes in a vector: its length, and the bytes themselves if they are few. Source: DuckDB, `duckdb_string_t` of its C API. */
const STRING_BYTES = 16;
const LENGTH_BYTES = 4;
const INLINE_BYTES = STRING_BYTES - LENGTH_BYTES;

/** Values that are taken out one by one: short ones are copied together, since a call for each costs more than its bytes. */
function single(type: DuckDBType, iceberg: IcebergType, at: BytesAt, checked?: Checked): ColumnPlan {
  return {
    type,
    iceberg,
    write: (vector, data, start, count) => {
      const [bytesAt, isValid] = [at(data), validRows(data)];
      const check = checked?.(data, start, count);
      const strings = new Uint8Array(count * STRING_BYTES);
      const long: number[] = [];
      for (let row = 0; row < count; row += 1) {
        if (isValid !== null && !isValid(start + row)) continue;
        const bytes = bytesAt(start + row);
        check?.(bytes);
        if (bytes.length > INLINE_BYTES) {
          long.push(row);
          continue;
        }
        const place = row * STRING_BYTES;
        strings[place] = bytes.length;
        for (let index = 0; index < bytes.length; index += 1)
          strings[place + LENGTH_BYTES + index] = bytes[index] as number;
      }
      duckdb.copy_data_to_vector(vector, 0, strings.buffer, 0, strings.byteLength);
      for (const row of long) duckdb.vector_assign_string_element_len(vector, row, bytesAt(start + row));
    },
  };
}

/** What looks at each value of some rows. */
type Checked = (data: Data, start: number, count: number) => (bytes: Uint8Array) => void;

/** The engine takes a text that is no UTF-8 for null. @throws TYPE_MISMATCH */
const utf8 =
  (name: string): Checked =>
  (data, start, count) => {
    const offsets = data.valueOffsets as Int32Array | BigInt64Array;
    const values = data.values as Uint8Array;
    const areTexts = isUtf8(values.subarray(placeAt(offsets, start), placeAt(offsets, start + count)));
    return (bytes) => {
      // Texts one after the other are each a text if none begins within a character.
      const isText = areTexts ? ((bytes[0] ?? 0) & CONTINUATION_MASK) !== CONTINUATION : isUtf8(bytes);
      if (!isText) throw notUtf8(name);
    };
  };

function notUtf8(name: string): MoraineError {
  return new MoraineError('TYPE_MISMATCH', `The column ${JSON.stringify(name)} has a text that is not UTF-8.`);
}

/** Bytes of a character after its first one. Source: RFC 3629. */
const [CONTINUATION_MASK, CONTINUATION] = [0xc0, 0x80];

/** Arrow has the bytes of a uuid in order; DuckDB a little-endian 128-bit integer with the highest bit flipped. */
const uuids: ColumnPlan = {
  type: UUID,
  iceberg: { kind: 'uuid' },
  write: (vector, data, start, count) => {
    const bytes = Uint8Array.from(
      (data.values as Uint8Array).subarray(start * UUID_BYTES, (start + count) * UUID_BYTES),
    );
    for (let first = 0; first < bytes.length; first += UUID_BYTES) {
      bytes[first] = (bytes[first] as number) ^ 0x80;
      bytes.subarray(first, first + UUID_BYTES).reverse();
    }
    duckdb.copy_data_to_vector(vector, 0, bytes.buffer, 0, bytes.length);
  },
};

const booleans: ColumnPlan = {
  type: BOOLEAN,
  iceberg: { kind: 'boolean' },
  write: (vector, data, start, count) => {
    const bits = data.values as Uint8Array;
    const bytes = new Uint8Array(count);
    for (let row = 0; row < count; row += 1) {
      const position = data.offset + start + row;
      bytes[row] = ((bits[position >> 3] as number) >> (position & 7)) & 1;
    }
    duckdb.copy_data_to_vector(vector, 0, bytes.buffer, 0, count);
  },
};

/** Days in milliseconds. */
function wholeDays(name: string): ColumnPlan {
  const plan = fixed(TIMESTAMP_MS, 8, { kind: 'date' });
  const write: ColumnPlan['write'] = (vector, data, start, count) => {
    const [isValid, hasTime] = [validRows(data), timeOfDayAt(data)];
    for (let row = start; row < start + count; row += 1)
      if (hasTime(row) && isValid?.(row) !== false)
        throw new MoraineError(
          'TYPE_MISMATCH',
          `The column ${JSON.stringify(name)} of days (date64) has one with a time of day. Make it a column of timestamps.`,
        );
    plan.write(vector, data, start, count);
  };
  return { ...plan, write };
}

/** Dictionary values as text, looked at once for each key. */
function dictionary(name: string, type: DataType): ColumnPlan {
  if (!DataType.isDictionary(type) || !DataType.isUtf8(type.dictionary as DataType)) throw unsupported(name, type);
  return single(VARCHAR, { kind: 'string' }, (data) => {
    const entryAt = entriesOf(data.dictionary as Vector);
    const texts = new Map<number, Uint8Array>();
    const keys = data.values as ArrayLike<number | bigint>;
    return (row) => {
      const key = Number(keys[row]);
      const known = texts.get(key);
      if (known !== undefined) return known;
      const text = entryAt(key);
      if (!isUtf8(text)) throw notUtf8(name);
      texts.set(key, text);
      return text;
    };
  });
}

function planColumn(name: string, field: Field, nextId: () => number): ColumnPlan {
  const type = field.type as DataType;
  if (DataType.isList(type) || DataType.isFixedSizeList(type) || DataType.isMap(type) || DataType.isStruct(type)) {
    return nestedPlan(name, type, nextId);
  }
  if (DataType.isBool(type)) return booleans;
  if (DataType.isInt(type)) return integerPlan(type.bitWidth, type.isSigned);
  if (DataType.isFloat(type) && type.precision === Precision.SINGLE) return fixed(FLOAT, 4, { kind: 'float' });
  if (DataType.isFloat(type) && type.precision === Precision.DOUBLE) return fixed(DOUBLE, 8, { kind: 'double' });
  if (DataType.isDecimal(type) && type.bitWidth === 128) {
    // A DECIMAL of fewer digits is stored narrower: taken in as 38 digits, then cast.
    const { precision, scale } = type;
    return fixed(DECIMAL(38, scale), 16, { kind: 'decimal', precision, scale });
  }
  if (DataType.isDate(type)) {
    return type.unit === DateUnit.DAY ? fixed(DATE, 4, { kind: 'date' }) : wholeDays(name);
  }
  if (DataType.isTime(type)) return timePlan(name, type);
  if (DataType.isTimestamp(type)) return timestampPlan(type.unit, type.timezone);
  if (DataType.isUtf8(type) || DataType.isLargeUtf8(type))
    return single(VARCHAR, { kind: 'string' }, variable, utf8(name));
  if (DataType.isBinary(type) || DataType.isLargeBinary(type)) return single(BLOB, { kind: 'binary' }, variable);
  if (DataType.isFixedSizeBinary(type)) {
    const { byteWidth: length } = type;
    const isUuid = length === UUID_BYTES && field.metadata.get(EXTENSION_NAME) === ARROW_UUID;
    return isUuid ? uuids : single(BLOB, { kind: 'fixed', length }, fixedBytes(length));
  }
  if (DataType.isDictionary(type)) return dictionary(name, type);
  if (DataType.isNull(type)) return { type: INTEGER, iceberg: { kind: 'unknown' }, write: () => undefined };
  throw unsupported(name, type);
}

const UUID_BYTES = 16;

function nestedPlan(name: string, type: DataType, nextId: () => number): ColumnPlan {
  if (DataType.isStruct(type)) return structPlan(name, type.children, nextId);
  const [child] = type.children;
  if (child === undefined) throw unsupported(name, type);
  if (DataType.isMap(type)) return mapPlan(name, child, nextId);
  const element = planColumn(`${name}.${child.name}`, child, nextId);
  const iceberg = {
    kind: 'list',
    elementId: nextId(),
    elementRequired: false,
    element: known(element.iceberg),
  } as const;
  const offsets = DataType.isFixedSizeList(type) ? everyFixed(type.listSize) : variableOffsets;
  return { type: LIST(element.type), iceberg, write: repeated(element, offsets) };
}

function structPlan(name: string, fields: readonly Field[], nextId: () => number): ColumnPlan {
  refuseSameNames(fields, `fields of the column ${name}`);
  const plans = fields.map((field) => planColumn(`${name}.${field.name}`, field, nextId));
  const names = fields.map((field) => field.name);
  const types = plans.map((plan) => plan.type);
  const members = plans.map(({ iceberg }, index) => {
    return { id: nextId(), name: names[index] ?? '', required: false, type: known(iceberg) };
  });
  return {
    type: new DuckDBStructType(names, types),
    iceberg: { kind: 'struct', fields: members },
    write: (vector, data, start, count) => {
      for (const [index, plan] of plans.entries()) {
        writeColumn(duckdb.struct_vector_get_child(vector, index), plan, data.children[index] as Data, start, count);
      }
    },
  };
}

/** DuckDB stores a map as the list of its entries. */
function mapPlan(name: string, entries: Field, nextId: () => number): ColumnPlan {
  const entry = planColumn(name, entries, nextId);
  if (entry.iceberg.kind !== 'struct') throw unsupported(name, entries.type as DataType);
  const [key, value] = entry.iceberg.fields;
  const [keyType, valueType] = (entry.type as DuckDBStructType).entryTypes;
  if (key === undefined || value === undefined || keyType === undefined || valueType === undefined) {
    throw unsupported(name, entries.type as DataType);
  }
  return {
    type: MAP(keyType, valueType),
    iceberg: {
      kind: 'map',
      keyId: key.id,
      key: key.type,
      valueId: value.id,
      valueRequired: false,
      value: value.type,
    },
    write: repeated(entry, variableOffsets),
  };
}

/** Inside a value nothing else tells the type of what is always null. */
const known = (type: IcebergType): IcebergType => (type.kind === 'unknown' ? { kind: 'string' } : type);

/** The place of a row's first element among those of a batch. The place after the last row is the end of all elements. */
type Offsets = (data: Data) => (row: number) => number;

const variableOffsets: Offsets = (data) => (row) => placeAt(data.valueOffsets as Int32Array | BigInt64Array, row);

/** Rows that a column has beyond its offsets are null, and have nothing. */
const placeAt = (offsets: Int32Array | BigInt64Array, row: number): number =>
  Number(offsets[Math.min(row, offsets.length - 1)] ?? 0);
const everyFixed =
  (size: number): Offsets =>
  () =>
  (row) =>
    row * size;

function repeated(element: ColumnPlan, offsets: Offsets): ColumnPlan['write'] {
  return (vector, data, start, count) => {
    const at = offsets(data);
    const first = at(start);
    const total = at(start + count) - first;
    const places = new BigUint64Array(count * 2);
    for (let row = 0; row < count; row += 1) {
      const begin = at(start + row);
      places[row * 2] = BigInt(begin - first);
      places[row * 2 + 1] = BigInt(at(start + row + 1) - begin);
    }
    duckdb.copy_data_to_vector(vector, 0, places.buffer, 0, places.byteLength);
    duckdb.list_vector_reserve(vector, total);
    duckdb.list_vector_set_size(vector, total);
    if (total > 0) writeColumn(duckdb.list_vector_get_child(vector), element, data.children[0] as Data, first, total);
  };
}

function integerPlan(bitWidth: number, isSigned: boolean): ColumnPlan {
  const signed: Record<number, DuckDBType> = { 8: TINYINT, 16: SMALLINT, 32: INTEGER, 64: BIGINT };
  const unsigned: Record<number, DuckDBType> = { 8: UTINYINT, 16: USMALLINT, 32: UINTEGER, 64: UBIGINT };
  const stored = (isSigned ? signed : unsigned)[bitWidth] as DuckDBType;
  return fixed(stored, bitWidth / 8, icebergType(stored, provisionalIds()) as IcebergType);
}

function timePlan(name: string, type: DataType): ColumnPlan {
  if (DataType.isTime(type) && type.unit === TimeUnit.MICROSECOND) return fixed(TIME, 8, { kind: 'time' });
  throw unsupported(name, type);
}

/** Values with a zone count from the epoch in UTC, and UTC is the session's zone. DuckDB has no zoned nanoseconds: only the type has the zone. */
function timestampPlan(unit: TimeUnit, timezone: string | null | undefined): ColumnPlan {
  const isZoned = hasZone(timezone);
  const stored = {
    [TimeUnit.SECOND]: TIMESTAMP_S,
    [TimeUnit.MILLISECOND]: TIMESTAMP_MS,
    [TimeUnit.MICROSECOND]: isZoned ? TIMESTAMPTZ : TIMESTAMP,
    [TimeUnit.NANOSECOND]: TIMESTAMP_NS,
  };
  const kind = isZoned ? 'timestamptz' : 'timestamp';
  return fixed(stored[unit], 8, { kind: unit === TimeUnit.NANOSECOND ? `${kind}_ns` : kind });
}

function unsupported(name: string, type: DataType): MoraineError {
  return new MoraineError(
    'TYPE_MISMATCH',
    `The column ${name} has the Arrow type ${(type as { toString(): string }).toString()}, which cannot be taken in.`,
  );
}
