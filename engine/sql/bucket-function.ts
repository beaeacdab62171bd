/**
 * Iceberg's bucket hash inside SQL statements.
 * Source: Apache Iceberg specification, "Bucket Transform Details" and Appendix B (32-bit murmur3, x86 variant, seed 0).
 */
import type {
  DuckDBBlobVector,
  DuckDBConnection,
  DuckDBDataChunk,
  DuckDBType,
  DuckDBUIntegerVector,
  DuckDBVarCharVector,
  DuckDBVector,
} from '@duckdb/node-api';
import { MoraineError } from '../../errors/index.js';
import { bucketHash, type PrimitiveType } from '../../iceberg/index.js';
import { duckdb } from '../duckdb.js';

const MAX_INT = 0x7fffffff;
const BINARY = { kind: 'binary' } as const;
const DECIMAL = { kind: 'decimal', precision: 38, scale: 0 } as const;

type RowHash = (chunk: DuckDBDataChunk, output: DuckDBVector) => void;

const hashLongs: RowHash = (chunk, output) => {
  const low = chunk.getColumnVector(0) as DuckDBUIntegerVector;
  const high = chunk.getColumnVector(1) as DuckDBUIntegerVector;
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  for (let row = 0; row < chunk.rowCount; row += 1) {
    const lowHalf = low.getItem(row);
    const highHalf = high.getItem(row);
    if (lowHalf === null || highHalf === null) {
      output.setItem(row, null);
      continue;
    }
    view.setUint32(0, lowHalf, true);
    view.setUint32(4, highHalf, true);
    output.setItem(row, bucketHash(BINARY, bytes) & MAX_INT);
  }
  output.flush();
};

const hashBlobs: RowHash = (chunk, output) => {
  const blobs = chunk.getColumnVector(0) as DuckDBBlobVector;
  for (let row = 0; row < chunk.rowCount; row += 1) {
    const bytes = blobs.getItemBytes(row);
    output.setItem(row, bytes === null ? null : bucketHash(BINARY, bytes) & MAX_INT);
  }
  output.flush();
};

const hashDecimals: RowHash = (chunk, output) => {
  const unscaled = chunk.getColumnVector(0) as DuckDBVarCharVector;
  for (let row = 0; row < chunk.rowCount; row += 1) {
    const digits = unscaled.getItem(row);
    output.setItem(row, digits === null ? null : bucketHash(DECIMAL, BigInt(digits)) & MAX_INT);
  }
  output.flush();
};

/** Registers the hash functions that {@link bucketSql} calls; once for a whole instance. */
export function registerBucketFunctions(connection: DuckDBConnection): void {
  const register = (name: string, parameterTypes: DuckDBType[], hash: RowHash): void => {
    connection.registerScalarFunction(
      duckdb.api.DuckDBScalarFunction.create({
        name,
        returnType: duckdb.api.INTEGER,
        parameterTypes,
        specialHandling: true,
        mainFunction: (_info, chunk, output) => {
          hash(chunk, output);
        },
      }),
    );
  };
  register('moraine_hash_long', [duckdb.api.UINTEGER, duckdb.api.UINTEGER], hashLongs);
  register('moraine_hash_bytes', [duckdb.api.BLOB], hashBlobs);
  register('moraine_hash_decimal', [duckdb.api.VARCHAR], hashDecimals);
}

const hashLongSql = (sql: string): string =>
  `moraine_hash_long((${sql} & 4294967295)::UINTEGER, ((${sql} >> 32) & 4294967295)::UINTEGER)`;

function hashSql(type: PrimitiveType, sql: string): string {
  switch (type.kind) {
    case 'int':
    case 'long':
      return hashLongSql(`(${sql})::BIGINT`);
    case 'date':
      return hashLongSql(`((${sql}) - DATE '1970-01-01')::BIGINT`);
    case 'time':
    case 'timestamp':
    case 'timestamptz':
      return hashLongSql(`epoch_us(${sql})`);
    case 'timestamp_ns':
    case 'timestamptz_ns':
      // The specification hashes nanoseconds as microseconds, so that both precisions share buckets.
      return hashLongSql(floorDivideSql(`epoch_ns(${sql})`, 1000));
    case 'decimal':
      return `moraine_hash_decimal(replace((${sql})::VARCHAR, '.', ''))`;
    case 'string':
      return `moraine_hash_bytes(encode(${sql}))`;
    case 'uuid':
      return `moraine_hash_bytes(unhex(replace((${sql})::VARCHAR, '-', '')))`;
    case 'fixed':
    case 'binary':
      return `moraine_hash_bytes(${sql})`;
    default:
      throw new MoraineError('SCHEMA_INVALID', `The bucket transform does not apply to the type ${type.kind}.`);
  }
}

/** The bucket of a value (null for null). Source: specification, "Bucket Transform Details". */
export function bucketSql(type: PrimitiveType, sql: string, numBuckets: number): string {
  return `(${hashSql(type, sql)} % ${numBuckets})`;
}

/** Integer division towards negative infinity: DuckDB's `//` cuts towards zero. */
export function floorDivideSql(sql: string, divisor: number): string {
  return `((${sql} - (((${sql}) % ${divisor}) + ${divisor}) % ${divisor}) // ${divisor})`;
}
