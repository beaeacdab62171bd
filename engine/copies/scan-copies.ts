/** Preparing a scan of files that DuckDB cannot read, or not exactly. */

import type { Connection } from '../connection.js';
import { copiedLayout, type FileLayout } from '../scan/file-layout.js';
import { cutFields } from '../scan/layout-projection.js';
import { readFields, type Scan, scanSql } from '../scan/scan.js';
import { readableCopy } from './convert-file.js';

/** Copies made at one time. */
const COPIES_AT_ONCE = 4;

/**
 * The scan with copies in place of the files that DuckDB cannot read (Avro, Parquet with Hadoop's LZ4), and of those whose zoned
 * nanoseconds it reads, wanted or only filtered by: DuckDB would cut them to microseconds. Other files are read where they are. The
 * copies lie in the engine's temporary folder until the connection is closed.
 * @throws FILE_NOT_FOUND, DATA_FILE_CORRUPT, UNSUPPORTED_FEATURE, STORAGE_UNAVAILABLE naming the file; CANCELLED
 */
export async function withReadableCopies<T extends Scan>(connection: Connection, scan: T): Promise<T> {
  const fields = readFields(scan);
  const isUnread = (layout: FileLayout): boolean =>
    layout.conversion !== undefined || cutFields(layout, fields, scan.nameMapping).length > 0;
  return { ...scan, ...(await copied(connection, scan, isUnread)) };
}

/** The relation of a scan, as `scanSql` makes it, of files and copies that DuckDB reads exactly; see {@link withReadableCopies}. */
export async function readableScanSql(connection: Connection, scan: Scan): Promise<string> {
  return scanSql(await withReadableCopies(connection, scan));
}

/**
 * The same for files alone, before it is known which columns are read: only those that DuckDB cannot read at all are copied.
 * The errors are those of {@link withReadableCopies}.
 */
export async function withConvertedCopies<T extends Pick<Scan, 'files' | 'layouts'>>(
  connection: Connection,
  files: T,
): Promise<T> {
  return { ...files, ...(await copied(connection, files, ({ conversion }) => conversion !== undefined)) };
}

async function copied(
  connection: Connection,
  scan: Pick<Scan, 'files' | 'layouts'>,
  isUnread: (layout: FileLayout) => boolean,
): Promise<Pick<Scan, 'layouts'>> {
  const unread = scan.files.flatMap(({ path }) => {
    const layout = scan.layouts?.get(path);
    return layout !== undefined && isUnread(layout) ? [{ path, layout }] : [];
  });
  if (unread.length === 0) return {};
  const layouts = new Map(scan.layouts);
  for (let start = 0; start < unread.length; start += COPIES_AT_ONCE) {
    connection.throwIfAborted();
    const some = unread.slice(start, start + COPIES_AT_ONCE).map(async ({ path, layout }) => {
      layouts.set(path, copiedLayout(layout, await readableCopy(connection, path, layout.conversion)));
    });
    await Promise.all(some);
  }
  return { layouts };
}
