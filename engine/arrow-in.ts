/** Arrow tables as DuckDB tables: column by column, byte by byte. */
import {
  BIGINT,
  BLOB,
  BOOLEAN,
  DATE,
  DECIMAL,
  DOUBLE,
  DuckDBDataChunk,
  type DuckDBType,
  FLOAT,
  INTEGER,
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
  VARCHAR,
} from '@duckdb/node-api';
import duckdb from '@duckdb/node-bindings';
import { type Data, DataType, DateUnit, Precision, type Table, TimeUnit, type Vector } from 'apache-arrow';
import { MoraineError } from '../errors/index.js';
import type { Connection } from './connection.js';
import { classifyDuckDbError } from './duckdb-error.js';
import { quoteIdentifier } from './sql-text.js';

/** Rows of one DuckDB chunk. */
const CHUNK_ROWS = 2048;

/** How a column of an Arrow type is stored by DuckDB. */
interface ColumnPlan {
  readonly type: DuckDBType;
  /** Writes rows `start` to `start + count` of one batch's data into a vector. */
  readonly write: (vector: RawVector, data: Data, start: number, count: number) => void;
  /** SQL that makes the wanted value of a stored one. */
  readonly readSql: (column: string) => string;
}

type RawVector = Parameters<typeof duckdb.vector_get_data>[0];

/** See `registerArrow`. */
export async function copyIn(connection: Connection, name: string, table: Table): Promise<ReadonlySet<string>> {
  refuseSameNames(table);
  const plans = table.schema.fields.map((field) => planColumn(field.name, field.type as DataType));
  const raw = `${name} (raw)`;
  const stored = plans.map((plan, index) => `c${index} ${String(plan.type)}`).join(', ');
  await connection.run(`CREATE TEMP TABLE ${quoteIdentifier(raw)} (${stored})`);
  await append(connection, raw, table, plans);
  const columns = plans.map((plan, index) => {
    return `${plan.readSql(`c${index}`)} AS ${quoteIdentifier(table.schema.fields[index]?.name ?? '')}`;
  });
  await connection.run(
    `CREATE TEMP VIEW ${quoteIdentifier(name)} AS SELECT ${columns.join(', ')} FROM ${quoteIdentifier(raw)}`,
  );
  return new Set(table.schema.fields.filter(({ type }) => isZonedNanoseconds(type as DataType)).map((f) => f.name));
}

function isZonedNanoseconds(type: DataType): boolean {
  return DataType.isTimestamp(type) && type.unit === TimeUnit.NANOSECOND && hasZone(type.timezone);
}

const hasZone = (timezone: string | null | undefined): boolean => (timezone ?? '') !== '';

function refuseSameNames(table: Table): void {
  const seen = new Set<string>();
  for (const { name } of table.schema.fields) {
    if (seen.has(name.toLowerCase())) {
      throw new MoraineError('INVALID_ARGUMENT', `Two columns are called ${name}, ignoring case. Rename one.`);
    }
    seen.add(name.toLowerCase());
  }
}

async function append(connection: Connection, name: string, table: Table, plans: readonly ColumnPlan[]): Promise<void> {
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
          const data = batch.data.children[index] as Data;
          plan.write(vector, data, start, count);
          writeValidity(vector, data, start, count);
        }
        appender.appendDataChunk(chunk);
      }
      appender.flushSync();
      // Appending is synchronous: other work gets its turn between batches.
      await new Promise((resolve) => setImmediate(resolve));
      connection.throwIfAborted();
    }
  } finally {
    appender.closeSync();
  }
}

function writeValidity(vector: RawVector, data: Data, start: number, count: number): void {
  if (data.nullCount === 0) return;
  const bits = new Uint8Array(Math.ceil(count / 64) * 8);
  for (let row = 0; row < count; row += 1) {
    if (data.getValid(start + row)) bits[row >> 3] = (bits[row >> 3] as number) | (1 << (row & 7));
  }
  duckdb.vector_ensure_validity_writable(vector);
  duckdb.copy_data_to_vector_validity(vector, 0, bits.buffer, 0, bits.byteLength);
}

const asIs = (column: string): string => column;

/** Values of a fixed width that DuckDB stores the same way. */
function fixed(type: DuckDBType, widthBytes: number, readSql: (column: string) => string = asIs): ColumnPlan {
  return {
    type,
    readSql,
    write: (vector, data, start, count) => {
      const values = data.values as ArrayBufferView;
      duckdb.copy_data_to_vector(
        vector,
        0,
        values.buffer as ArrayBuffer,
        values.byteOffset + start * widthBytes,
        count * widthBytes,
      );
    },
  };
}

/** Values that are taken out one by one. */
function single(
  type: DuckDBType,
  put: (vector: RawVector, row: number, value: Uint8Array) => void,
  at: BytesAt,
): ColumnPlan {
  return {
    type,
    readSql: asIs,
    write: (vector, data, start, count) => {
      const bytesAt = at(data);
      for (let row = 0; row < count; row += 1) {
        if (data.getValid(start + row)) put(vector, row, bytesAt(start + row));
      }
    },
  };
}

