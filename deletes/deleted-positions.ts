/** Rows to delete, and what writing them as delete files gives. */
import { type Connection, readDeletedPositions } from '../engine/index.js';
import { currentSnapshot, type DataFile, type FileDeletes, nameMapping, referencedDataFile } from '../iceberg/index.js';
import { comparableLocation } from '../locations/index.js';
import { openablePath } from '../scans/index.js';
import { deletesOfFiles, type Table } from '../tables/index.js';

/** Rows of one data file, by their positions from 0, in any order. */
export interface DeletedPositions {
  readonly dataFile: DataFile;
  readonly positions: Iterable<bigint>;
  /** A statement that gives them, each once, on the connection that they are written by: then they need not be written into one. */
  readonly sql?: string;
}

/** The positions of all lists in order, each once. Sets have room for 2^24 of them, and data files have more rows. */
export function distinctPositions(...lists: readonly Iterable<bigint>[]): BigUint64Array {
  let all = new BigUint64Array(1024);
  let length = 0;
  for (const list of lists) {
    for (const position of list) {
      if (length === all.length) {
        const longer = new BigUint64Array(2 * length);
        longer.set(all);
        all = longer;
      }
      all[length++] = position;
    }
  }
  const sorted = all.subarray(0, length).sort();
  let count = 0;
  for (const position of sorted) {
    if (count > 0 && sorted[count - 1] === position) continue;
    sorted[count++] = position;
  }
  return sorted.subarray(0, count);
}

/** Delete files on storage that no snapshot lists yet. */
export interface WrittenDeletes {
  readonly files: readonly DataFile[];
  /** Live delete files whose positions are in the new ones: they have to go in the same commit. */
  readonly replaced: readonly DataFile[];
}

/** Positions already deleted from data files of the table. */
export interface KnownDeletes {
  /** By the data file's location; only those that have any. */
  readonly positions: ReadonlyMap<string, readonly bigint[]>;
  /** The vectors, and the position-delete files that are about one of these data files alone. */
  readonly files: readonly DataFile[];
}

/** Reads the deleted positions that data files have in the table's current snapshot. Files that it does not list have none. */
export async function knownDeletes(
  table: Table,
  connection: Connection,
  dataFiles: readonly DataFile[],
): Promise<KnownDeletes> {
  const { io, metadata } = table;
  const snapshot = currentSnapshot(metadata);
  if (snapshot === null || dataFiles.length === 0) return { positions: new Map(), files: [] };
  const locations = dataFiles.map(({ filePath }) => filePath);
  const found = [...(await deletesOfFiles(table, snapshot, locations)).values()];
  const positions = await readDeletedPositions(connection, {
    files: found.map(({ dataFile: file, ...of }) => ({ ...of, file, path: file.filePath })),
    schemas: metadata.schemas,
    nameMapping: nameMapping(metadata),
    resolve: (location) => openablePath(connection, io, location),
    normalize: comparableLocation,
  });
  return { positions, files: found.flatMap(({ deletes }) => ofOneFile(deletes)) };
}

function ofOneFile({ vector, positions }: FileDeletes): readonly DataFile[] {
  const all = [...(vector === undefined ? [] : [vector]), ...positions].map(({ file }) => file);
  return all.filter((file) => referencedDataFile(file) !== undefined);
}
