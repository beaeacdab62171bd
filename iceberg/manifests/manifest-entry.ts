/** Manifest entries and their Avro records. Source: Apache Iceberg specification, "Manifests" (field ids in brackets there). */
import { MoraineError } from '../../errors/index.js';
import type { AvroNode } from '../avro/avro-node.js';
import { primitiveTypeOf, valueFromAvro, valueToAvro } from '../avro/avro-values.js';
import { type AvroDatum, type AvroRecord, positionKey } from '../avro/datum.js';
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
} from '../avro/record-fields.js';
import type { PartitionSpec, PartitionTuple } from '../partitions/partition-spec.js';
import type { NestedField, PrimitiveType, PrimitiveValue } from '../schema/types.js';
import type { DataFile, FileContent, FileFormat, ManifestEntry } from './data-file.js';
import { isTold } from './partition-types.js';

const STATUSES: readonly ManifestEntry['status'][] = ['existing', 'added', 'deleted'];
const CONTENTS: readonly FileContent[] = ['data', 'position-deletes', 'equality-deletes'];
const FORMATS: ReadonlySet<string> = new Set<FileFormat>(['PARQUET', 'AVRO', 'ORC', 'PUFFIN']);

type Getter = (record: AvroRecord) => AvroDatum;

/** The members that a file may lack. */
type OptionalMember = { [K in keyof DataFile]-?: object extends Pick<DataFile, K> ? K : never }[keyof DataFile];
type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Check<T> = (datum: AvroDatum, name: string) => T;

/** One member of the files of a manifest whose writer has it. */
interface MemberReader {
  readonly take: Getter;
  readonly assign: (file: Mutable<DataFile>, datum: AvroDatum) => void;
}

const longMap: Check<ReadonlyMap<number, bigint>> = (value, name) => expectIntMap(value, name, 'long', expectLong);
const bytesMap: Check<ReadonlyMap<number, Uint8Array>> = (value, name) =>
  expectIntMap(value, name, 'bytes', expectBytes);
const longList: Check<readonly bigint[]> = (value, name) =>
  expectList(value, name).map((item) => expectLong(item, name));
const intList: Check<readonly number[]> = (value, name) => expectList(value, name).map((item) => expectInt(item, name));

/** How the member of a field id is read. */
function member<K extends OptionalMember>(id: number, key: K, name: string, check: Check<Required<DataFile>[K]>) {
  const assign = (file: Mutable<DataFile>, datum: AvroDatum): void => {
    (file as Partial<Record<K, Required<DataFile>[K]>>)[key] = check(datum, name);
  };
  return { id, assign };
}

const OPTIONAL_MEMBERS = [
  member(108, 'columnSizes', 'column_sizes', longMap),
  member(109, 'valueCounts', 'value_counts', longMap),
  member(110, 'nullValueCounts', 'null_value_counts', longMap),
  member(137, 'nanValueCounts', 'nan_value_counts', longMap),
  member(125, 'lowerBounds', 'lower_bounds', bytesMap),
  member(128, 'upperBounds', 'upper_bounds', bytesMap),
  member(131, 'keyMetadata', 'key_metadata', expectBytes),
  member(132, 'splitOffsets', 'split_offsets', longList),
  member(135, 'equalityIds', 'equality_ids', intList),
  member(140, 'sortOrderId', 'sort_order_id', expectInt),
  member(142, 'firstRowId', 'first_row_id', expectLong),
  member(143, 'referencedDataFile', 'referenced_data_file', expectText),
  member(144, 'contentOffset', 'content_offset', expectLong),
  member(145, 'contentSizeInBytes', 'content_size_in_bytes', expectLong),
];

