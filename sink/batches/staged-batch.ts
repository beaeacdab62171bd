/** Batches whose files are written and that no snapshot lists yet, and the form in which hosts keep them. */
import { MoraineError } from '../../errors/index.js';
import type { JsonValue, ManifestFile } from '../../iceberg/index.js';
import type { Location } from '../../locations/index.js';
import type { BatchRange } from '../protocol/batch-ranges.js';
import { type PendingWork, workFromJson, workToJson } from '../protocol/pending-work.js';
import type { RejectedRecord } from '../sink-records.js';

/** A staged batch. */
export interface StagedBatch {
  /** Names the batch in the snapshot that commits it. */
  readonly id: string;
  readonly ranges: readonly BatchRange[];
  /** Lists the batch's files; null: it has none. */
  readonly manifest: ManifestFile | null;
  /** The table's schema that its files were written by; null: it is not known. */
  readonly schemaId: number | null;
  /** Rows of its files. */
  readonly rows: bigint;
  /** Records that an upsert has left out since others of the batch have their key. */
  readonly superseded: bigint;
  /** Those that this process has found. */
  readonly rejected: readonly RejectedRecord[];
  /** What is left to do in other tables once it is committed. */
  readonly pending: readonly PendingWork[];
  /** Files of the batch, those for other tables included. Known to the process that wrote them, which may delete them. */
  readonly files: readonly Location[];
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
  /** The table's schema that its files were written by. */
  readonly schemaId?: number;
  readonly ranges: readonly {
    partition: string;
    from: string;
    to: string;
    isFirst: boolean;
    mark?: string | undefined;
  }[];
  /** Work in other tables. */
  readonly pending?: JsonValue;
}

export function batchToJson({ id, manifest, schemaId, rows, ranges, pending }: StagedBatch): SnapshotBatch {
  return {
    id,
    manifest: manifest?.manifestPath ?? null,
    rows: rows.toString(),
    ...(schemaId === null ? {} : { schemaId }),
    ranges: ranges.map(({ partition, from, to, isFirst, mark }) => {
      const marked = mark === undefined ? {} : { mark };
      return { partition, from: from.toString(), to: to.toString(), isFirst, ...marked };
    }),
    ...(pending.length === 0 ? {} : { pending: pending.map(workToJson) }),
  };
}

export function rangesFromJson({ ranges }: SnapshotBatch): readonly BatchRange[] {
  return ranges.map(({ partition, from, to, isFirst, mark }) => {
    return { partition, from: BigInt(from), to: BigInt(to), isFirst, mark };
  });
}

/** @throws MoraineError `INVALID_ARGUMENT` for work that is not understood */
export function pendingFromJson({ pending = [] }: SnapshotBatch): readonly PendingWork[] {
  const work = workFromJson(pending);
  if (work !== null) return work;
  throw new MoraineError('INVALID_ARGUMENT', 'The sink state has work in other tables that is not understood.');
}

/** @throws MoraineError `INVALID_ARGUMENT` for the state of another sink or table */
export function requireOwnSnapshot(state: SinkSnapshot, sink: string, tableUuid: string): void {
  if (state.version !== 1)
    throw new MoraineError('INVALID_ARGUMENT', `The sink state has the unknown version ${String(state.version)}.`);
  if (state.sink === sink && state.tableUuid === tableUuid) return;
  const message = `The state is of sink ${JSON.stringify(state.sink)} and table ${state.tableUuid}, not of ${JSON.stringify(sink)} and ${tableUuid}.`;
  throw new MoraineError('INVALID_ARGUMENT', message);
}
