/**
 * Progress: how far the materialization of a view has come. It is a property of the online table, set in the same commit as
 * the snapshot it describes and naming that snapshot, with a copy in the snapshot's summary.
 */
import { z } from 'zod';
import { MoraineError } from '../errors/index.js';
import type { Snapshot, TableMetadata } from '../iceberg/index.js';
import type { Coverage } from './coverage.js';
import type { DefinitionFingerprint } from './definition-fingerprint.js';

/** The table property. */
export const PROGRESS_PROPERTY = 'moraine.progress';
/** The summary property that holds the copy. */
export const PROGRESS_SUMMARY = 'moraine.progress';

/** Where incremental runs continue. */
export interface IncrementalProgress {
  /** The source snapshot that the last incremental run read. */
  readonly sourceSnapshotId: bigint;
  /** The smallest event time that its `end` held back, in microseconds; null: none. */
  readonly heldBackFromUs: bigint | null;
}

/** How far a view has been materialized. */
export interface Progress {
  readonly sourceTable: string;
  readonly sourceTableUuid: string;
  readonly definition: DefinitionFingerprint;
  /** Null before the first run without a start. */
  readonly incremental: IncrementalProgress | null;
  readonly coverage: Coverage;
}

/** The snapshot of the online table that a progress describes. Its sequence number tells a rolled-back from an expired one. */
export interface ProgressAnchor {
  readonly snapshotId: bigint;
  readonly sequenceNumber: bigint;
}

/** The progress that counts for the table's current state. */
export interface EffectiveProgress {
  readonly progress: Progress | null;
  /** Identifies the state of the table that a plan is built on; a commit is valid only while it is unchanged. */
  readonly token: string;
  /** Whether the table was rolled back behind the snapshot of its property. */
  readonly isRolledBack: boolean;
}

const id = z
  .string()
  .regex(/^-?\d+$/)
  .transform(BigInt);
const micros = id.nullable();

const progressJson = z.object({
  version: z.literal(1),
  'snapshot-id': id.optional(),
  'sequence-number': id.optional(),
  'source-table': z.string(),
  'source-table-uuid': z.string(),
  definition: z.object({
    keys: z.string(),
    source: z.string(),
    mapping: z.string(),
    features: z.string(),
    partitioning: z.string(),
  }),
  incremental: z.object({ 'source-snapshot-id': id, 'held-back-from-us': micros }).nullable(),
  coverage: z.array(z.object({ 'start-us': micros, 'end-us': micros, 'source-snapshot-id': id })),
});

/** The JSON text of a progress: with its anchor for the table property, without for the summary of the snapshot itself. */
export function progressToText(progress: Progress, anchor?: ProgressAnchor): string {
  return JSON.stringify({
    version: 1,
    ...(anchor === undefined
      ? {}
      : { 'snapshot-id': String(anchor.snapshotId), 'sequence-number': String(anchor.sequenceNumber) }),
    'source-table': progress.sourceTable,
    'source-table-uuid': progress.sourceTableUuid,
    definition: progress.definition,
    incremental:
      progress.incremental === null
        ? null
        : {
            'source-snapshot-id': String(progress.incremental.sourceSnapshotId),
            'held-back-from-us': microsText(progress.incremental.heldBackFromUs),
          },
    coverage: progress.coverage.map((piece) => ({
      'start-us': microsText(piece.startUs),
      'end-us': microsText(piece.endUs),
      'source-snapshot-id': String(piece.sourceSnapshotId),
    })),
  });
}

