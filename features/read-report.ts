/** Report of a scan: files read, and how. */
import type { OpenedScan } from '../scans/index.js';
import type { ScanPlan, ScanStats } from '../tables/index.js';

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
  return report(stats, { files: scan.files.length, rows, hasDeletes: scan.deletes !== undefined });
}

/** The counts of a scan whose files another engine opens. */
export function reportOf({ files, stats }: ScanPlan): ReadReport {
  return report(stats, {
    files: files.length,
    rows: files.reduce((sum, { file }) => sum + Number(file.recordCount), 0),
    hasDeletes: files.some(({ deletes }) => deletes !== undefined),
  });
}

function report(
  stats: ScanStats,
  { files, rows, hasDeletes }: { readonly files: number; readonly rows: number; readonly hasDeletes: boolean },
): ReadReport {
  const { deletes } = stats;
  return {
    readPath: hasDeletes ? 'with deletes' : 'in place',
    files,
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
