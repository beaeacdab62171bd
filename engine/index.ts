/** The query engine: hardened DuckDB, scans by field id, Parquet with Iceberg field ids, rows in and out. */

export {
  arrowBatches,
  arrowColumnTypes,
  arrowSchema,
  arrowTable,
  copyArrow,
  registerArrow,
} from './arrow/arrow.js';
export type { ArrowColumn } from './arrow/arrow-column.js';
export { Connection, type ResultStream, STATEMENT_CHANNEL, type StatementEvent } from './connection.js';
export { readableScanSql, withConvertedCopies, withReadableCopies } from './copies/scan-copies.js';
export { readDeletedPositions } from './deletes/deleted-positions.js';
export {
  type ChangedFile,
  type DeletesToPrepare,
  type FileToPrepare,
  prepareChangedDeletes,
  prepareDeletes,
} from './deletes/prepare-deletes.js';
export { digestDeletes, type RelocatedRows, withRelocatedDeletes } from './deletes/relocated-deletes.js';
export type { ScanDeletes } from './deletes/scan-deletes.js';
export { Engine, type EngineOptions, openEngine } from './engine.js';
export { NUMBER_KINDS, type TargetTypes } from './input/input-column.js';
export { type BadRecord, RECORD_TIMES, type RecordColumn, type RecordTime } from './input/json-records.js';
export { type JudgedRecords, judgeRecords } from './input/judge-records.js';
export {
  type Input,
  type InputFormat,
  inputError,
  inputFormat,
  type ReadInputOptions,
  readInput,
} from './input/read-input.js';
export { recordObjects } from './input/record-objects.js';
export { pointInTimeSql } from './input/text-value.js';
export { loadRows } from './input/value-rows.js';
export { jsonOrNullSql } from './output/json-text.js';
export {
  digestOfParts,
  digestRows,
  type RowDigest,
  type RowSum,
  sumFromHex,
  sumRows,
  sumToHex,
} from './output/row-digest.js';
export { rowFormatOf, writeWholeFile } from './output/rows-file.js';
export { type ByteSink, type RowFormat, streamSink, writeRows } from './output/rows-out.js';
export { orderKey } from './parquet/negative-zero.js';
export { type ByteRange, FileFooter, type FilePart } from './parquet/part-of-file.js';
export { type CheckedFile, checkFiles, readableFormat } from './scan/check-files.js';
export { writeDefaultSql } from './scan/column-default.js';
export { nameDamagedFile } from './scan/damaged-file.js';
export { type FileColumn, type FileLayout, readFileLayouts } from './scan/file-layout.js';
export { parquetReader } from './scan/file-readers.js';
export {
  LAST_UPDATED,
  type Matching,
  type RemoteFile,
  ROW_ID,
  type Scan,
  type ScanExtras,
  type ScanFile,
  scanFields,
  scanSql,
} from './scan/scan.js';
export { bucketSql, registerBucketFunctions } from './sql/bucket-function.js';
export { expressionSql } from './sql/expression-sql.js';
export { listTransformSql } from './sql/lambda-sql.js';
export { LATE_TIME } from './sql/late-times.js';
export { type PlainValue, plainValue } from './sql/plain-value.js';
export { knownRelation, type TypedRelation, typedRelation } from './sql/relation-schema.js';
export { lacksInsideSql } from './sql/required-inside.js';
export { columnAlias, quoteIdentifier, quoteLiteral } from './sql/sql-text.js';
export { sqlLiteral, sqlType } from './sql/sql-type.js';
export { transformSql } from './sql/transform-sql.js';
export { writeTemporaryFile } from './temporary-file.js';
export {
  type ParquetWrite,
  type UnwritableColumn,
  unwritableColumns,
  type WrittenPath,
  writeParquet,
} from './write/write-parquet.js';
