/** How far the backfill of a training set has come: a property of its table, set in the same commit as the snapshot it describes. */
import { z } from 'zod';
import { digestOfParts, type RowSum, sumFromHex, sumToHex } from '../engine/index.js';
import { MoraineError } from '../errors/index.js';
import type { DatasetRecord } from '../features/index.js';
import type { TableMetadata } from '../iceberg/index.js';
import { type Coverage, uncovered } from '../materialization/index.js';
import { anchorJson, anchorOf, effectiveText, type ProgressAnchor } from '../online/index.js';
import { longText } from '../tables/index.js';
import type { TrainingBackfillPlan } from './plan.js';

/** The table property, and the property of each snapshot's summary that holds a copy. */
export const TRAINING_PROGRESS = 'moraine.training-progress';

export interface TrainingProgress extends RowSum {
  /** Event times of entity rows that are in the table. */
  readonly coverage: Coverage;
}

/** The progress of the table's current state, and what tells whether it has moved. */
export interface EffectiveTrainingProgress extends TrainingProgress {
  readonly token: string;
}

const progressJson = z.object({
  version: z.literal(1),
  ...anchorJson,
  coverage: z.array(z.tuple([longText, longText])),
  rows: longText,
  sum: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .transform(sumFromHex),
});

/** @throws METADATA_CORRUPT */
export function trainingProgress(metadata: TableMetadata): EffectiveTrainingProgress {
  const names = { property: TRAINING_PROGRESS, summary: TRAINING_PROGRESS };
  const { text, token } = effectiveText(metadata, names, (property) => parse(property).anchor);
  if (text === null) return { coverage: [], rows: 0n, sum: 0n, token };
  return { ...parse(text).progress, token };
}

/** @param anchor for the table property; without it for the summary of the snapshot itself */
export function trainingProgressText({ coverage, rows, sum }: TrainingProgress, anchor?: ProgressAnchor): string {
  return JSON.stringify({
    version: 1,
    ...(anchor === undefined
      ? {}
      : { 'snapshot-id': String(anchor.snapshotId), 'sequence-number': String(anchor.sequenceNumber) }),
    coverage: coverage.map(({ startUs, endUs }) => [String(startUs), String(endUs)]),
    rows: String(rows),
    sum: sumToHex(sum),
  });
}

/** The record of the training set once every window is in its table; null before. */
export function completeRecord(
  { trainingSet: { draft }, startUs, endUs }: TrainingBackfillPlan,
  progress: TrainingProgress,
  snapshotId: bigint,
): DatasetRecord | null {
  if (uncovered(progress.coverage, { startUs, endUs }).length > 0) return null;
  const digest = digestOfParts(draft.schema, [progress]);
  return { ...draft, ...digest, location: { ...draft.location, snapshotId } };
}

function parse(text: string): { readonly progress: TrainingProgress; readonly anchor?: ProgressAnchor } {
  const parsed = progressJson.safeParse(jsonOf(text));
  if (!parsed.success) {
    const message = `The property ${TRAINING_PROGRESS} is not the progress of a training set: ${z.prettifyError(parsed.error)}`;
    throw new MoraineError('METADATA_CORRUPT', message);
  }
  const { coverage: pieces, rows, sum } = parsed.data;
  const coverage = pieces.map(([startUs, endUs]) => ({ startUs, endUs, sourceSnapshotId: ENTITY_ROWS }));
  const progress = { coverage, rows, sum };
  const anchor = anchorOf(parsed.data);
  return anchor === undefined ? { progress } : { progress, anchor };
}

/** Pieces of coverage have a snapshot; here it is always the pinned one. */
export const ENTITY_ROWS = 0n;

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
