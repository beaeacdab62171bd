/** What reading columns of data files takes, from what manifests say of the files: bytes and requests as a scan of a store makes them. */
import { childFields, type DataFile, type NestedField, type Schema } from '../iceberg/index.js';
import { requestsFor } from '../scans/index.js';

/** What one pass over data files takes of a store. */
export interface FileReads {
  readonly files: number;
  readonly rows: number;
  /** Whole files: what an engine is chosen by. */
  readonly fileBytes: number;
  /** Chunks of the columns that are read, and the ends of the files. */
  readonly readBytes: number;
  readonly requests: number;
  readonly deleteFiles: number;
  readonly deleteBytes: number;
}

export const NO_READS: FileReads = {
  files: 0,
  rows: 0,
  fileBytes: 0,
  readBytes: 0,
  requests: 0,
  deleteFiles: 0,
  deleteBytes: 0,
};

/** Rows of a row group where the file does not say how many it has: what DuckDB writes. */
const ROW_GROUP_ROWS = 122_880;

/** What is read of files. */
export interface ColumnRead {
  readonly schema: Schema;
  /** Field ids of the top-level columns that are read. */
  readonly columns: ReadonlySet<number>;
  /** Bytes of a file's end that are fetched first. */
  readonly endBytes: number;
}

/** The sums of two passes. */
export function addReads(a: FileReads, b: FileReads): FileReads {
  const sum = (key: keyof FileReads): number => a[key] + b[key];
  return {
    files: sum('files'),
    rows: sum('rows'),
    fileBytes: sum('fileBytes'),
    readBytes: sum('readBytes'),
    requests: sum('requests'),
    deleteFiles: sum('deleteFiles'),
    deleteBytes: sum('deleteBytes'),
  };
}

/**
 * One pass over files. A file whose manifest has no sizes of columns counts whole.
 */
export function readsOfFiles(files: readonly DataFile[], read: ColumnRead): FileReads {
  return files.reduce((sum, file) => addReads(sum, readsOfFile(file, read)), NO_READS);
}

function readsOfFile(file: DataFile, { schema, columns, endBytes }: ColumnRead): FileReads {
  const sizeBytes = Number(file.fileSizeInBytes);
  const rows = Number(file.recordCount);
  const counted = { ...NO_READS, files: 1, rows, fileBytes: sizeBytes };
  if (file.fileFormat === 'PARQUET' && sizeBytes <= endBytes) {
    return { ...counted, readBytes: sizeBytes, requests: 1 };
  }
  const { columnSizes } = file;
  if (file.fileFormat !== 'PARQUET' || columnSizes === undefined || columnSizes.size === 0) {
    return { ...counted, readBytes: sizeBytes, requests: 1 + requestsFor([{ offset: 0, length: sizeBytes }]).length };
  }
  const rowGroups = Math.max(1, file.splitOffsets?.length ?? Math.ceil(rows / ROW_GROUP_ROWS));
  const ranges: { offset: number; length: number }[] = [];
  let offset = 4;
  for (let rowGroup = 0; rowGroup < rowGroups; rowGroup += 1) {
    for (const field of schema.fields) {
      const length = Math.round(bytesOfField(field, columnSizes) / rowGroups);
      if (columns.has(field.id) && length > 0) ranges.push({ offset, length });
      offset += length;
    }
  }
  const requests = requestsFor(ranges);
  const chunks = requests.reduce((sum, { length }) => sum + length, 0);
  return { ...counted, readBytes: chunks + endBytes, requests: 1 + requests.length };
}

/** Bytes of a column with all that is nested in it. */
function bytesOfField(field: NestedField, sizes: ReadonlyMap<number, bigint>): number {
  const own = Number(sizes.get(field.id) ?? 0n);
  return childFields(field.type).reduce((sum, child) => sum + bytesOfField(child, sizes), own);
}

/** Average bytes of some columns in one row of files; what a file without sizes of columns has counts by the share of its columns. */
export function bytesPerRow(files: readonly DataFile[], schema: Schema, columns: ReadonlySet<number>): number {
  const fields = schema.fields.filter(({ id }) => columns.has(id));
  const share = fields.length / Math.max(1, schema.fields.length);
  let [bytes, rows] = [0, 0];
  for (const { columnSizes, fileSizeInBytes, recordCount } of files) {
    rows += Number(recordCount);
    if (columnSizes === undefined || columnSizes.size === 0) bytes += Number(fileSizeInBytes) * share;
    else bytes += fields.reduce((sum, field) => sum + bytesOfField(field, columnSizes), 0);
  }
  return rows === 0 ? 0 : bytes / rows;
}
