/** Manifests: the files of a table with their statistics. Source: Apache Iceberg specification, "Manifests". */

import { MoraineError } from '../../errors/index.js';
import type { AvroCodec } from '../avro/container.js';
import { type AvroFile, inFile, readAvroFile, readAvroHeader, writeAvroFile } from '../avro/container.js';
import type { AvroRecord } from '../avro/datum.js';
import { stringifyJson } from '../json.js';
import { type PartitionSpec, partitionFieldsToJson, partitionType } from '../partitions/partition-spec.js';
import { schemaToJson } from '../schema/schema-json.js';
import type { NestedField, Schema } from '../schema/types.js';
import type { ManifestEntry, ManifestFile } from './data-file.js';
import { entryToRecord, ManifestEntryReader } from './manifest-entry.js';
import { manifestEntryAvroSchema } from './manifest-schema.js';
import { partitionTypeOf } from './partition-types.js';

/** The input of a manifest. */
export interface ManifestToWrite {
  readonly formatVersion: 2 | 3;
  readonly content: ManifestFile['content'];
  readonly schema: Schema;
  /** All of the table's schemas, when the spec may have source columns that `schema` has dropped. */
  readonly otherSchemas?: readonly Schema[];
  readonly spec: PartitionSpec;
  readonly entries: readonly ManifestEntry[];
  readonly codec?: AvroCodec;
}

/**
 * The bytes of a v2 or v3 manifest. The same entries give the same bytes. Null ids and sequence numbers of added entries stay null,
 * to be inherited from the manifest list.
 * @throws MoraineError `INVALID_ARGUMENT` for an entry that is of another spec, or carried over without a sequence number
 */
export function writeManifest(manifest: ManifestToWrite): Uint8Array {
  const { schema, spec } = manifest;
  const type = partitionTypeOf(manifest);
  const metadata = new Map([
    ['schema', stringifyJson(schemaToJson(schema))],
    ['schema-id', String(schema.schemaId)],
    ['partition-spec', stringifyJson(partitionFieldsToJson(spec))],
    ['partition-spec-id', String(spec.specId)],
    ['format-version', String(manifest.formatVersion)],
    ['content', manifest.content],
  ]);
  return writeAvroFile(
    manifestEntryAvroSchema(type, manifest.formatVersion),
    metadata,
    recordsOf(manifest, type),
    manifest.codec,
  );
}

function* recordsOf(manifest: ManifestToWrite, type: readonly NestedField[]): Generator<AvroRecord> {
  for (const entry of manifest.entries) {
    yield entryToRecord(checkEntry(entry, manifest), type, manifest.formatVersion);
  }
}

function checkEntry(entry: ManifestEntry, { spec, content }: ManifestToWrite): ManifestEntry {
  const { dataFile, status } = entry;
  const fail = (reason: string): never => {
    throw new MoraineError('INVALID_ARGUMENT', `Manifest entry of ${dataFile.filePath}: ${reason}.`);
  };
  if (dataFile.specId !== spec.specId) fail(`it has partition spec ${dataFile.specId}, the manifest ${spec.specId}`);
  if (dataFile.partition.length !== spec.fields.length) fail('its partition has a value too few or too many');
  if ((dataFile.content === 'data') !== (content === 'data'))
    fail(`${dataFile.content} files are not of a manifest of ${content}`);
  if (status !== 'added' && (entry.sequenceNumber === null || entry.snapshotId === null)) {
    fail(`${status} files need a snapshot id and a sequence number of their own`);
  }
  return entry;
}

/** The part of the table's metadata that reading a manifest needs. */
export interface ManifestContext {
  readonly specs: readonly PartitionSpec[];
  /** The current schema first; the others for columns that it has dropped. */
  readonly schemas: readonly Schema[];
}

/**
 * The entries of a v1, v2 or v3 manifest, with snapshot ids and sequence numbers inherited from `manifestFile`.
 * Fields are found by id, so writers may name and order them as they like.
 * @throws MoraineError `MANIFEST_CORRUPT` naming the file, `LIMIT_EXCEEDED`, `FORMAT_VERSION_UNSUPPORTED`
 */