type BytesAt = (data: Data) => (row: number) => Uint8Array;

const assign = (vector: RawVector, row: number, value: Uint8Array): void => {
  duckdb.vector_assign_string_element_len(vector, row, value);
};

const variable: BytesAt = (data) => {
  const offsets = data.valueOffsets as Int32Array | BigInt64Array;
  const values = data.values as Uint8Array;
  return (row) => values.subarray(Number(offsets[row]), Number(offsets[row + 1]));
};

const fixedBytes =
  (width: number): BytesAt =>
  (data) => {
    const values = data.values as Uint8Array;
    return (row) => values.subarray(row * width, (row + 1) * width);
  };

const booleans: ColumnPlan = {
  type: BOOLEAN,
  readSql: asIs,
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

/** Dictionary values as text, looked up once for each key. */
function dictionary(name: string, type: DataType): ColumnPlan {
  if (!DataType.isDictionary(type) || !DataType.isUtf8(type.dictionary as DataType)) throw unsupported(name, type);
  const encoder = new TextEncoder();
  return single(VARCHAR, assign, (data) => {
    const values = data.dictionary as Vector;
    const texts: Uint8Array[] = Array.from({ length: values.length }, (_, index) =>
      encoder.encode(String(values.get(index))),
    );
    const keys = data.values as Int32Array;
    return (row) => texts[Number(keys[row])] as Uint8Array;
  });
}

function planColumn(name: string, type: DataType): ColumnPlan {
  if (DataType.isBool(type)) return booleans;
  if (DataType.isInt(type)) return integerPlan(type.bitWidth, type.isSigned);
  if (DataType.isFloat(type) && type.precision === Precision.SINGLE) return fixed(FLOAT, 4);
  if (DataType.isFloat(type) && type.precision === Precision.DOUBLE) return fixed(DOUBLE, 8);
  if (DataType.isDecimal(type) && type.bitWidth === 128) {
    // A DECIMAL of fewer digits is stored narrower: taken in as 38 digits, then cast.
    const target = `DECIMAL(${type.precision},${type.scale})`;
    return fixed(DECIMAL(38, type.scale), 16, (column) => `${column}::${target}`);
  }
  if (DataType.isDate(type)) {
    return type.unit === DateUnit.DAY ? fixed(DATE, 4) : fixed(TIMESTAMP_MS, 8, (column) => `${column}::DATE`);
  }
  if (DataType.isTime(type)) return timePlan(name, type);
  if (DataType.isTimestamp(type)) return timestampPlan(type.unit, type.timezone);
  if (DataType.isUtf8(type) || DataType.isLargeUtf8(type)) return single(VARCHAR, assign, variable);
  if (DataType.isBinary(type) || DataType.isLargeBinary(type)) return single(BLOB, assign, variable);
  if (DataType.isFixedSizeBinary(type)) return single(BLOB, assign, fixedBytes(type.byteWidth));
  if (DataType.isDictionary(type)) return dictionary(name, type);
  if (DataType.isNull(type)) return { type: INTEGER, readSql: asIs, write: () => undefined };
  throw unsupported(name, type);
}

function integerPlan(bitWidth: number, isSigned: boolean): ColumnPlan {
  const signed: Record<number, DuckDBType> = { 8: TINYINT, 16: SMALLINT, 32: INTEGER, 64: BIGINT };
  const unsigned: Record<number, DuckDBType> = { 8: UTINYINT, 16: USMALLINT, 32: UINTEGER, 64: UBIGINT };
  return fixed((isSigned ? signed : unsigned)[bitWidth] as DuckDBType, bitWidth / 8);
}

function timePlan(name: string, type: DataType): ColumnPlan {
  if (DataType.isTime(type) && type.unit === TimeUnit.MICROSECOND) return fixed(TIME, 8);
  throw unsupported(name, type);
}

function timestampPlan(unit: TimeUnit, timezone: string | null | undefined): ColumnPlan {
  const stored = {
    [TimeUnit.SECOND]: TIMESTAMP_S,
    [TimeUnit.MILLISECOND]: TIMESTAMP_MS,
    [TimeUnit.MICROSECOND]: TIMESTAMP,
    [TimeUnit.NANOSECOND]: TIMESTAMP_NS,
  };
  const isZoned = hasZone(timezone);
  if (isZoned && unit === TimeUnit.MICROSECOND) return fixed(TIMESTAMPTZ, 8);
  // DuckDB has no zoned nanoseconds: as everywhere in the engine they are TIMESTAMP_NS, and the schema has the zone.
  if (!isZoned || unit === TimeUnit.NANOSECOND) return fixed(stored[unit], 8);
  // Zoned values count from the epoch in UTC, so the cast needs no shift.
  return fixed(stored[unit], 8, (column) => `timezone('UTC', ${column}::TIMESTAMP)`);
}

function unsupported(name: string, type: DataType): MoraineError {
  return new MoraineError(
    'TYPE_MISMATCH',
    `The column ${name} has the Arrow type ${(type as { toString(): string }).toString()}, which cannot be taken in.`,
  );
}
