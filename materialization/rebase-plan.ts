import type { SourceState } from './decide.js';
import type { MaterializationPlan } from './plan.js';
import type { Progress } from './progress.js';
import { type Rebased, rebaseRun } from './rebase.js';

/** {@link rebaseRun} of a plan. */
export function rebasePlan(
  plan: MaterializationPlan,
  base: Progress | null,
  lineage: Pick<SourceState, 'standing'>,
): Rebased {
  const run = {
    interval: plan.interval,
    isIncremental: plan.interval.startUs === null,
    rebuilds: plan.rebuild !== null,
    sourceSnapshotId: plan.source.snapshotId,
    basis: plan.basis,
    progressAfter: plan.progressAfter,
  };
  return rebaseRun(run, base, lineage);
}
