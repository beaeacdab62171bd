/** The newest metadata file among those that a table has had. */
import type { TableMetadata } from '../../iceberg/index.js';

/** A row of `$metadata_log_entries`. */
export interface LogEntry {
  readonly file: string;
  readonly timeMs: bigint;
  readonly sequenceNumber: bigint;
}

/** At most so many files are read. */
const MAX_READ = 5;

const descending = (a: bigint, b: bigint): number => (a < b ? 1 : a > b ? -1 : 0);

/**
 * The entry that the table is at now. Times may be equal, or go back where clocks of writers differ: the newest file is the one whose own
 * log names all others.
 * @param entries a table's log with the present file
 */
export async function newestOfLog(
  entries: readonly LogEntry[],
  read: (file: string) => Promise<TableMetadata>,
): Promise<{ readonly metadataLocation: string; readonly metadata: TableMetadata } | undefined> {
  const later = [...entries].sort(
    (a, b) => descending(a.timeMs, b.timeMs) || descending(a.sequenceNumber, b.sequenceNumber),
  );
  for (const { file } of later.slice(0, MAX_READ)) {
    const metadata = await read(file);
    const known = new Set([file, ...metadata.metadataLog.map(({ metadataFile }) => metadataFile)]);
    if (entries.every((entry) => known.has(entry.file))) return { metadataLocation: file, metadata };
  }
  return undefined;
}
