/** Preparing a scan of files that are not on this machine, and of files that DuckDB cannot read, or not exactly. */

import { MoraineError } from '../../errors/index.js';
import type { NestedField } from '../../iceberg/index.js';
import type { Connection } from '../connection.js';
import type { FilePart } from '../parquet/part-of-file.js';
import { copiedLayout, type FileLayout } from '../scan/file-layout.js';
import { cheapestColumn, columnFinder, cutFields, withNumbered } from '../scan/layout-projection.js';
import { matchingRowGroups } from '../scan/row-groups.js';
import { lineageFields, type RemoteFile, readFields, type Scan, type ScanFile, scanSql } from '../scan/scan.js';
import { readableCopy } from './convert-file.js';

/** Copies made at one time. */
const COPIES_AT_ONCE = 4;

/** Files of which parts are fetched at one time. */
const FETCHED_AT_ONCE = 8;

/**
 * The scan with copies in place of the files that DuckDB cannot read (Avro, Parquet with Hadoop's LZ4), and of those whose zoned
 * nanoseconds it reads, wanted or only filtered by: DuckDB would cut them to microseconds. Of files that are not on this machine the
 * columns and row groups that are read are fetched. Other files are read where they are. The copies lie in the engine's temporary folder
 * until the connection is closed.
 * @throws FILE_NOT_FOUND, DATA_FILE_CORRUPT, UNSUPPORTED_FEATURE, STORAGE_UNAVAILABLE naming the file; CANCELLED
 */
export async function withReadableCopies<T extends Scan>(connection: Connection, scan: T): Promise<T> {
  const fields = readFields(scan);
  const isUnread = (layout: FileLayout): boolean =>
    layout.conversion !== undefined || cutFields(layout, fields, scan.nameMapping).length > 0;
  const fetched = { ...scan, ...(await fetchedParts(connection, scan)) };
  return { ...fetched, ...(await copied(connection, fetched, isUnread)) };
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

async function fetchedParts(connection: Connection, scan: Scan): Promise<Pick<Scan, 'layouts'>> {
  const remote = scan.files.flatMap((file) => (file.remote === undefined ? [] : [{ file, remote: file.remote }]));
  if (remote.length === 0) return {};
  const fields = readFields(scan);
  const layouts = new Map(scan.layouts);
  const waiting = remote.values();
  const lane = async (): Promise<void> => {
    for (const { file, remote } of waiting) {
      connection.throwIfAborted();
      const layout = scan.layouts?.get(file.path);
      if (layout === undefined) throw new MoraineError('INTERNAL', `The layout of ${file.path} was not read.`);
      layouts.set(file.path, {
        ...layout,
        readFrom: await remote.fetch(partOf(scan, fields, { file, remote, layout })),
      });
    }
  };
  await Promise.all(Array.from({ length: FETCHED_AT_ONCE }, lane));
  return { layouts };
}

/** The part of a file that a scan reads. Row groups are left out by the filter, unless positions are counted: those after them would change. */
function partOf(
  scan: Scan,
  fields: readonly NestedField[],
  { file, remote, layout }: { readonly file: ScanFile; readonly remote: RemoteFile; readonly layout: FileLayout },
): FilePart {
  const columnOf = columnFinder(layout, scan.nameMapping);
  const read = [...fields, ...lineageFields(scan, layout)].flatMap(({ id }) => columnOf(id) ?? []);
  const columns = withNumbered(layout, read.length === 0 ? [cheapestColumn(layout)] : read).sort((a, b) => a - b);
  const { rowNumber, rowId } = scan.extras ?? {};
  const countsRows =
    rowNumber !== undefined || rowId !== undefined || scan.deletes?.files.get(file.path)?.fileNumber !== undefined;
  const filter = countsRows ? undefined : scan.filter;
  return { columns, rowGroups: matchingRowGroups(remote.footer, filter, layout.columns, columnOf) };
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
      const source = layout.readFrom ?? path;
      layouts.set(path, copiedLayout(layout, await readableCopy(connection, source, layout.conversion)));
    });
    await Promise.all(some);
  }
  return { layouts };
}
