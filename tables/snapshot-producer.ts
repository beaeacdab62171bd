/** Building a snapshot on a base: its manifests, manifest list, summary and the updates that commit it. */
import { randomBytes, randomUUID } from 'node:crypto';
import { metadataFolder, SYSTEM_CLOCK } from '../catalogs/index.js';
import {
  currentSchema,
  currentSnapshot,
  type DataFile,
  findSnapshot,
  inheritRowIds,
  MAIN_BRANCH,
  type ManifestFile,
  type Snapshot,
  type TableMetadata,
  type TableUpdate,
  writeManifestList,
} from '../iceberg/index.js';
import { mapConcurrently } from '../storage/index.js';
import { ANCESTRY, ancestryText } from './ancestry.js';
import { type CommitOptions, type PreparedCommit } from './commit.js';
import {
  createManifestList,
  mayHaveLiveFiles,
  readManifestEntries,
  readSnapshotManifests,
  rememberManifest,
} from './manifest-files.js';
import { mergeManifests } from './manifest-merge.js';
import {
  assigned,
  type DataSequenceNumber,
  type PendingSnapshot,
  rememberFor,
  writtenVersion,
} from './manifest-writer.js';
import { removeDeletes, writeDeleteManifests } from './remove-deletes.js';
import { type FileRemoval, removeFiles } from './remove-files.js';
import { RECENT_RUNS, RUN_KEY, recentRunsWith } from './run-marker.js';
import { type SnapshotOperation } from './snapshot-changes.js';
import { type FileChanges, snapshotSummary } from './snapshot-summary.js';
import { type Table } from './table.js';

/** Changes of a snapshot. */
export interface SnapshotContent {
  /** Told by the changes unless given. */
  readonly operation?: SnapshotOperation;
  /** Staged manifests of new data files. */
  readonly added: readonly ManifestFile[];
  /** The data sequence numbers that the entries of `added` hold, as {@link withSequenceNumbers} wrote them; left out, they get the snapshot's. */
  readonly dataSequenceNumber?: DataSequenceNumber | undefined;
  /** New delete files and vectors. */
  readonly addedDeletes?: readonly DataFile[];
  readonly removal?: FileRemoval;
  /** Delete files and vectors that go. */
  readonly removedDeletes?: readonly DataFile[];
  /** Whether delete files that reach no data file afterwards go, too. Vectors of removed data files always do. */
  readonly dropDanglingDeletes?: boolean;
  /** Chooses what is written into one manifest; usually there have to be many small ones. */
  readonly merge?: typeof mergeManifests;
}

interface Manifests {
  readonly listed: readonly ManifestFile[];
  readonly created: readonly ManifestFile[];
  readonly changes: FileChanges;
}

/** A random positive 63-bit id that no snapshot of the table has. */
function newSnapshotId(metadata: TableMetadata): bigint {
  for (;;) {
    const id = randomBytes(8).readBigUInt64BE() >> 1n;
    if (id !== 0n && findSnapshot(metadata, id) === undefined) return id;
  }
}

/** Staged manifests as the pending snapshot lists them; remembered, so that nobody needs to read them again. */
async function listStaged(base: Table, content: SnapshotContent, pending: PendingSnapshot) {
  const { snapshotId, sequenceNumber } = pending;
  return mapConcurrently(content.added, async (manifest) => {
    const entries = await readManifestEntries(base.io, base.metadata, manifest);
    const staged = entries.map((entry) => ({
      ...entry,
      sequenceNumber: content.dataSequenceNumber?.(entry.dataFile) ?? null,
    }));
    const minSequenceNumber = staged.reduce((least, entry) => {
      const number = entry.sequenceNumber ?? sequenceNumber;
      return number < least ? number : least;
    }, sequenceNumber);
    const listed: ManifestFile = { ...manifest, addedSnapshotId: snapshotId, sequenceNumber, minSequenceNumber };
    await rememberFor(pending, base, listed, assigned(staged, pending));
    return { listed, files: entries.map((entry) => entry.dataFile) };
  });
}

