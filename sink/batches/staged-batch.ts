/** Batches whose files are written and that no snapshot lists yet, and the form in which hosts keep them. */
import { MoraineError } from '../../errors/index.js';
import type { JsonValue, ManifestFile } from '../../iceberg/index.js';
import type { Location } from '../../locations/index.js';
import type { BatchRange } from '../protocol/batch-ranges.js';
import type { CheckpointPart } from '../protocol/coordinator.js';
import { type PendingWork, workFromJson, workToJson } from '../protocol/pending-work.js';
import type { RejectedRecord } from '../sink-records.js';
import type { Delivery } from '../source-position.js';

/** Which record of a batch became the row of a key. */
export interface KeyPlaces {
  /** By key, as JSON: the place among the records that are rows, from 0. */
  readonly places: ReadonlyMap<string, number>;
  /** Positions of records that are neither rows nor rejected. */
  readonly omitted: readonly bigint[];
}

/** A staged batch, or the part of one that a writer has staged. */
export interface StagedBatch {
  /** Names the batch in the snapshot that commits it. */
  readonly id: string;
  /** Ids of the parts that it was joined from; empty: it was staged at once. */
  readonly parts: readonly string[];
  readonly ranges: readonly BatchRange[];
  /** List the batch's files; empty: it has none. Those of one part are in one manifest. */
  readonly manifests: readonly ManifestFile[];
  /** The table's schemas that its files were written by, as far as they are known. */
  readonly schemaIds: readonly number[];
  readonly delivery: Delivery;
  /** Rows of its files. */
  readonly rows: bigint;
  /** Records that an upsert has left out since others of the batch have their key. */
  readonly superseded: bigint;
  /** Those that this process has found. */
  readonly rejected: readonly RejectedRecord[];
  /** Of an upsert whose keys are traced. */
  readonly keyPlaces?: KeyPlaces;
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

/** What `snapshot` of a writer gives, and `restore` of any writer takes: JSON. */
export interface WriterSnapshot extends SinkSnapshot {
  /** `part-0` and so on. */
  readonly writer: string;
  /** How many writers the sink has: the others have a state, too. */
  readonly writers: number;
}

/** A staged batch in JSON, or the part of one that a writer has staged. */
export interface SnapshotBatch {
  readonly id: string;
  /** Of a part: names its batch, whose other parts are in the states of other writers. */
  readonly partOf?: string;
  /** The place among the batches of a sink: the epoch that it was opened with, and a number that grows. */
  readonly order?: readonly [openedEpoch: string, number: number];
  /** Location of its manifest. */
  readonly manifest: string | null;
  readonly rows: string;
  /** The table's schema that its files were written by. */
  readonly schemaId?: number;
  /** Absent: all of its records have positions. */
  readonly delivery?: Delivery;
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

/** @param staged what was staged at once: it has one manifest at most */
export function batchToJson(staged: StagedBatch): SnapshotBatch {
  const { id, manifests, schemaIds, rows, ranges, pending, delivery } = staged;
  const [[manifest], [schemaId]] = [manifests, schemaIds];
  return {
    id,
    manifest: manifest?.manifestPath ?? null,
    rows: rows.toString(),
    ...(schemaId === undefined ? {} : { schemaId }),
    ...(delivery === 'exactly-once' ? {} : { delivery }),
    ranges: ranges.map(({ partition, from, to, isFirst, mark }) => {
      const marked = mark === undefined ? {} : { mark };
      return { partition, from: from.toString(), to: to.toString(), isFirst, ...marked };
    }),
    ...(pending.length === 0 ? {} : { pending: pending.map(workToJson) }),
  };
}

/** What the protocol needs to know of it to find it in a table. */
export function checkpointPart(batch: SnapshotBatch): CheckpointPart {
  const [openedEpoch] = batch.order ?? ['0'];
  return { id: batch.id, ranges: rangesFromJson(batch), openedEpoch: BigInt(openedEpoch) };
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
