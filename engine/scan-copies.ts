/** Preparing a scan of zoned nanoseconds. */
import type { Connection } from './connection.js';
import { unzonedLayout } from './file-layout.js';
import { cutFields } from './layout-projection.js';
import { readFields, type Scan } from './scan.js';

/** Copies made at one time. */
const COPIES_AT_ONCE = 4;

/**
 * The scan with copies in place of the files whose zoned nanoseconds it reads, wanted or only filtered by: DuckDB would cut them to
 * microseconds. Other files are read where they are. The copies lie in the engine's temporary folder until the connection is closed.
 * @throws FILE_NOT_FOUND, DATA_FILE_CORRUPT, STORAGE_UNAVAILABLE naming the file; CANCELLED
 */
export async function withReadableCopies<T extends Scan>(connection: Connection, scan: T): Promise<T> {
  const fields = readFields(scan);
  const layouts = new Map(scan.layouts);
  const cut = scan.files.flatMap(({ path }) => {
    const layout = layouts.get(path);
    return layout !== undefined && cutFields(layout, fields, scan.nameMapping).length > 0 ? [{ path, layout }] : [];
  });
  if (cut.length === 0) return scan;
  for (let start = 0; start < cut.length; start += COPIES_AT_ONCE) {
    connection.throwIfAborted();
    const some = cut.slice(start, start + COPIES_AT_ONCE).map(async ({ path, layout }) => {
      layouts.set(path, unzonedLayout(layout, await connection.copies.of(path)));
    });
    await Promise.all(some);
  }
  return { ...scan, layouts };
}
