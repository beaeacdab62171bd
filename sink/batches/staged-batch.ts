/** Batches whose files are written and that no snapshot lists yet, and the form in which hosts keep them. */
import { MoraineError } from '../../errors/index.js';
import type { DataFile, ManifestFile } from '../../iceberg/index.js';
import type { BatchRange } from '../protocol/batch-ranges.js';
import type { RejectedRecord } from '../sink-records.js';

/** A staged batch. */
export interface StagedBatch {
  /** Names the batch in the snapshot that commits it. */
  readonly id: string;
  readonly ranges: readonly BatchRange[];
  /** Lists the batch's files; null: it has none. */
  readonly manifest: ManifestFile | null;
  readonly rows: bigint;
  /** Those that this process has found. */
  readonly rejected: readonly RejectedRecord[];
  /** Known to the process that wrote them, which may delete them. */
  readonly files: readonly DataFile[];
}

/** What `snapshot` gives and `commit` and `restore` take: JSON. */
export interface SinkSnapshot {
  readonly version: 1;
  readonly sink: string;
  readonly tableUuid: string;
  readonly epoch: string;
  readonly batches: readonly SnapshotBatch[];
}

/** A staged batch in JSON. */
export interface SnapshotBatch {
  readonly id: string;
  /** Location of its manifest. */
  readonly manifest: string | null;
  readonly rows: string;
  readonly ranges: readonly { partition: string; from: string; to: string; isFirst: boolean }[];
}

export function batchToJson({ id, manifest, rows, ranges }: StagedBatch): SnapshotBatch {
  return {
    id,
    manifest: manifest?.manifestPath ?? null,
    rows: rows.toString(),
    ranges: ranges.map(({ partition, from, to, isFirst }) => {
      return { partition, from: from.toString(), to: to.toString(), isFirst };
    }),
  };
}

export function rangesFromJson({ ranges }: SnapshotBatch): readonly BatchRange[] {
  return ranges.map(({ partition, from, to, isFirst }) => {
    return { partition, from: BigInt(from), to: BigInt(to), isFirst };
  });
}

/** @throws MoraineError `INVALID_ARGUMENT` for the state of another sink or table */
export function requireOwnSnapshot(state: SinkSnapshot, sink: string, tableUuid: string): void {
  if (state.version !== 1)
    throw new MoraineError('INVALID_ARGUMENT', `The sink state has the unknown version ${String(state.version)}.`);
  if (state.sink === sink && state.tableUuid === tableUuid) return;
  const message = `The state is of sink ${JSON.stringify(state.sink)} and table ${state.tableUuid}, not of ${JSON.stringify(sink)} and ${tableUuid}.`;
  throw new MoraineError('INVALID_ARGUMENT', message);
}