/** v1 lists may lack counts, which v2 lists need. */
async function withCounts(base: Table, manifest: ManifestFile): Promise<ManifestFile> {
  if (
    manifest.addedRowsCount !== undefined &&
    manifest.existingRowsCount !== undefined &&
    manifest.deletedRowsCount !== undefined &&
    manifest.addedFilesCount !== undefined
  )
    return manifest;
  const entries = await readManifestEntries(base.io, base.metadata, manifest);
  const count = (status: string) => entries.filter((entry) => entry.status === status);
  const rows = (status: string) => count(status).reduce((sum, entry) => sum + entry.dataFile.recordCount, 0n);
  return {
    ...manifest,
    addedFilesCount: count('added').length,
    existingFilesCount: count('existing').length,
    deletedFilesCount: count('deleted').length,
    addedRowsCount: rows('added'),
    existingRowsCount: rows('existing'),
    deletedRowsCount: rows('deleted'),
  };
}

async function buildManifests(base: Table, content: SnapshotContent, pending: PendingSnapshot): Promise<Manifests> {
  const parent = await readSnapshotManifests(base.io, currentSnapshot(base.metadata));
  const live = await mapConcurrently(parent.filter(mayHaveLiveFiles), (manifest) => withCounts(base, manifest));
  const ofContent = (wanted: ManifestFile['content']) => live.filter((manifest) => manifest.content === wanted);
  const staged = await listStaged(base, content, pending);
  const added = staged.map(({ listed }) => listed);
  const data =
    content.removal === undefined
      ? { manifests: ofContent('data'), created: [], removed: [] as readonly DataFile[] }
      : await removeFiles(base, ofContent('data'), content.removal, pending);
  const liveData = [...added, ...data.manifests];
  const deletes = await removeDeletes(base, ofContent('deletes'), content, { ...data, manifests: liveData }, pending);
  const addedDeletes = await writeDeleteManifests(base, content.addedDeletes ?? [], pending);
  const all = [...liveData, ...addedDeletes, ...deletes.manifests];
  const merged = await (content.merge ?? mergeManifests)(base, all, pending);
  return {
    listed: merged.manifests,
    created: [...data.created, ...deletes.created, ...addedDeletes, ...merged.created],
    changes: {
      added: [...staged.flatMap(({ files }) => files), ...(content.addedDeletes ?? [])],
      removed: [...data.removed, ...deletes.removed],
    },
  };
}

function operationOf({ operation, removal }: SnapshotContent, { added, removed }: FileChanges): SnapshotOperation {
  if (operation !== undefined) return operation;
  const addsData = added.some(({ content }) => content === 'data');
  if (removal === undefined && removed.length === 0 && added.every(({ content }) => content === 'data'))
    return 'append';
  return !addsData && (added.length > 0 || removed.some(({ content }) => content === 'data')) ? 'delete' : 'overwrite';
}

function updatesFor(metadata: TableMetadata, snapshot: Snapshot, options: CommitOptions): readonly TableUpdate[] {
  const { snapshotId } = snapshot;
  const properties = new Map(options.properties?.(metadata, snapshotId));
  if (options.run !== undefined) properties.set(RECENT_RUNS, recentRunsWith(metadata, options.run, snapshotId));
  const main = metadata.refs.get(MAIN_BRANCH);
  return [
    { action: 'add-snapshot', snapshot },
    { action: 'set-snapshot-ref', refName: MAIN_BRANCH, ref: { type: 'branch', ...main, snapshotId } },
    ...(properties.size === 0 ? [] : [{ action: 'set-properties' as const, updates: properties }]),
  ];
}

