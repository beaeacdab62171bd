/** The query engine: hardened DuckDB, scans by field id, Parquet with Iceberg field ids, rows in and out. */

export { arrowBatches, arrowTable, registerArrow } from './arrow.js';
export { bucketSql, registerBucketFunctions } from './bucket-function.js';
export { type CheckedFile, checkFiles, readableFormat } from './check-files.js';
export { columnAlias } from './column-default.js';
export { Connection, type ResultStream } from './connection.js';
export { nameDamagedFile } from './damaged-file.js';
export { readDeletedPositions } from './deleted-positions.js';
export { Engine, type EngineOptions, openEngine } from './engine.js';
export { expressionSql } from './expression-sql.js';
export { type FileColumn, type FileLayout, readFileLayouts } from './file-layout.js';
export { parquetReader } from './file-readers.js';
export type { TargetTypes } from './input-column.js';
export { listTransformSql } from './lambda-sql.js';
export { LATE_TIME } from './late-times.js';
export { orderKey } from './negative-zero.js';
export { duckDbValue, type PlainValue, plainValue } from './plain-value.js';
export {
  type ChangedFile,
  type DeletesToPrepare,
  type FileToPrepare,
  prepareChangedDeletes,
  prepareDeletes,
} from './prepare-deletes.js';
export {
  type Input,
  type InputFormat,
  inputError,
  inputFormat,
  type ReadInputOptions,
  readInput,
} from './read-input.js';
export { type TypedRelation, typedRelation } from './relation-schema.js';
export { digestOfParts, digestRows, type RowDigest, type RowSum, sumFromHex, sumRows, sumToHex } from './row-digest.js';
export { rowFormatOf, writeWholeFile } from './rows-file.js';
export { type ByteSink, type RowFormat, streamSink, writeRows } from './rows-out.js';
export { LAST_UPDATED, ROW_ID, type Scan, type ScanExtras, type ScanFile, scanFields, scanSql } from './scan.js';
export { readableScanSql, withConvertedCopies, withReadableCopies } from './scan-copies.js';
export type { ScanDeletes } from './scan-deletes.js';
export { quoteIdentifier, quoteLiteral } from './sql-text.js';
export { sqlLiteral, sqlType } from './sql-type.js';
export { STATEMENT_CHANNEL, type StatementEvent } from './statement-channel.js';
export { pointInTimeSql } from './text-value.js';
export { transformSql } from './transform-sql.js';
export { type ParquetWrite, type UnwritableColumn, unwritableColumns, writeParquet } from './write-parquet.js';
