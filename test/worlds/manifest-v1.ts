/**
 * Manifests and manifest lists of format version 1: those of version 2 without what it added.
 * Source: Apache Iceberg specification, "Manifests", "Manifest Lists" and Appendix E.
 */
import { writeAvroFile } from '../../iceberg/avro/container.js';
import { type AvroRecord, positionKey } from '../../iceberg/avro/datum.js';
import {
  type JsonObject,
  type JsonValue,
  type ManifestEntry,
  type ManifestFile,
  type PartitionSpec,
  partitionType,
  type Schema,
  schemaToJson,
  stringifyJson,
} from '../../iceberg/index.js';
import { entryToRecord } from '../../iceberg/manifests/manifest-entry.js';
import { manifestEntryAvroSchema, manifestListAvroSchema } from '../../iceberg/manifests/manifest-schema.js';
import { partitionFieldsToJson } from '../../iceberg/partitions/partition-spec.js';

/** Ids of the fields that came with version 2: of entries, of their files, of manifest lists. */
const LATER = new Set([3, 4, 134, 135, 143, 515, 516, 517]);
/** `block_size_in_bytes`, which version 1 requires. */
const BLOCK_SIZE = { name: 'block_size_in_bytes', type: 'long', 'field-id': 105 };
const SNAPSHOT_ID = { name: 'snapshot_id', type: 'long', 'field-id': 1 };

type Field = JsonObject & { readonly 'field-id': number };

/** A record's schema without the later fields, and the positions of those that stay. */
function cut(schema: JsonValue): { readonly fields: readonly Field[]; readonly kept: readonly number[] } {
  const fields = (schema as JsonObject)['fields'] as readonly Field[];
  const kept = [...fields.keys()].filter((position) => !LATER.has((fields[position] as Field)['field-id']));
  return { fields: kept.map((position) => fields[position] as Field), kept };
}

const record = (values: readonly unknown[]): AvroRecord =>
  Object.fromEntries(values.map((value, position) => [positionKey(position), value]));

const picked = (from: AvroRecord, positions: readonly number[]): unknown[] =>
  positions.map((position) => from[positionKey(position)]);

/** A manifest. Entries are of data files and have snapshot ids. */
export function writeManifestV1(
  schema: Schema,
  otherSchemas: readonly Schema[],
  spec: PartitionSpec,
  entries: readonly ManifestEntry[],
): Uint8Array {
  const type = partitionType(spec, schema, otherSchemas);
  const entrySchema = manifestEntryAvroSchema(type, 2);
  const [status, , dataFile] = cut(entrySchema).fields as [Field, Field, Field];
  const fileSchema = dataFile['type'] as JsonObject;
  const file = cut(fileSchema);
  const fields = [...file.fields, BLOCK_SIZE];
  const data = { ...dataFile, type: { ...fileSchema, fields } };
  const records = entries.map((entry) => {
    const whole = entryToRecord(entry, type, 2);
    const values = picked(whole[positionKey(4)] as AvroRecord, file.kept);
    return record([whole[positionKey(0)], entry.snapshotId, record([...values, 67_108_864n])]);
  });
  const metadata = new Map([
    ['schema', stringifyJson(schemaToJson(schema))],
    ['partition-spec', stringifyJson(partitionFieldsToJson(spec))],
    ['partition-spec-id', String(spec.specId)],
    ['format-version', '1'],
  ]);
  return writeAvroFile({ ...entrySchema, fields: [status, SNAPSHOT_ID, data] }, metadata, records);
}

/** A manifest list. */
export function writeManifestListV1(manifests: readonly ManifestFile[]): Uint8Array {
  const schema = manifestListAvroSchema(2);
  const { fields } = cut(schema);
  const records = manifests.map((manifest) =>
    record([
      manifest.manifestPath,
      manifest.manifestLength,
      manifest.partitionSpecId,
      manifest.addedSnapshotId,
      manifest.addedFilesCount ?? 0,
      manifest.existingFilesCount ?? 0,
      manifest.deletedFilesCount ?? 0,
      manifest.addedRowsCount ?? 0n,
      manifest.existingRowsCount ?? 0n,
      manifest.deletedRowsCount ?? 0n,
      manifest.partitions?.map((one) =>
        record([one.containsNull, one.containsNan ?? null, one.lowerBound ?? null, one.upperBound ?? null]),
      ) ?? null,
      null,
    ]),
  );
  return writeAvroFile({ ...schema, fields }, new Map([['format-version', '1']]), records);
}