/** Reads what {@link progressToText} wrote. `METADATA_CORRUPT` if it is something else. */
export function parseProgress(text: string): { readonly progress: Progress; readonly anchor?: ProgressAnchor } {
  const parsed = progressJson.safeParse(parseJsonText(text));
  if (!parsed.success) {
    throw new MoraineError(
      'METADATA_CORRUPT',
      `The property ${PROGRESS_PROPERTY} of the online table is not a progress record: ${z.prettifyError(parsed.error)}`,
    );
  }
  const json = parsed.data;
  const progress: Progress = {
    sourceTable: json['source-table'],
    sourceTableUuid: json['source-table-uuid'],
    definition: json.definition,
    incremental:
      json.incremental === null
        ? null
        : {
            sourceSnapshotId: json.incremental['source-snapshot-id'],
            heldBackFromUs: json.incremental['held-back-from-us'],
          },
    coverage: json.coverage.map((piece) => ({
      startUs: piece['start-us'],
      endUs: piece['end-us'],
      sourceSnapshotId: piece['source-snapshot-id'],
    })),
  };
  const snapshotId = json['snapshot-id'];
  const sequenceNumber = json['sequence-number'];
  if (snapshotId === undefined || sequenceNumber === undefined) return { progress };
  return { progress, anchor: { snapshotId, sequenceNumber } };
}

/**
 * The progress that counts: the property's, if its snapshot is an ancestor of the current one or has expired from its
 * ancestry; else (the table was rolled back) the copy in the nearest ancestor's summary; else none.
 */
export function effectiveProgress(metadata: TableMetadata): EffectiveProgress {
  const names = { property: PROGRESS_PROPERTY, summary: PROGRESS_SUMMARY };
  const { text, ...state } = effectiveText(metadata, names, (property) => parseProgress(property).anchor);
  return { ...state, progress: text === null ? null : parseProgress(text).progress };
}

/**
 * The same for any text that a table's property keeps of its last snapshot and each snapshot's summary of itself.
 * @param anchorOf reads from the property's text which snapshot it describes
 */
export function effectiveText(
  metadata: TableMetadata,
  names: { readonly property: string; readonly summary: string },
  anchorOf: (text: string) => ProgressAnchor | undefined,
): Omit<EffectiveProgress, 'progress'> & { readonly text: string | null } {
  const text = metadata.properties.get(names.property);
  const chain = currentAncestors(metadata);
  if (text !== undefined) {
    const anchor = anchorOf(text);
    if (anchor !== undefined && describesCurrent(anchor, chain, metadata))
      return { text, token: text, isRolledBack: false };
  }
  const copy = chain.map((snapshot) => snapshot.summary.get(names.summary)).find((found) => found !== undefined);
  // The ignored property is part of the token: after a roll-back the same work is new work.
  return { text: copy ?? null, token: `${text ?? ''}\n${copy ?? ''}`, isRolledBack: text !== undefined };
}

/** The current snapshot and its ancestors as far as they are kept, newest first. */
function currentAncestors(metadata: TableMetadata): readonly Snapshot[] {
  const byId = new Map(metadata.snapshots.map((snapshot) => [snapshot.snapshotId, snapshot]));
  const chain: Snapshot[] = [];
  let next = metadata.currentSnapshotId ?? undefined;
  while (next !== undefined && chain.length <= byId.size) {
    const snapshot = byId.get(next);
    if (snapshot === undefined) break;
    chain.push(snapshot);
    next = snapshot.parentSnapshotId;
  }
  return chain;
}

function describesCurrent(anchor: ProgressAnchor, chain: readonly Snapshot[], metadata: TableMetadata): boolean {
  if (chain.some((snapshot) => snapshot.snapshotId === anchor.snapshotId)) return true;
  if (metadata.snapshots.some((snapshot) => snapshot.snapshotId === anchor.snapshotId)) return false;
  // It has expired. It was an ancestor unless the unbroken chain of parents reaches back to its sequence number without it.
  const oldest = chain.at(-1);
  return oldest !== undefined && oldest.sequenceNumber > anchor.sequenceNumber && oldest.parentSnapshotId !== undefined;
}

function microsText(value: bigint | null): string | null {
  return value === null ? null : String(value);
}

function parseJsonText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