/** Prepares one attempt to commit a snapshot on a base. Writes its manifest list and the manifests it needs. */
export async function prepareSnapshot(
  base: Table,
  content: SnapshotContent,
  options: CommitOptions,
): Promise<PreparedCommit> {
  const { io, metadata } = base;
  const parent = currentSnapshot(metadata);
  const pending: PendingSnapshot = {
    snapshotId: newSnapshotId(metadata),
    sequenceNumber: metadata.lastSequenceNumber + 1n,
    entries: new Map(),
  };
  const { snapshotId, sequenceNumber } = pending;
  const { listed: unassigned, created, changes } = await buildManifests(base, content, pending);
  const { manifests: listed, ...rowIds } = await assignRowIds(base, unassigned, pending);
  const manifestList = `${metadataFolder(metadata)}/snap-${snapshotId}-${randomUUID()}.avro`;
  const parentSnapshotId = parent?.snapshotId ?? null;
  const formatVersion = writtenVersion(metadata);
  await createManifestList(
    io,
    manifestList,
    writeManifestList({ formatVersion, snapshotId, sequenceNumber, parentSnapshotId, manifests: listed }),
    listed,
  );
  const schema = currentSchema(metadata);
  const summary = snapshotSummary(operationOf(content, changes), changes, parent, metadata.partitionSpecs, schema);
  const nowMs = BigInt((base.catalog?.clock ?? SYSTEM_CLOCK).nowMs());
  const snapshot: Snapshot = {
    snapshotId,
    sequenceNumber,
    ...(parent === null ? {} : { parentSnapshotId: parent.snapshotId }),
    // Snapshots keep their order though clocks differ.
    timestampMs: nowMs > metadata.lastUpdatedMs ? nowMs : metadata.lastUpdatedMs,
    manifestList,
    summary: new Map([
      ...((typeof options.summary === 'function' ? options.summary(metadata, snapshotId) : options.summary) ?? []),
      ...(options.run === undefined ? [] : [[RUN_KEY, options.run.key] as const]),
      [ANCESTRY, ancestryText(metadata, sequenceNumber)] as const,
      ...summary,
    ]),
    schemaId: schema.schemaId,
    ...rowIds,
  };
  return {
    snapshotId,
    request: {
      requirements: [
        { type: 'assert-table-uuid', uuid: metadata.tableUuid },
        { type: 'assert-ref-snapshot-id', ref: MAIN_BRANCH, snapshotId: parentSnapshotId },
        ...(options.requiresSchema === true
          ? [{ type: 'assert-current-schema-id' as const, currentSchemaId: metadata.currentSchemaId }]
          : []),
      ],
      updates: updatesFor(metadata, snapshot, options),
    },
    manifestCount: listed.length,
    ownFiles: [manifestList, ...created.map((manifest) => manifest.manifestPath)],
  };
}

/** The manifests with their first row ids, and what the snapshot says of them. Version 2 has none. */
export interface AssignedRowIds {
  readonly manifests: readonly ManifestFile[];
  readonly firstRowId?: bigint;
  /** How many ids were set aside: all rows of the manifests that had no first row id. */
  readonly addedRows?: bigint;
}

/**
 * Gives a first row id to each data manifest that has none, in their order, from the table's next row id on. Manifests from before
 * the table's upgrade get theirs here, too.
 */
export async function assignRowIds(
  { io, metadata }: Table,
  manifests: readonly ManifestFile[],
  { entries }: PendingSnapshot,
): Promise<AssignedRowIds> {
  if (metadata.formatVersion !== 3) return { manifests };
  const firstRowId = metadata.nextRowId ?? 0n;
  let next = firstRowId;
  const assigned = manifests.map((manifest): ManifestFile => {
    if (manifest.content === 'deletes' || manifest.firstRowId !== undefined) return manifest;
    const first = next;
    next += (manifest.addedRowsCount ?? 0n) + (manifest.existingRowsCount ?? 0n);
    return { ...manifest, firstRowId: first };
  });
  await mapConcurrently(assigned, async (manifest) => {
    const written = entries?.get(manifest.manifestPath);
    if (written === undefined || manifest.content === 'deletes') return;
    rememberManifest(io, metadata, manifest, inheritRowIds(written, manifest.firstRowId));
  });
  return { manifests: assigned, firstRowId, addedRows: next - firstRowId };
}
