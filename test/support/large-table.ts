/** A table of many snapshots and files, made from its metadata: nobody reads its data files, which are empty. */
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import type { Catalog } from '../../catalogs/index.js';
import {
  currentSchema,
  type DataFile,
  type ManifestEntry,
  type ManifestFile,
  manifestFileOf,
  type Snapshot,
  type TableMetadata,
  tableMetadataToJson,
  UNPARTITIONED,
  writeManifest,
  writeManifestList,
} from '../../iceberg/index.js';
import type { Table } from '../../tables/index.js';

export interface LargeTable {
  readonly snapshots: number;
  /** Data files that each snapshot adds, in a manifest of its own. */
  readonly filesPerSnapshot: number;
  /** A snapshot has the manifests of so many: itself and those before it. */
  readonly manifestsPerSnapshot: number;
  /** Files that nothing reaches, a month old, beside the data files. */
  readonly orphans: number;
}

const MONTH_MS = 30 * 86_400_000;

/**
 * Makes a table in the folder of an empty one, and registers it under another name of the same namespace.
 * @param empty in a folder that no other table has
 */
export async function makeLargeTable(catalog: Catalog, empty: Table, name: string, size: LargeTable): Promise<void> {
  const { location } = empty.metadata;
  for (const folder of ['data', 'metadata']) mkdirSync(`${location}/${folder}`, { recursive: true });
  const month = new Date(Date.now() - MONTH_MS);
  for (let n = 0; n < size.orphans; n++) {
    const path = `${location}/data/orphan-${n}.parquet`;
    writeFileSync(path, '');
    utimesSync(path, month, month);
  }
  const metadataLocation = `${location}/metadata/00001-made.metadata.json`;
  writeFileSync(metadataLocation, tableMetadataToJson(withSnapshots(empty.metadata, size)));
  await catalog.registerTable({ ...empty.identifier, name }, metadataLocation);
}

function withSnapshots(metadata: TableMetadata, size: LargeTable): TableMetadata {
  const firstMs = BigInt(Date.now() - MONTH_MS);
  const recent: ManifestFile[] = [];
  const snapshots: Snapshot[] = [];
  for (let at = 1; at <= size.snapshots; at++) {
    const ids = { snapshotId: BigInt(at), sequenceNumber: BigInt(at) };
    recent.push(writeDataManifest(metadata, ids, size.filesPerSnapshot));
    if (recent.length > size.manifestsPerSnapshot) recent.shift();
    const parentSnapshotId = at === 1 ? null : BigInt(at - 1);
    const manifestList = `${metadata.location}/metadata/snap-${at}.avro`;
    writeFileSync(manifestList, writeManifestList({ formatVersion: 2, parentSnapshotId, manifests: recent, ...ids }));
    snapshots.push({
      ...ids,
      ...(parentSnapshotId === null ? {} : { parentSnapshotId }),
      timestampMs: firstMs + BigInt(at) * 1000n,
      manifestList,
      summary: new Map([['operation', 'append']]),
      schemaId: metadata.currentSchemaId,
    });
  }
  const currentSnapshotId = BigInt(size.snapshots);
  return {
    ...metadata,
    snapshots,
    currentSnapshotId,
    refs: new Map([['main', { type: 'branch', snapshotId: currentSnapshotId }]]),
    lastSequenceNumber: currentSnapshotId,
    lastUpdatedMs: snapshots.at(-1)?.timestampMs ?? 0n,
  };
}

function writeDataManifest(
  metadata: TableMetadata,
  ids: { readonly snapshotId: bigint; readonly sequenceNumber: bigint },
  count: number,
): ManifestFile {
  const schema = currentSchema(metadata);
  const inherited = { snapshotId: null, sequenceNumber: null, fileSequenceNumber: null };
  const entries = Array.from({ length: count }, (_, n): ManifestEntry => {
    const dataFile = emptyFile(`${metadata.location}/data/${ids.snapshotId}-${n}.parquet`);
    return { status: 'added', ...inherited, dataFile };
  });
  const bytes = writeManifest({ formatVersion: 2, content: 'data', schema, spec: UNPARTITIONED, entries });
  const manifestPath = `${metadata.location}/metadata/${ids.snapshotId}-m0.avro`;
  writeFileSync(manifestPath, bytes);
  const manifestLength = BigInt(bytes.length);
  return manifestFileOf({
    manifestPath,
    manifestLength,
    content: 'data',
    spec: UNPARTITIONED,
    schema,
    entries,
    ...ids,
  });
}

function emptyFile(filePath: string): DataFile {
  writeFileSync(filePath, '');
  return {
    content: 'data',
    filePath,
    fileFormat: 'PARQUET',
    specId: 0,
    partition: [],
    recordCount: 1n,
    fileSizeInBytes: 0n,
  };
}
