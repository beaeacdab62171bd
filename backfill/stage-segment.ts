/** One segment of a backfill: planned on the source as it is now, and read into files that nobody can see yet. */
import { randomUUID } from 'node:crypto';
import {
  type ExtractOptions,
  extractPlan,
  type MaterializationDeps,
  planMaterialization,
  type StagedWindow,
} from '../materialization/index.js';
import type { EngineType } from '../reduction/index.js';
import { hasCode, retryConflicts } from '../tables/index.js';

/** Event times in microseconds, `[startUs, endUs)`. */
export interface SegmentRequest {
  readonly view: string;
  readonly startUs: bigint;
  readonly endUs: bigint;
  /** Reads the source; unless given as the view and the project say. */
  readonly engine?: EngineType;
}

export type StagedSegment =
  /** Covered already, as the source is now. */
  | { readonly kind: 'nothing' }
  /** Buckets have to be rebuilt: it is run by itself, as any other materialization. */
  | { readonly kind: 'alone' }
  | {
      readonly kind: 'staged';
      readonly window: StagedWindow;
      readonly rows: bigint;
      readonly files: number;
      readonly bytes: bigint;
    };

/** Plans again where the source moved on before its rows were read. @throws as planning and extraction of a materialization */
export async function stageSegment(
  deps: MaterializationDeps,
  request: SegmentRequest,
  options: ExtractOptions = {},
): Promise<StagedSegment> {
  return await retryConflicts(deps.catalog, () => stageOnce(deps, request, options), hasCode('PLAN_STALE'));
}

async function stageOnce(
  deps: MaterializationDeps,
  request: SegmentRequest,
  options: ExtractOptions,
): Promise<StagedSegment> {
  const startedMs = performance.now();
  const plan = await planMaterialization(deps, { ...request, attemptId: randomUUID(), isBackfill: true }, options);
  const { planLocation } = plan;
  if (planLocation === null) return { kind: 'nothing' };
  if (plan.kind === 'full' || plan.kind === 'rebuild-buckets') return { kind: 'alone' };
  const shards = await extractPlan(deps, planLocation, plan, options);
  const manifestLocations = shards.flatMap(({ manifestLocation }) => manifestLocation ?? []);
  const rows = shards.reduce((sum, shard) => sum + shard.rows, 0n);
  const files = shards.reduce((sum, shard) => sum + shard.files, 0);
  const bytes = shards.reduce((sum, shard) => sum + shard.bytes, 0n);
  const workMs = performance.now() - startedMs;
  return { kind: 'staged', window: { planLocation, manifestLocations, workMs }, rows, files, bytes };
}
