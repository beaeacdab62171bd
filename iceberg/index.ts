/** The table format, named as the specification names it. Pure: values in, values out. */

export { applyUpdates, LAST_ADDED } from './apply-updates.js';
export type { AvroField, AvroLogicalType, AvroNode } from './avro/avro-node.js';
export { type AvroDatum, type AvroRecord, positionKey } from './avro/datum.js';
export { AvroRowReader, type ByteSource } from './avro/row-reader.js';
export { civilFromDays, daysFromCivil, floorDivide, formatDate, formatTimeOfDay, formatTimestamp } from './calendar.js';
export { type ChangedDeletes, changedDeletes } from './changed-deletes.js';
export type * from './data-file.js';
export {
  DELETE_FILE_PATH_ID,
  DELETE_POSITION_ID,
  type DeleteFile,
  DeleteIndex,
  type FileDeletes,
  hasDeletes,
  isUnpartitioned,
  NO_DELETES,
  referencedDataFile,
} from './delete-index.js';
export { DELETION_VECTOR_BLOB, decodeDeletionVector, encodeDeletionVector } from './deletion-vector.js';
export {
  ALWAYS_FALSE,
  ALWAYS_TRUE,
  and,
  type BoundExpression,
  type BoundPredicate,
  type BoundReference,
  type ComparisonOp,
  type Literal,
  or,
  type Predicate,
  type UnboundExpression,
} from './expression.js';
export { bindExpression, bindReference } from './expression-bind.js';
export { evaluate, type ValueOf } from './expression-evaluate.js';
export { parseExpression } from './expression-parser.js';
export { type IdentityValue, type IdentityValues, identityValuesOf } from './identity-values.js';
export {
  isJsonArray,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  jsonObject,
  parseJson,
  stringifyJson,
} from './json.js';
export {
  inheritRowIds,
  type ManifestContext,
  type ManifestToWrite,
  manifestFileOfV1,
  readManifest,
  writeManifest,
} from './manifest.js';
export { manifestMightMatch, partitionMightMatch } from './manifest-evaluator.js';
export { manifestFileOf, summarizePartitions, type WrittenManifest } from './manifest-file.js';
export { type ManifestListToWrite, readManifestList, writeManifestList } from './manifest-list.js';
export type * from './metadata.js';
export { type NewTable, newTableMetadata, withMetadataLogEntry } from './metadata-build.js';
export { parseTableMetadata, tableMetadataToJson } from './metadata-json.js';
export { mightMatch } from './metrics-evaluator.js';
export { bucketHash } from './murmur3.js';
export { type NameMapping, nameMapping } from './name-mapping.js';
export { partitionKey } from './partition-key.js';
export {
  type PartitionField,
  type PartitionSpec,
  type PartitionTuple,
  partitionPath,
  partitionType,
  partitionValueToString,
  sourceTypeOf,
  type Transform,
  UNPARTITIONED,
} from './partition-spec.js';
export { parsePartitionSpec, partitionFieldName } from './partition-spec-builder.js';
export { evolvePartitionSpec } from './partition-spec-evolution.js';
export { parsePartitionSpecJson, partitionSpecToJson } from './partition-spec-json.js';
export { projectInclusive } from './projection.js';
export {
  PUFFIN_TRAILER_BYTES,
  type PuffinBlob,
  type PuffinFooter,
  parsePuffinFooter,
  puffinFooterBytes,
  writePuffin,
} from './puffin.js';
export { MAIN_BRANCH, refByName, resolveSnapshot, type SnapshotSelection, snapshotForRef } from './refs.js';
export { checkRequirements } from './requirements.js';
export type { PositionContainer } from './roaring-bitmap.js';
export {
  allFields,
  assignFreshIds,
  childFields,
  type FieldPath,
  fieldPath,
  findField,
  findFieldByName,
  highestFieldId,
  isPrimitive,
  mapChildFields,
  selectColumns,
} from './schema.js';
export {
  type ColumnPosition,
  canPromote,
  type EvolutionContext,
  evolveSchema,
  type SchemaChange,
} from './schema-evolution.js';
export { checkSchema, parseSchema, schemaToJson } from './schema-json.js';
export {
  bigintToBytes,
  bytesToBigint,
  bytesToHex,
  bytesToUuid,
  deserializeValue,
  serializeValue,
  uuidToBytes,
} from './single-value.js';
export { formatDecimal, parseDecimal, temporalText, valueFromJson, valueToJson } from './single-value-json.js';
export { parseSnapshot, parseSnapshotRef, snapshotRefToJson, snapshotToJson } from './snapshot-json.js';
export {
  ancestors,
  currentSchema,
  currentSnapshot,
  findSnapshot,
  isAncestor,
  schemaOfSnapshot,
  snapshotAsOf,
  snapshotById,
} from './snapshot-log.js';
export { type SortField, type SortOrder, UNSORTED } from './sort-order.js';
export { parseSortOrder, sortOrderToJson } from './sort-order-json.js';
export { checkPartitionSpec, checkSortOrder } from './spec-check.js';
export {
  applyTransform,
  canTransform,
  firstCodePoints,
  parseTransform,
  sameTransform,
  transformResultType,
  transformToString,
} from './transforms.js';
export { parseType, sameType, typeToJson, typeToString } from './type-json.js';
export { requireVersionTwoTypes, versionThreeColumns } from './type-versions.js';
export type * from './types.js';
export type * from './update.js';
export { requirementFromJson, requirementToJson, updateFromJson, updateToJson } from './update-json.js';
export { compareBytes, compareText, compareValues } from './value-order.js';
