/** The reduced rows of a materialization: the winners among the rows that a part, or another engine, has read. */
import type { ResolvedView } from '../features/index.js';
import type { Schema } from '../iceberg/index.js';
import { namedColumns, schemaOf } from '../reduction/index.js';
import type { MaterializationPlan, SourceRead } from './plan.js';

/** The read that rows come from: of appended rows or of a rebuild, the newest of each entity or all times. */
export interface ReducedGroup {
  readonly of: 'append' | 'rebuild';
  readonly keep: SourceRead['keep'];
}

/** All groups; the column `g` has the place of a row's group in this list. */
export const REDUCED_GROUPS: readonly ReducedGroup[] = [
  { of: 'append', keep: 'newest' },
  { of: 'append', keep: 'all' },
  { of: 'rebuild', keep: 'newest' },
  { of: 'rebuild', keep: 'all' },
];

/** The number of a group in the column `g`. */
export function groupNumber({ of, keep }: ReducedGroup): number {
  return REDUCED_GROUPS.findIndex((group) => group.of === of && group.keep === keep);
}

/**
 * The columns of reduced rows: `g` (see {@link REDUCED_GROUPS}), `shard`, the join keys `k0..`, the event time `t`, the created time `c` (if
 * the view has one), the features `f0..`, and `seq`, the sequence number that decides ties. Field ids are 1 to n in this order; fields
 * inside nested types come after them.
 */
export function reducedSchema(view: ResolvedView): Schema {
  return schemaOf([
    ['g', { kind: 'int' }],
    ['shard', { kind: 'int' }],
    ...namedColumns(view).map(([name, { type }]) => [name, type] as const),
    ['seq', { kind: 'long' }],
  ]);
}

/** The beginning of the names of a run's files of reduced rows. Leases protect what begins with the run's key. */
export const reducedFilePrefix = ({ runKey }: Pick<MaterializationPlan, 'runKey'>): string =>
  `${runKey.slice(0, 12)}-reduced-`;