export function readManifest(
  bytes: Uint8Array,
  context: ManifestContext,
  manifestFile: ManifestFile,
): readonly ManifestEntry[] {
  const location = manifestFile.manifestPath;
  const file = readAvroFile(bytes, location);
  return inFile(location, () => {
    checkLength(bytes, manifestFile);
    checkFormatVersion(file);
    const spec = context.specs.find(({ specId }) => specId === manifestFile.partitionSpecId);
    if (spec === undefined) {
      throw new MoraineError('MANIFEST_CORRUPT', `the table has no partition spec ${manifestFile.partitionSpecId}`);
    }
    const [schema = { schemaId: 0, fields: [], identifierFieldIds: [] }, ...otherSchemas] = context.schemas;
    const reader = new ManifestEntryReader(file.schema, spec, partitionType(spec, schema, otherSchemas));
    const entries = file.records.map((record) => inherit(reader.entry(record), manifestFile));
    return manifestFile.content === 'data' ? inheritRowIds(entries, manifestFile.firstRowId) : entries;
  });
}

/**
 * Specification, "First Row ID Inheritance": files without a first row id follow the manifest's own, each after the rows of
 * those before it. Without one the table had no row lineage yet, whatever the entries say.
 */
export function inheritRowIds(
  entries: readonly ManifestEntry[],
  firstRowId: bigint | undefined,
): readonly ManifestEntry[] {
  let next = firstRowId;
  return entries.map((entry) => {
    const { firstRowId: own, ...dataFile } = entry.dataFile;
    if (next === undefined) return own === undefined ? entry : { ...entry, dataFile };
    if (own !== undefined || entry.status === 'deleted') return entry;
    const assigned = { ...entry, dataFile: { ...dataFile, firstRowId: next } };
    next += dataFile.recordCount;
    return assigned;
  });
}

/** A file cut between two blocks is a valid Avro file with fewer entries. */
function checkLength(bytes: Uint8Array, { manifestLength }: ManifestFile): void {
  if (BigInt(bytes.length) >= manifestLength) return;
  throw new MoraineError('MANIFEST_CORRUPT', `it has ${bytes.length} bytes, its manifest list says ${manifestLength}`);
}

function checkFormatVersion({ metadata }: Pick<AvroFile, 'metadata'>): void {
  const version = metadata.get('format-version') ?? '1';
  if (!['1', '2', '3'].includes(version)) {
    throw new MoraineError('FORMAT_VERSION_UNSUPPORTED', `it has format version ${version}; 1, 2 and 3 can be read`);
  }
}

/** Specification, "Sequence Number Inheritance": only added entries inherit, but for lists of v1, whose number is 0. */
function inherit(entry: ManifestEntry, manifest: ManifestFile): ManifestEntry {
  if (entry.snapshotId !== null && entry.sequenceNumber !== null && entry.fileSequenceNumber !== null) return entry;
  const inherits = entry.status === 'added' || manifest.sequenceNumber === 0n;
  const inherited = inherits ? manifest.sequenceNumber : null;
  const sequenceNumber = entry.sequenceNumber ?? inherited;
  if (sequenceNumber === null) {
    throw new MoraineError(
      'MANIFEST_CORRUPT',
      `${entry.dataFile.filePath} is ${entry.status} but has no sequence number of its own`,
    );
  }
  return {
    status: entry.status,
    snapshotId: entry.snapshotId ?? manifest.addedSnapshotId,
    sequenceNumber,
    fileSequenceNumber: entry.fileSequenceNumber ?? inherited,
    dataFile: entry.dataFile,
  };
}

/**
 * The manifest-list entry of a manifest that a v1 snapshot lists by its location alone (`manifests` in the metadata).
 * Without counts and summaries it is always read.
 */
export function manifestFileOfV1(manifestPath: string, bytes: Uint8Array, snapshotId: bigint): ManifestFile {
  const { metadata } = readAvroHeader(bytes, manifestPath);
  const specId = Number(metadata.get('partition-spec-id') ?? 0);
  return {
    manifestPath,
    manifestLength: BigInt(bytes.length),
    partitionSpecId: Number.isInteger(specId) ? specId : 0,
    content: 'data',
    sequenceNumber: 0n,
    minSequenceNumber: 0n,
    addedSnapshotId: snapshotId,
  };
}
