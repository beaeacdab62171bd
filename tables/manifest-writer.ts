/** Writing manifests: staged ones before a commit, merged and rewritten ones during it. */
import { randomUUID } from 'node:crypto';
import { metadataFolder, pathSegment } from '../catalogs/index.js';
import { MoraineError } from '../errors/index.js';
import {
  currentSchema,
  type DataFile,
  type ManifestEntry,
  type ManifestFile,
  manifestFileOf,
  manifestFileOfV1,
  type PartitionSpec,
  readManifest,
  type TableMetadata,
  writeManifest,
} from '../iceberg/index.js';
import { mapConcurrently } from '../storage/index.js';
import { manifestContext, readManifestEntries, rememberManifest } from './manifest-files.js';
import type { Table } from './table.js';

/** A snapshot being made. */
export interface PendingSnapshot {
  readonly snapshotId: bigint;
  readonly sequenceNumber: bigint;
  /** Content of the manifests made for it, by path: on storage they are not complete before the manifest list gives row ids. */
  readonly entries?: Map<string, readonly ManifestEntry[]>;
}

/** Content of a manifest. */
export interface ManifestContent {
  readonly content: ManifestFile['content'];
  readonly specId: number;
  readonly entries: readonly ManifestEntry[];
}

/** Stands for the snapshot of a staged manifest, which is not known before the commit. */
const UNASSIGNED: PendingSnapshot = { snapshotId: 0n, sequenceNumber: 0n };

/** A spec by id, of the metadata that the commit builds on. */
export function requireSpec(metadata: TableMetadata, specId: number): PartitionSpec {
  const spec = metadata.partitionSpecs.find((candidate) => candidate.specId === specId);
  if (spec !== undefined) return spec;
  throw new MoraineError('INVALID_ARGUMENT', `The table has no partition spec ${specId}, which a data file names.`);
}

/** The version that manifests and lists of a table are written in. */
export function writtenVersion(metadata: TableMetadata): 2 | 3 {
  return metadata.formatVersion === 3 ? 3 : 2;
}

/** The manifest-list entry of a manifest with these entries. */
function describeManifest(
  file: { readonly location: string; readonly lengthBytes: number; readonly spec: PartitionSpec },
  metadata: TableMetadata,
  { content, entries }: Omit<ManifestContent, 'specId'>,
  { snapshotId, sequenceNumber }: PendingSnapshot,
): ManifestFile {
  return manifestFileOf({
    manifestPath: file.location,
    manifestLength: BigInt(file.lengthBytes),
    content,
    spec: file.spec,
    schema: currentSchema(metadata),
    otherSchemas: metadata.schemas,
    entries,
    snapshotId,
    sequenceNumber,
  });
}

/** Writes one manifest under a new name that begins with `prefix`. */
export async function createManifest(
  { io, metadata }: Pick<Table, 'io' | 'metadata'>,
  { content, specId, entries }: ManifestContent,
  prefix: string,
  pending: PendingSnapshot = UNASSIGNED,
): Promise<ManifestFile> {
  const spec = requireSpec(metadata, specId);
  const schema = currentSchema(metadata);
  const otherSchemas = metadata.schemas;
  const formatVersion = writtenVersion(metadata);
  const bytes = writeManifest({ formatVersion, content, schema, otherSchemas, spec, entries });
  const location = `${metadataFolder(metadata)}/${prefix}-${randomUUID()}.avro`;
  await io.create(location, bytes);
  const described = { location, lengthBytes: bytes.length, spec };
  const manifest = describeManifest(described, metadata, { content, entries }, pending);
  await rememberFor(pending, { io, metadata }, manifest, assigned(entries, pending));
  return manifest;
}

/** Keeps what a new manifest holds for the rest of the commit, and for readers unless its list still has to give row ids. */
export async function rememberFor(
  pending: PendingSnapshot,
  { io, metadata }: Pick<Table, 'io' | 'metadata'>,
  manifest: ManifestFile,
  entries: readonly ManifestEntry[],
): Promise<void> {
  pending.entries?.set(manifest.manifestPath, entries);
  const isComplete = pending.entries === undefined || manifest.content === 'deletes' || metadata.formatVersion !== 3;
  if (isComplete) rememberManifest(io, metadata, manifest, entries);
}

/** The entries of a manifest that is listed for a pending snapshot. */
export async function pendingEntries(
  { io, metadata }: Pick<Table, 'io' | 'metadata'>,
  manifest: ManifestFile,
  pending: PendingSnapshot,
): Promise<readonly ManifestEntry[]> {
  return pending.entries?.get(manifest.manifestPath) ?? readManifestEntries(io, metadata, manifest);
}

