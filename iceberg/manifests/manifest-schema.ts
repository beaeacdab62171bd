/** The Avro schemas of manifests and manifest lists. Source: Apache Iceberg specification, "Manifests" and "Manifest Lists". */

import { uniqueAvroNames } from '../avro/avro-node.js';
import { avroTypeOf } from '../avro/avro-values.js';
import type { JsonObject, JsonValue } from '../json.js';
import type { NestedField } from '../schema/types.js';

const required = (id: number, name: string, type: JsonValue): JsonObject => ({ name, type, 'field-id': id });

const optional = (id: number, name: string, type: JsonValue): JsonObject => ({
  name,
  type: ['null', type],
  default: null,
  'field-id': id,
});

/** Maps with int keys are arrays of key-value records, since Avro's own maps have text keys. */
const intMap = (keyId: number, valueId: number, valueType: JsonValue): JsonObject => ({
  type: 'array',
  items: {
    type: 'record',
    name: `k${keyId}_v${valueId}`,
    fields: [required(keyId, 'key', 'int'), required(valueId, 'value', valueType)],
  },
  logicalType: 'map',
});

const list = (elementId: number, items: JsonValue): JsonObject => ({ type: 'array', items, 'element-id': elementId });

/** The record `r102`: a file's partition values, named after the partition fields as far as Avro allows. */
function partitionRecord(partitionType: readonly NestedField[]): JsonObject {
  const names = uniqueAvroNames(partitionType);
  const usedNames = new Set<string>();
  return {
    type: 'record',
    name: 'r102',
    fields: partitionType.map((field, position) => {
      const name = names[position] ?? field.name;
      const described =
        field.type.kind === 'unknown'
          ? required(field.id, name, 'null')
          : optional(field.id, name, avroTypeOf(field.type, usedNames));
      return name === field.name ? described : { ...described, 'iceberg-field-name': field.name };
    }),
  };
}

/** Fields that version 3 adds to the files of a manifest. */
const V3_FILE_FIELDS: readonly JsonObject[] = [
  optional(142, 'first_row_id', 'long'),
  optional(144, 'content_offset', 'long'),
  optional(145, 'content_size_in_bytes', 'long'),
];

/** The schema of manifest entries of one partition type. `manifest-entry.ts` writes records in this field order. */
export function manifestEntryAvroSchema(partitionType: readonly NestedField[], formatVersion: 2 | 3): JsonObject {
  return {
    type: 'record',
    name: 'manifest_entry',
    fields: [
      required(0, 'status', 'int'),
      optional(1, 'snapshot_id', 'long'),
      optional(3, 'sequence_number', 'long'),
      optional(4, 'file_sequence_number', 'long'),
      required(2, 'data_file', {
        type: 'record',
        name: 'r2',
        fields: [
          required(134, 'content', 'int'),
          required(100, 'file_path', 'string'),
          required(101, 'file_format', 'string'),
          required(102, 'partition', partitionRecord(partitionType)),
          required(103, 'record_count', 'long'),
          required(104, 'file_size_in_bytes', 'long'),
          optional(108, 'column_sizes', intMap(117, 118, 'long')),
          optional(109, 'value_counts', intMap(119, 120, 'long')),
          optional(110, 'null_value_counts', intMap(121, 122, 'long')),
          optional(137, 'nan_value_counts', intMap(138, 139, 'long')),
          optional(125, 'lower_bounds', intMap(126, 127, 'bytes')),
          optional(128, 'upper_bounds', intMap(129, 130, 'bytes')),
          optional(131, 'key_metadata', 'bytes'),
          optional(132, 'split_offsets', list(133, 'long')),
          optional(135, 'equality_ids', list(136, 'int')),
          optional(140, 'sort_order_id', 'int'),
          optional(143, 'referenced_data_file', 'string'),
          ...(formatVersion === 3 ? V3_FILE_FIELDS : []),
        ],
      }),
    ],
  };
}

/** The schema of a manifest list. `manifest-list.ts` writes records in this field order. */
export const manifestListAvroSchema = (formatVersion: 2 | 3): JsonObject => ({
  type: 'record',
  name: 'manifest_file',
  fields: [
    required(500, 'manifest_path', 'string'),
    required(501, 'manifest_length', 'long'),
    required(502, 'partition_spec_id', 'int'),
    required(517, 'content', 'int'),
    required(515, 'sequence_number', 'long'),
    required(516, 'min_sequence_number', 'long'),
    required(503, 'added_snapshot_id', 'long'),
    required(504, 'added_files_count', 'int'),
    required(505, 'existing_files_count', 'int'),
    required(506, 'deleted_files_count', 'int'),
    required(512, 'added_rows_count', 'long'),
    required(513, 'existing_rows_count', 'long'),
    required(514, 'deleted_rows_count', 'long'),
    optional(
      507,
      'partitions',
      list(508, {
        type: 'record',
        name: 'r508',
        fields: [
          required(509, 'contains_null', 'boolean'),
          optional(518, 'contains_nan', 'boolean'),
          optional(510, 'lower_bound', 'bytes'),
          optional(511, 'upper_bound', 'bytes'),
        ],
      }),
    ),
    optional(519, 'key_metadata', 'bytes'),
    ...(formatVersion === 3 ? [optional(520, 'first_row_id', 'long')] : []),
  ],
});
