/** The size of new files. */
import type { DataFile } from '../iceberg/index.js';

export interface SizeOfFiles {
  readonly rows: bigint;
  readonly files: number;
  readonly bytes: bigint;
}

/** Adds up staged files. */
export function sizeOfFiles(files: readonly DataFile[]): SizeOfFiles {
  return {
    rows: files.reduce((sum, { recordCount }) => sum + recordCount, 0n),
    files: files.length,
    bytes: files.reduce((sum, { fileSizeInBytes }) => sum + fileSizeInBytes, 0n),
  };
}
