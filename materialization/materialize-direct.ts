/** Materialization as one library call: plan, extract, commit, without a workflow. */
import { randomUUID } from 'node:crypto';
import { hasCode, retryConflicts } from '../tables/index.js';
import { commitMaterialization, type MaterializationCommit } from './commit-materialization.js';
import type { MaterializationDeps } from './deps.js';
import { extractPlan } from './extract-plan.js';
import type { ExtractOptions } from './extract-shard.js';
import { planMaterialization } from './plan-materialization.js';
import type { MaterializationRequest, PlanReference } from './plan-request.js';

/** The result of a run. Without a commit there was nothing to do. */
export interface MaterializationResult {
  readonly plan: PlanReference;
  readonly commit: MaterializationCommit | null;
}

/**
 * Materializes a view in this process. Parts and shards run one after another.
 * @throws what {@link planMaterialization}, {@link extractPlan} and {@link commitMaterialization} throw; COMMIT_CONFLICT
 * and PLAN_STALE only after several plans
 */
export async function materializeDirect(
  deps: MaterializationDeps,
  request: Omit<MaterializationRequest, 'attemptId'>,
  options: ExtractOptions = {},
): Promise<MaterializationResult> {
  const work = async (): Promise<MaterializationResult> => {
    const plan = await planMaterialization(deps, { ...request, attemptId: randomUUID() }, options);
    if (plan.planLocation === null) return { plan, commit: null };
    const shards = await extractPlan(deps, plan.planLocation, plan, options);
    const manifests = shards.flatMap(({ manifestLocation }) => manifestLocation ?? []);
    return { plan, commit: await commitMaterialization(deps, plan.planLocation, manifests) };
  };
  return await retryConflicts(deps.catalog, work, hasCode('COMMIT_CONFLICT', 'PLAN_STALE'));
}
