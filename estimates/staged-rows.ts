/** Rows that the parts of a run stage for its shards: each is written once, in a file for each part and shard, and read once. Pure. */
import { requestsFor } from '../scans/index.js';

/** What the parts of one source stage. */
export interface StagedRows {
  /** Activities that stage. */
  readonly parts: number;
  readonly rows: number;
  /** Rows × columns. */
  readonly cells: number;
  readonly files: number;
  /** Of the rows as their source has them. */
  readonly sourceBytes: number;
}

/** Rows of one source. */
export interface RowsToSplit {
  readonly parts: number;
  readonly shards: number;
  /** Rows of all parts together. */
  readonly rows: number;
  readonly columns: number;
  /** Bytes of a row, as its source has it. */
  readonly rowBytes: number;
}

/** Sources without parts have none. */
export function stagedRowsOf({ parts, shards, rows, columns, rowBytes }: RowsToSplit): readonly StagedRows[] {
  if (parts === 0) return [];
  const files = parts * Math.min(shards, rows / parts);
  return [{ parts, rows, cells: rows * columns, files, sourceBytes: rows * rowBytes }];
}

/** One figure of all sources together. */
export function sumOfStaged(staged: readonly StagedRows[], of: keyof StagedRows): number {
  return staged.reduce((sum, source) => sum + source[of], 0);
}

/** Reading whole files of equal size: their ends first, then what is before. @param endBytes of a file's end that are fetched */
export function readsOfStagedFiles(
  files: number,
  bytes: number,
  endBytes: number,
): { readonly readBytes: number; readonly requests: number } {
  if (files === 0) return { readBytes: 0, requests: 0 };
  const fileBytes = bytes / files;
  if (fileBytes <= endBytes) return { readBytes: bytes, requests: files };
  const ranges = requestsFor([{ offset: 0, length: fileBytes }]).length;
  return { readBytes: bytes + files * endBytes, requests: files * (1 + ranges) };
}
