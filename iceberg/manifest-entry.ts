/** Manifest entries and their Avro records. Source: Apache Iceberg specification, "Manifests" (field ids in brackets there). */
import { MoraineError } from '../errors/index.js';
import type { AvroNode } from './avro/avro-node.js';
import { primitiveTypeOf, valueFromAvro, valueToAvro } from './avro/avro-values.js';
import { type AvroDatum, type AvroRecord, positionKey } from './avro/datum.js';
import {
  expectBytes,
  expectInt,
  expectIntMap,
  expectList,
  expectLong,
  expectText,
  type FieldSlot,
  optionally,
  RecordFields,
} from './avro/record-fields.js';
import type { DataFile, FileContent, FileFormat, ManifestEntry } from './data-file.js';
import type { PartitionSpec, PartitionTuple } from './partition-spec.js';
import type { NestedField, PrimitiveValue } from './types.js';

const STATUSES: readonly ManifestEntry['status'][] = ['existing', 'added', 'deleted'];
const CONTENTS: readonly FileContent[] = ['data', 'position-deletes', 'equality-deletes'];
const FORMATS: ReadonlySet<string> = new Set<FileFormat>(['PARQUET', 'AVRO', 'ORC', 'PUFFIN']);

type Getter = (record: AvroRecord) => AvroDatum;

/** Turns the records of one manifest into entries. */
export class ManifestEntryReader {
  private readonly specId: number;
  private readonly entryGetters: Readonly<
    Record<'status' | 'snapshotId' | 'sequenceNumber' | 'fileSequenceNumber' | 'dataFile', Getter>
  >;
  private readonly fileFields: RecordFields;
  private readonly partition: (record: AvroRecord) => PartitionTuple;
  private readonly getters = new Map<number, Getter>();

  /** @param partitionType the spec's partition fields, of the types that values should have now */
  constructor(schema: AvroNode, spec: PartitionSpec, partitionType: readonly NestedField[]) {
    const entry = new RecordFields(schema);
    const file = new RecordFields(entry.slot(2)?.node);
    this.specId = spec.specId;
    this.entryGetters = {
      status: entry.getter(0),
      snapshotId: entry.getter(1),
      sequenceNumber: entry.getter(3),
      fileSequenceNumber: entry.getter(4),
      dataFile: entry.getter(2),
    };
    this.fileFields = file;
    this.partition = partitionReader(file.slot(102), spec, partitionType);
  }

  private file(id: number): Getter {
    const known = this.getters.get(id);
    if (known !== undefined) return known;
    const getter = this.fileFields.getter(id);
    this.getters.set(id, getter);
    return getter;
  }

  /** The entry of a record, as written: nothing is inherited yet. */
  entry(record: AvroRecord): ManifestEntry {
    const get = this.entryGetters;
    const status = STATUSES[expectInt(get.status(record), 'status')];
    if (status === undefined) throw new MoraineError('MANIFEST_CORRUPT', 'an entry has an unknown status');
    return {
      status,
      snapshotId: optionally(get.snapshotId(record), 'snapshot_id', expectLong) ?? null,
      sequenceNumber: optionally(get.sequenceNumber(record), 'sequence_number', expectLong) ?? null,
      fileSequenceNumber: optionally(get.fileSequenceNumber(record), 'file_sequence_number', expectLong) ?? null,
      dataFile: this.dataFile(get.dataFile(record) as AvroRecord),
    };
  }

  private dataFile(record: AvroRecord): DataFile {
    const content = CONTENTS[optionally(this.file(134)(record), 'content', expectInt) ?? 0];
    if (content === undefined) throw new MoraineError('MANIFEST_CORRUPT', 'an entry has an unknown content');
    const fileFormat = expectText(this.file(101)(record), 'file_format').toUpperCase();
    if (!FORMATS.has(fileFormat))
      throw new MoraineError('MANIFEST_CORRUPT', `an entry has the file format '${fileFormat}'`);
    return {
      content,
      filePath: expectText(this.file(100)(record), 'file_path'),
      fileFormat: fileFormat as FileFormat,
      specId: this.specId,
      partition: this.partition(record),
      recordCount: expectLong(this.file(103)(record), 'record_count'),
      fileSizeInBytes: expectLong(this.file(104)(record), 'file_size_in_bytes'),
      ...this.statistics(record),
      ...this.rest(record),
    };
  }

  private statistics(record: AvroRecord): Partial<DataFile> {
    const longs = (value: AvroDatum, name: string): ReadonlyMap<number, bigint> =>
      expectIntMap(value, name, 'long', expectLong);
    const bytes = (value: AvroDatum, name: string): ReadonlyMap<number, Uint8Array> =>
      expectIntMap(value, name, 'bytes', expectBytes);
    return present({
      columnSizes: optionally(this.file(108)(record), 'column_sizes', longs),
      valueCounts: optionally(this.file(109)(record), 'value_counts', longs),
      nullValueCounts: optionally(this.file(110)(record), 'null_value_counts', longs),
      nanValueCounts: optionally(this.file(137)(record), 'nan_value_counts', longs),
      lowerBounds: optionally(this.file(125)(record), 'lower_bounds', bytes),
      upperBounds: optionally(this.file(128)(record), 'upper_bounds', bytes),
    });
  }

