/** The table format, named as the specification names it. Pure: values in, values out. */

export type { AvroField, AvroLogicalType, AvroNode } from './avro/avro-node.js';
export { type AvroDatum, type AvroRecord, positionKey } from './avro/datum.js';
export { AvroRowReader, type ByteSource } from './avro/row-reader.js';
export { type ChangedDeletes, changedDeletes } from './deletes/changed-deletes.js';
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
} from './deletes/delete-index.js';
export { DELETION_VECTOR_BLOB, decodeDeletionVector, encodeDeletionVector } from './deletes/deletion-vector.js';
export { POSITION_DELETE_SCHEMA } from './deletes/position-delete-schema.js';
export {
  PUFFIN_TRAILER_BYTES,
  type PuffinBlob,
  type PuffinFooter,
  parsePuffinFooter,
  puffinFooterBytes,
  relocatePuffinFooter,
  writePuffin,
} from './deletes/puffin.js';
export type { PositionContainer } from './deletes/roaring-bitmap.js';
export { type ColumnFacts, mightMatchFacts, readBounds } from './expressions/column-facts.js';
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
} from './expressions/expression.js';
export { bindExpression, bindReference } from './expressions/expression-bind.js';
export { evaluate, type ValueOf } from './expressions/expression-evaluate.js';
export { parseExpression } from './expressions/expression-parser.js';
export { manifestMightMatch, partitionMightMatch } from './expressions/manifest-evaluator.js';
export { mightMatch } from './expressions/metrics-evaluator.js';
export {
  isJsonArray,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  jsonObject,
  parseJson,
  stringifyJson,
} from './json.js';
export type * from './manifests/data-file.js';
export {
  inheritRowIds,
  type ManifestContext,
  type ManifestToWrite,
  manifestFileOfV1,
  readManifest,
  writeManifest,
} from './manifests/manifest.js';
export {
  type ManifestListToWrite,
  manifestFileOf,
  readManifestList,
  summarizePartitions,
  type WrittenManifest,
  writeManifestList,
} from './manifests/manifest-list.js';
export { untoldFields } from './manifests/partition-types.js';
export {
  type RelocatedDeletes,
  relocateAvroDeletes,
  relocateManifest,
  relocateManifestList,
} from './manifests/relocate-manifests.js';
export type * from './metadata/metadata.js';
export { type NewTable, newTableMetadata, withMetadataLogEntry } from './metadata/metadata-build.js';
export { parseTableMetadata, tableMetadataFromJson, tableMetadataToJson } from './metadata/metadata-json.js';
export { MAIN_BRANCH, refByName, resolveSnapshot, type SnapshotSelection, snapshotForRef } from './metadata/refs.js';
export { relocateMetadata } from './metadata/relocate-metadata.js';
export { parseSnapshot, parseSnapshotRef, snapshotRefToJson, snapshotToJson } from './metadata/snapshot-json.js';
export {
  ancestors,
  currentSchema,
  currentSnapshot,
  defaultSpec,
  findSnapshot,
  isAncestor,
  schemaOfSnapshot,
  snapshotAsOf,
  snapshotById,
} from './metadata/snapshot-log.js';
export { parseSortOrder, type SortField, type SortOrder, sortOrderToJson, UNSORTED } from './metadata/sort-order.js';
export { type IdentityValue, type IdentityValues, identityValuesOf } from './partitions/identity-values.js';
export { bucketHash, murmur3 } from './partitions/murmur3.js';
export { partitionKey } from './partitions/partition-key.js';
export {
  type PartitionField,
  type PartitionSpec,
  type PartitionTuple,
  parsePartitionSpecJson,
  partitionPath,
  partitionSpecToJson,
  partitionType,
  partitionValueToString,
  sourceTypeOf,
  UNPARTITIONED,
} from './partitions/partition-spec.js';
export { parsePartitionSpec, partitionFieldName } from './partitions/partition-spec-builder.js';
export { evolvePartitionSpec } from './partitions/partition-spec-evolution.js';
export { projectInclusive } from './partitions/projection.js';
export { checkPartitionSpec, checkSortOrder } from './partitions/spec-check.js';
export {
  applyTransform,
  canTransform,
  firstCodePoints,
  parseTransform,
  sameTransform,
  type Transform,
  transformResultType,
  transformToString,
} from './partitions/transforms.js';
export { unreadableFields } from './schema/appendable-schema.js';
export { NAME_MAPPING_PROPERTY, type NameMapping, nameMapping } from './schema/name-mapping.js';
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
  schemaOfFields,
  selectColumns,
} from './schema/schema.js';
export {
  type ColumnPosition,
  canPromote,
  type EvolutionContext,
  evolveSchema,
  type SchemaChange,
} from './schema/schema-evolution.js';
export {
  checkSchema,
  parseSchema,
  parseType,
  sameType,
  schemaToJson,
  typeToJson,
  typeToString,
} from './schema/schema-json.js';
export { requireVersionTwoTypes, versionThreeColumns } from './schema/type-versions.js';
export type * from './schema/types.js';
export { applyUpdates, LAST_ADDED } from './updates/apply-updates.js';
export { checkRequirements } from './updates/requirements.js';
export type * from './updates/update.js';
export { requirementFromJson, requirementToJson, updateFromJson, updateToJson } from './updates/update-json.js';
export {
  civilFromDays,
  daysFromCivil,
  floorDivide,
  formatDate,
  formatTimeOfDay,
  formatTimestamp,
} from './values/calendar.js';
export {
  bigintToBytes,
  bytesToBigint,
  bytesToHex,
  bytesToUuid,
  deserializeValue,
  serializeValue,
  uuidToBytes,
} from './values/single-value.js';
export { formatDecimal, parseDecimal, temporalText, valueFromJson, valueToJson } from './values/single-value-json.js';
export { compareBytes, compareText, compareValues } from './values/value-order.js';
