/** Report of a scan: files read, and how. */
import type { OpenedScan } from '../scans/index.js';

/** Counts of a planned and opened scan. */
export interface ReadReport {
  /** `in place`: every row of the files is live; `with deletes`: delete files or vectors apply to some of them. */
  readonly readPath: 'in place' | 'with deletes';
  readonly files: number;
  /** Files that their partition or statistics rule out. */
  readonly filesSkipped: number;
  readonly manifestsRead: number;
  readonly manifests: number;
  /** Bytes of the data files. */
  readonly bytes: bigint;
  /** Rows of the data files, deleted ones included. */
  readonly rows: number;
  readonly deletes: {
    readonly positionFiles: number;
    readonly vectors: number;
    readonly equalityFiles: number;
    readonly bytes: bigint;
  };
}

/** The counts of a scan. */
export function readReport({ scan, stats, rows }: OpenedScan): ReadReport {
  const { deletes } = stats;
  return {
    readPath: scan.deletes === undefined ? 'in place' : 'with deletes',
    files: scan.files.length,
    filesSkipped: stats.filesSkipped,
    manifestsRead: stats.manifestsRead + (deletes?.manifestsRead ?? 0),
    manifests: stats.manifestsTotal,
    bytes: stats.bytes,
    rows,
    deletes: {
      positionFiles: deletes?.positionDeleteFiles ?? 0,
      vectors: deletes?.deletionVectors ?? 0,
      equalityFiles: deletes?.equalityDeleteFiles ?? 0,
      bytes: deletes?.bytes ?? 0n,
    },
  };
}