/** Turns the records of one manifest into entries. */
export class ManifestEntryReader {
  private readonly specId: number;
  private readonly entryGetters: Readonly<
    Record<'status' | 'snapshotId' | 'sequenceNumber' | 'fileSequenceNumber' | 'dataFile', Getter>
  >;
  private readonly fileGetters: Readonly<
    Record<'content' | 'filePath' | 'fileFormat' | 'recordCount' | 'fileSizeInBytes', Getter>
  >;
  private readonly partition: PartitionReader;
  private readonly members: readonly MemberReader[];

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
    this.fileGetters = {
      content: file.getter(134),
      filePath: file.getter(100),
      fileFormat: file.getter(101),
      recordCount: file.getter(103),
      fileSizeInBytes: file.getter(104),
    };
    this.partition = partitionReader(file.slot(102), spec, partitionType);
    this.members = OPTIONAL_MEMBERS.filter(({ id }) => file.slot(id) !== undefined).map(({ id, assign }) => ({
      take: file.getter(id),
      assign,
    }));
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
    const get = this.fileGetters;
    const content = CONTENTS[optionally(get.content(record), 'content', expectInt) ?? 0];
    if (content === undefined) throw new MoraineError('MANIFEST_CORRUPT', 'an entry has an unknown content');
    const file: Mutable<DataFile> = {
      content,
      filePath: expectText(get.filePath(record), 'file_path'),
      fileFormat: fileFormatOf(expectText(get.fileFormat(record), 'file_format')),
      specId: this.specId,
      partition: this.partition.read(record),
      ...(this.partition.types === undefined ? {} : { partitionTypes: this.partition.types }),
      recordCount: expectLong(get.recordCount(record), 'record_count'),
      fileSizeInBytes: expectLong(get.fileSizeInBytes(record), 'file_size_in_bytes'),
    };
    for (const { take, assign } of this.members) {
      const datum = take(record);
      if (datum !== null && datum !== undefined) assign(file, datum);
    }
    return file;
  }
}

function fileFormatOf(text: string): FileFormat {
  const format = text.toUpperCase();
  if (!FORMATS.has(format)) throw new MoraineError('MANIFEST_CORRUPT', `an entry has the file format '${format}'`);
  return format as FileFormat;
}

interface PartitionReader {
  readonly read: (record: AvroRecord) => PartitionTuple;
  /** Types of the values, unknown where metadata tells them; undefined: it tells them all. */
  readonly types: readonly PrimitiveType[] | undefined;
}

/** Reads partition tuples in the order of the spec, whatever the order and names in the file. */
function partitionReader(
  slot102: FieldSlot | undefined,
  spec: PartitionSpec,
  partitionType: readonly NestedField[],
): PartitionReader {
  if (spec.fields.length === 0) return { read: () => [], types: undefined };
  if (slot102 === undefined) throw new MoraineError('MANIFEST_CORRUPT', 'it lacks the partition of its files');
  const fields = new RecordFields(slot102.node);
  const untold: PrimitiveType = { kind: 'unknown' };
  const isUntold = partitionType.some((field, position) => !isTold(spec, position, field));
  const readers = spec.fields.map((field, position) => {
    const slot = fields.slot(field.fieldId);
    if (slot === undefined) {
      if (field.transform.kind === 'void') return { type: untold, read: () => null };
      throw new MoraineError('MANIFEST_CORRUPT', `it lacks the partition field '${field.name}' (id ${field.fieldId})`);
    }
    const written = primitiveTypeOf(slot.node);
    const wanted = partitionType[position] ?? { type: untold };
    const isSettled = isTold(spec, position, wanted);
    const type = isSettled ? wanted.type : written;
    if (type === undefined)
      throw new MoraineError('MANIFEST_CORRUPT', `its partition field '${field.name}' is not primitive`);
    const read = (partition: AvroRecord): PrimitiveValue | null => valueFromAvro(type, partition[slot.key] ?? null);
    return { type: isSettled ? untold : (type as PrimitiveType), read };
  });
  return {
    types: isUntold ? readers.map(({ type }) => type) : undefined,
    read: (record) => {
      const partition = record[slot102.key] as AvroRecord;
      return readers.map(({ read }) => read(partition));
    },
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
