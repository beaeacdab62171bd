/** The log of previous metadata files, and the deletion of those that fall out of it. */
import { dirname } from 'node:path';
import { type TableMetadata, withMetadataLogEntry } from '../iceberg/index.js';
import { comparableLocation } from '../locations/index.js';
import { type FileIO } from '../storage/index.js';
import { afterOutcome } from './after-outcome.js';
import type { LoadedTable } from './catalog.js';
import { isMetadataFile, metadataFolder } from './location-names.js';
import { readTableMetadata } from './metadata-file.js';

const DEFAULT_PREVIOUS_VERSIONS_MAX = 100;
/** A commit ends after at most this many deletions; the orphan sweep removes the other files. */
const MAX_DELETED_PER_COMMIT = 1000;
/** Metadata files that are looked at, and deleted, at once. */
const CONCURRENCY = 16;

function previousVersionsMax(metadata: TableMetadata): number {
  const value = Number(metadata.properties.get('write.metadata.previous-versions-max'));
  return Number.isInteger(value) && value >= 1 ? value : DEFAULT_PREVIOUS_VERSIONS_MAX;
}

/** Appends the file that is being replaced to the log, bounded by `write.metadata.previous-versions-max` (100). */
export function withMetadataLog(metadata: TableMetadata, base: LoadedTable): TableMetadata {
  const updatedMs = base.metadata.lastUpdatedMs;
  return withMetadataLogEntry(metadata, base.metadataLocation, previousVersionsMax(metadata), updatedMs);
}

/**
 * Deletes metadata files that a commit dropped from the log, at most 1,000 of them, if
 * `write.metadata.delete-after-commit.enabled` is true. Only metadata of this very table goes, that lies in its metadata folder and that no
 * table is at: a log may name any file. What cannot be deleted is left as an orphan.
 * @param inUse the metadata files that tables are at
 */
export async function deleteExpiredMetadata(
  io: FileIO,
  base: TableMetadata,
  current: TableMetadata,
  inUse: () => Promise<readonly string[]>,
): Promise<void> {
  if (current.properties.get('write.metadata.delete-after-commit.enabled') !== 'true') return;
  const kept = new Set(current.metadataLog.map((entry) => comparableLocation(entry.metadataFile)));
  const dropped = base.metadataLog
    .map((entry) => comparableLocation(entry.metadataFile))
    .filter((location) => !kept.has(location))
    .slice(0, MAX_DELETED_PER_COMMIT);
  if (dropped.length === 0) return;
  const used = new Set((await inUse()).map(comparableLocation));
  const folder = await io.canonical(metadataFolder(current));
  const deleteIfOwn = async (location: string): Promise<void> => {
    if (used.has(location) || !isMetadataFile(location) || dirname(await io.canonical(location)) !== folder) return;
    if ((await readTableMetadata(io, location)).tableUuid === current.tableUuid) await io.delete(location);
  };
  for (let first = 0; first < dropped.length; first += CONCURRENCY) {
    const some = dropped.slice(first, first + CONCURRENCY);
    await afterOutcome(...some.map((location) => () => deleteIfOwn(location)));
  }
}
