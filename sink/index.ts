/** The exactly-once sink: streams into Iceberg tables, one commit for each batch. */

export type { SinkSnapshot, SnapshotBatch, WriterSnapshot } from './batches/staged-batch.js';
export {
  type ReplayedBatch,
  type ReplayRequest,
  replayDeadLetters,
  tablesWithDeadLetters,
} from './dead-letters/replay-dead-letters.js';
export { placeOf } from './files/file-identity.js';
export { FollowedFiles, type SinkFilesProgress } from './files/follow-files.js';
export {
  jsonRecords,
  type RecordLines,
  type RecordMapping,
  recordColumns,
  recordLines,
} from './files/json-records.js';
export { type Chunk, chunksOf } from './files/ndjson-chunks.js';
export { requireRegularFiles } from './files/require-files.js';
export { streamedLines } from './files/streamed-lines.js';
export { IcebergSink, type SinkWriter } from './iceberg-sink.js';
export { FollowedTopic, type SinkKafkaProgress, topicSinkName } from './kafka/followed-topic.js';
export { type KafkaAccess, SASL_MECHANISMS } from './kafka/kafka-access.js';
export { keptAnchors } from './protocol/keep-anchors.js';
export type { SinkAttempt } from './protocol/sink-state.js';
export { hasRecords, type SinkMetrics } from './sink-metrics.js';
export type { SinkCommit, SinkDeps, SinkOptions } from './sink-options.js';
export type { EvolvedSchema, OpenedRecords, RejectedRecord, SinkRecords } from './sink-records.js';
export type { Delivery, SourceMarks, SourcePosition, SourcePositions, SourceRange } from './source-position.js';
export { type UpsertOptions, upsertColumns } from './upserts/upsert-options.js';
export { CommitWatch, readThenClose } from './write-records.js';
