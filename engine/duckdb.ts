/**
 * What the engine uses of DuckDB's binding. A CommonJS package is loaded three times faster by `require` than by `import`, which
 * first parses each of its files for names: that is a third of the start of a command.
 */
import { createRequire } from 'node:module';
import type * as Api from '@duckdb/node-api';
import type Bindings from '@duckdb/node-bindings';

const require = createRequire(import.meta.url);
const api = require('@duckdb/node-api') as typeof Api;

/** DuckDB's C interface, for what the binding's classes leave out. */
export const bindings = require('@duckdb/node-bindings') as typeof Bindings;

export const {
  BIGINT,
  BLOB,
  BOOLEAN,
  DATE,
  DECIMAL,
  DOUBLE,
  DuckDBBlobValue,
  DuckDBDataChunk,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBInstance,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBScalarFunction,
  DuckDBStructValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBTimeValue,
  DuckDBTypeId,
  DuckDBUUIDValue,
  FLOAT,
  INTEGER,
  LIST,
  listValue,
  MAP,
  mapValue,
  STRUCT,
  structValue,
  TIME,
  TIMESTAMP,
  TIMESTAMP_NS,
  TIMESTAMPTZ,
  UINTEGER,
  UUID,
  VARCHAR,
} = api;

/** The kinds of DuckDB's types. */
export type DuckDBTypeId = Api.DuckDBTypeId;