/** Added entries with what they inherit from the snapshot that adds them. */
export function assigned(entries: readonly ManifestEntry[], pending: PendingSnapshot): readonly ManifestEntry[] {
  return entries.map((entry) =>
    entry.status === 'added'
      ? {
          ...entry,
          snapshotId: pending.snapshotId,
          sequenceNumber: entry.sequenceNumber ?? pending.sequenceNumber,
          fileSequenceNumber: pending.sequenceNumber,
        }
      : entry,
  );
}

/** An entry for a new file; its snapshot id and sequence numbers are inherited once it is committed. */
export function addedEntry(dataFile: DataFile): ManifestEntry {
  return { status: 'added', snapshotId: null, sequenceNumber: null, fileSequenceNumber: null, dataFile };
}

/**
 * Writes one manifest of new files that no snapshot lists yet. The files must be of one partition spec. Its name holds the
 * attempt's id and is never reused, so a late attempt cannot overwrite it.
 * @param attemptId tells the attempts of one piece of work apart
 * @returns the manifest, for `commitAppend` or `commitOverwrite`; its location alone is enough for {@link readStagedManifest}
 */
export async function stageManifest(
  table: Table,
  dataFiles: readonly DataFile[],
  attemptId: string,
): Promise<ManifestFile> {
  const specIds = new Set(dataFiles.map((file) => file.specId));
  if (specIds.size > 1) {
    const message = `The files of one manifest must have one partition spec, not ${[...specIds].join(', ')}.`;
    throw new MoraineError('INVALID_ARGUMENT', message);
  }
  const [specId = table.metadata.defaultSpecId] = specIds;
  return createManifest(table, { content: 'data', specId, entries: dataFiles.map(addedEntry) }, pathSegment(attemptId));
}

/** A manifest that {@link stageManifest} wrote, from its location. Throws `MANIFEST_CORRUPT`, `FILE_NOT_FOUND`. */
export async function readStagedManifest(table: Table, location: string): Promise<ManifestFile> {
  const bytes = await table.io.read(location);
  const file = manifestFileOfV1(location, bytes, UNASSIGNED.snapshotId);
  const entries = readManifest(bytes, manifestContext(table.metadata), file);
  const spec = requireSpec(table.metadata, file.partitionSpecId);
  const staged = entries.map((entry) => addedEntry(entry.dataFile));
  const described = { location, lengthBytes: bytes.length, spec };
  const manifest = describeManifest(described, table.metadata, { content: 'data', entries: staged }, UNASSIGNED);
  rememberManifest(table.io, table.metadata, manifest, entries);
  return manifest;
}

/** The data sequence number of a new file; null: that of the snapshot. */
export type DataSequenceNumber = (file: DataFile) => bigint | null;

/**
 * Staged manifests, written anew with entries that hold their data sequence numbers themselves.
 * @param leftOut locations of files that stay out of the table
 */
export async function withSequenceNumbers(
  table: Table,
  staged: readonly ManifestFile[],
  numberOf: DataSequenceNumber,
  leftOut: readonly string[] = [],
): Promise<readonly ManifestFile[]> {
  const prefix = `numbered-${randomUUID()}`;
  const without = new Set(leftOut);
  const written = await mapConcurrently(staged, async (manifest) => {
    const files = (await readManifestEntries(table.io, table.metadata, manifest)).map(({ dataFile }) => dataFile);
    const kept = files.filter(({ filePath }) => !without.has(filePath));
    if (kept.length === 0) return [];
    const entries = kept.map((file) => ({ ...addedEntry(file), sequenceNumber: numberOf(file) }));
    return [await createManifest(table, { content: 'data', specId: manifest.partitionSpecId, entries }, prefix)];
  });
  return written.flat();
}

/** Files grouped by their partition spec. */
export function filesBySpec(files: readonly DataFile[]): ReadonlyMap<number, readonly DataFile[]> {
  const bySpec = new Map<number, DataFile[]>();
  for (const file of files) {
    const ofSpec = bySpec.get(file.specId);
    if (ofSpec === undefined) bySpec.set(file.specId, [file]);
    else ofSpec.push(file);
  }
  return bySpec;
}

/** Stages files of any specs, one manifest for each. */
export async function stageFiles(table: Table, files: readonly DataFile[], attemptId: string): Promise<ManifestFile[]> {
  return Promise.all([...filesBySpec(files).values()].map((ofSpec) => stageManifest(table, ofSpec, attemptId)));
}