  private rest(record: AvroRecord): Partial<DataFile> {
    const longs = (value: AvroDatum, name: string): readonly bigint[] =>
      expectList(value, name).map((item) => expectLong(item, name));
    const ints = (value: AvroDatum, name: string): readonly number[] =>
      expectList(value, name).map((item) => expectInt(item, name));
    return present({
      keyMetadata: optionally(this.file(131)(record), 'key_metadata', expectBytes),
      splitOffsets: optionally(this.file(132)(record), 'split_offsets', longs),
      equalityIds: optionally(this.file(135)(record), 'equality_ids', ints),
      sortOrderId: optionally(this.file(140)(record), 'sort_order_id', expectInt),
      firstRowId: optionally(this.file(142)(record), 'first_row_id', expectLong),
      referencedDataFile: optionally(this.file(143)(record), 'referenced_data_file', expectText),
      contentOffset: optionally(this.file(144)(record), 'content_offset', expectLong),
      contentSizeInBytes: optionally(this.file(145)(record), 'content_size_in_bytes', expectLong),
    });
  }
}

/** The object without the members that are undefined. */
function present<T extends object>(values: { readonly [K in keyof T]: T[K] | undefined }): Partial<T> {
  const result: Partial<T> = {};
  for (const key in values) {
    if (values[key] !== undefined) result[key] = values[key];
  }
  return result;
}

/** Reads partition tuples in the order of the spec, whatever the order and names in the file. */
function partitionReader(
  slot102: FieldSlot | undefined,
  spec: PartitionSpec,
  partitionType: readonly NestedField[],
): (record: AvroRecord) => PartitionTuple {
  if (spec.fields.length === 0) return () => [];
  if (slot102 === undefined) throw new MoraineError('MANIFEST_CORRUPT', 'it lacks the partition of its files');
  const fields = new RecordFields(slot102.node);
  const readers = spec.fields.map((field, position) => {
    const slot = fields.slot(field.fieldId);
    if (slot === undefined) {
      if (field.transform.kind === 'void') return () => null;
      throw new MoraineError('MANIFEST_CORRUPT', `it lacks the partition field '${field.name}' (id ${field.fieldId})`);
    }
    const written = primitiveTypeOf(slot.node);
    const wanted = partitionType[position]?.type;
    const type =
      wanted === undefined || wanted.kind === 'unknown' || field.transform.kind === 'unknown' ? written : wanted;
    if (type === undefined)
      throw new MoraineError('MANIFEST_CORRUPT', `its partition field '${field.name}' is not primitive`);
    return (partition: AvroRecord): PrimitiveValue | null => valueFromAvro(type, partition[slot.key] ?? null);
  });
  return (record) => {
    const partition = record[slot102.key] as AvroRecord;
    return readers.map((read) => read(partition));
  };
}

/** The Avro record of an entry, in the field order of {@link manifestEntryAvroSchema}. */
export function entryToRecord(
  entry: ManifestEntry,
  partitionType: readonly NestedField[],
  formatVersion: 2 | 3,
): AvroRecord {
  return positional([
    STATUSES.indexOf(entry.status),
    entry.snapshotId,
    entry.sequenceNumber,
    entry.fileSequenceNumber,
    dataFileToRecord(entry.dataFile, partitionType, formatVersion),
  ]);
}

function dataFileToRecord(file: DataFile, partitionType: readonly NestedField[], formatVersion: 2 | 3): AvroRecord {
  return positional([
    CONTENTS.indexOf(file.content),
    file.filePath,
    file.fileFormat,
    positional(partitionType.map((field, position) => valueToAvro(field.type, file.partition[position] ?? null))),
    file.recordCount,
    file.fileSizeInBytes,
    file.columnSizes ?? null,
    file.valueCounts ?? null,
    file.nullValueCounts ?? null,
    file.nanValueCounts ?? null,
    file.lowerBounds ?? null,
    file.upperBounds ?? null,
    file.keyMetadata ?? null,
    file.splitOffsets ?? null,
    file.equalityIds ?? null,
    file.sortOrderId ?? null,
    file.referencedDataFile ?? null,
    ...(formatVersion === 3
      ? [file.firstRowId ?? null, file.contentOffset ?? null, file.contentSizeInBytes ?? null]
      : []),
  ]);
}

/** A record with its values under the keys of {@link positionKey}. */
export function positional(values: readonly AvroDatum[]): AvroRecord {
  const record: Record<string, AvroDatum> = {};
  for (let position = 0; position < values.length; position++) record[positionKey(position)] = values[position];
  return record;
}
