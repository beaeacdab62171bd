/**
 * Progress: how far the materialization of a view has come. It is a property of the online table, set in the same commit as
 * the snapshot it describes and naming that snapshot, with a copy in the snapshot's summary.
 */
import { z } from 'zod';
import { MoraineError } from '../errors/index.js';
import type { TableMetadata } from '../iceberg/index.js';
import {
  anchorJson,
  anchorOf,
  type DefinitionFingerprint,
  definitionJson,
  definitionToJson,
  type EffectiveText,
  effectiveText,
  PROGRESS_PROPERTY,
  PROGRESS_SUMMARY,
  type ProgressAnchor,
} from '../online/index.js';
import { longText } from '../tables/index.js';
import type { Coverage } from './coverage.js';

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

/** The progress that counts for the table's current state. */
export interface EffectiveProgress extends Omit<EffectiveText, 'text'> {
  readonly progress: Progress | null;
}

const micros = longText.nullable();

const progressJson = z.object({
  version: z.literal(1),
  ...anchorJson,
  'source-table': z.string(),
  'source-table-uuid': z.string(),
  definition: definitionJson,
  incremental: z.object({ 'source-snapshot-id': longText, 'held-back-from-us': micros }).nullable(),
  coverage: z.array(z.object({ 'start-us': micros, 'end-us': micros, 'source-snapshot-id': longText })),
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
    definition: definitionToJson(progress.definition),
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
  const anchor = anchorOf(json);
  return anchor === undefined ? { progress } : { progress, anchor };
}

/** The progress that counts, as {@link effectiveText} chooses it. */
export function effectiveProgress(metadata: TableMetadata): EffectiveProgress {
  const names = { property: PROGRESS_PROPERTY, summary: PROGRESS_SUMMARY };
  const { text, ...state } = effectiveText(metadata, names, (property) => parseProgress(property).anchor);
  return { ...state, progress: text === null ? null : parseProgress(text).progress };
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
