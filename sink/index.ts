/** The exactly-once sink: streams into Iceberg tables, one commit for each batch. */

export type { SinkSnapshot, SnapshotBatch } from './batches/staged-batch.js';
export { IcebergSink, type SinkWriter } from './iceberg-sink.js';
export type { SinkCommit, SinkDeps, SinkOptions } from './sink-options.js';
export type { OpenedRecords, RejectedRecord, SinkRecords } from './sink-records.js';
export type { SourcePosition, SourcePositions, SourceRange } from './source-position.js';
