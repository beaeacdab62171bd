/** Every file that a table reaches: from its metadata through its snapshots, manifest lists and manifests. */
import {
  isJsonArray,
  isJsonObject,
  type JsonValue,
  type ManifestFile,
  type Snapshot,
  type TableMetadata,
} from '../../iceberg/index.js';
import { idempotencyFiles, readManifestEntries, readSnapshotManifests, type Table } from '../../tables/index.js';

/** A file and why the table has it. */
export interface TableFile {
  readonly location: string;
  /** For people; the same text for the files of one manifest. */
  readonly reason: string;
}

/** Manifest lists and manifests that are read at once. */
const CONCURRENCY = 16;

/**
 * The files of snapshots: live data and delete files, then manifests, then manifest lists. A manifest is read once, whatever
 * number of snapshots lists it; its files are said to be of the first that does.
 * @param onUnreadable told of a manifest or list that cannot be read, whose files are then left out; without it, that is an error
 * @param why added to the reason, for each snapshot
 * @throws MoraineError `MANIFEST_CORRUPT`, `FILE_NOT_FOUND`, naming the file
 */
export async function* filesOfSnapshots(
  table: Table,
  snapshots: Iterable<Snapshot>,
  onUnreadable?: (location: string, error: unknown) => void,
  why: (snapshotId: bigint) => string = () => '',
): AsyncGenerator<TableFile> {
  const { io } = table;
  const seen = new Set<string>();
  const named = (snapshotId: bigint): string => `snapshot ${snapshotId}${why(snapshotId)}`;
  for (const batch of batches(snapshots)) {
    const lists = await Promise.all(
      batch.map((snapshot) =>
        readOr(() => readSnapshotManifests(io, snapshot, 'once'), snapshot.manifestList ?? 'manifests', onUnreadable),
      ),
    );
    const fresh: ListedManifest[] = [];
    for (const [index, manifests] of lists.entries()) {
      for (const manifest of manifests ?? []) {
        if (seen.has(manifest.manifestPath)) continue;
        seen.add(manifest.manifestPath);
        fresh.push({ manifest, of: named(batch[index]?.snapshotId ?? 0n) });
      }
    }
    for (const some of batches(fresh)) yield* filesOfManifests(table, some, onUnreadable);
    for (const [index, snapshot] of batch.entries()) {
      if (snapshot.manifestList === undefined || lists[index] === undefined) continue;
      yield { location: snapshot.manifestList, reason: `manifest list of ${named(snapshot.snapshotId)}` };
    }
  }
}

interface ListedManifest {
  readonly manifest: ManifestFile;
  /** The snapshot that lists it, for people. */
  readonly of: string;
}

async function* filesOfManifests(
  table: Table,
  manifests: readonly ListedManifest[],
  onUnreadable: ((location: string, error: unknown) => void) | undefined,
): AsyncGenerator<TableFile> {
  const read = await Promise.all(
    manifests.map(({ manifest }) =>
      readOr(
        () => readManifestEntries(table.io, table.metadata, manifest, 'once'),
        manifest.manifestPath,
        onUnreadable,
      ),
    ),
  );
  for (const [index, entries] of read.entries()) {
    const listed = manifests[index];
    if (listed === undefined || entries === undefined) continue;
    const { manifest, of } = listed;
    const content = manifest.content === 'data' ? 'data file' : 'delete file';
    const reason = `live ${content} of ${of}`;
    for (const { status, dataFile } of entries) {
      if (status !== 'deleted') yield { location: dataFile.filePath, reason };
    }
    yield { location: manifest.manifestPath, reason: `manifest of ${of}` };
  }
}

/**
 * The files that metadata names besides its snapshots' own: metadata files, statistics and idempotency keys.
 * @param expired snapshots whose statistics do not count
 * @param dropped metadata files that are taken to have left the log
 */
export function* filesOfMetadata(
  { metadata, metadataLocation }: Table,
  expired: ReadonlySet<bigint> = new Set(),
  dropped: ReadonlySet<string> = new Set(),
): Generator<TableFile> {
  yield { location: metadataLocation, reason: 'the current metadata file' };
  for (const { metadataFile } of metadata.metadataLog) {
    if (!dropped.has(metadataFile)) yield { location: metadataFile, reason: 'a metadata file of the metadata log' };
  }
  for (const file of statisticsFiles(metadata)) if (!expired.has(file.snapshotId)) yield file;
  for (const { location } of idempotencyFiles(metadata)) yield { location, reason: 'idempotency keys of commits' };
}

/** Statistics and partition statistics files, with the snapshot each is of. */
export function* statisticsFiles(metadata: TableMetadata): Generator<TableFile & { readonly snapshotId: bigint }> {
  for (const member of ['statistics', 'partition-statistics']) {
    const list = metadata.otherFields.get(member) as JsonValue | undefined;
    if (list === undefined || !isJsonArray(list)) continue;
    for (const each of list) {
      const path = isJsonObject(each) ? each['statistics-path'] : undefined;
      if (typeof path !== 'string') continue;
      const id = isJsonObject(each) ? each['snapshot-id'] : undefined;
      const snapshotId = typeof id === 'number' || typeof id === 'bigint' ? BigInt(id) : -1n;
      yield { location: path, reason: `statistics of snapshot ${snapshotId}`, snapshotId };
    }
  }
}

/** Every file of a table. @throws as {@link filesOfSnapshots} */
export async function* filesOfTable(table: Table): AsyncGenerator<TableFile> {
  yield* filesOfMetadata(table);
  yield* filesOfSnapshots(table, table.metadata.snapshots);
}

async function readOr<T>(
  read: () => Promise<T>,
  location: string,
  onUnreadable: ((location: string, error: unknown) => void) | undefined,
): Promise<T | undefined> {
  if (onUnreadable === undefined) return read();
  try {
    return await read();
  } catch (error) {
    onUnreadable(location, error);
    return undefined;
  }
}

function* batches<T>(items: Iterable<T>): Generator<readonly T[]> {
  let batch: T[] = [];
  for (const item of items) {
    batch.push(item);
    if (batch.length < CONCURRENCY) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
