/** Choosing how to join, from the shape of both sides. The thresholds are measured; see `docs/benchmarks.md`. */
import type { JoinMethod } from './point-in-time-sql.js';

/** What is known of both sides of a join before it runs. */
export interface JoinShape {
  readonly frameRows: number;
  /** Feature rows after pruning. */
  readonly featureRows: number;
  /** Distinct entities among the feature rows, at least 1; an underestimate is safe. */
  readonly entities: number;
  readonly keyCount: number;
  readonly ttlUs: bigint | null;
  /** Time that the feature rows in reach span. */
  readonly spanUs: bigint;
  readonly knownAsOf: boolean;
  /** Whether a feature to return is nested; `arg_max` would not keep such values bit by bit. */
  readonly nestedFeatures: boolean;
  /** Estimated bytes of one result row. */
  readonly rowBytes: number;
  readonly memoryLimitBytes: number;
}

/** Matching pairs up to which keeping whole rows per frame row is cheapest. */
const MAX_ARG_MAX_MATCHES = 1_000_000;
/** Candidate pairs per feature row up to which comparing every pair beats sorting. */
const MAX_PAIRS_PER_FEATURE_ROW = 4.5;
/** Part of the memory that state which cannot spill may take. */
const UNSPILLABLE_MEMORY_SHARE = 0.25;
/** Bytes of an aggregate's state beside the row itself. */
const STATE_OVERHEAD_BYTES = 128;

/** Pairs of frame and feature rows that share their keys, and of those how many are within the ttl; both as expected without skew. */
export function estimatePairs(shape: JoinShape): { readonly candidates: number; readonly matches: number } {
  const candidates = (shape.featureRows * shape.frameRows) / Math.max(1, shape.entities);
  const inReach = shape.ttlUs === null || shape.spanUs <= shape.ttlUs ? 1 : Number(shape.ttlUs) / Number(shape.spanUs);
  return { candidates, matches: candidates * inReach };
}

/** The cheapest method that is sure to fit into memory. */
export function chooseJoinMethod(shape: JoinShape): JoinMethod {
  const { candidates, matches } = estimatePairs(shape);
  const fewPairs = candidates <= shape.featureRows * MAX_PAIRS_PER_FEATURE_ROW;
  const stateBytes = shape.frameRows * (shape.rowBytes * 2 + STATE_OVERHEAD_BYTES);
  const fits = stateBytes <= shape.memoryLimitBytes * UNSPILLABLE_MEMORY_SHARE;
  if (fewPairs && fits && matches <= MAX_ARG_MAX_MATCHES && !shape.nestedFeatures) return 'arg-max';
  // ASOF has room for one inequality only, so a second time bound rules it out.
  if (fewPairs || shape.knownAsOf) return 'max-join-back';
  return 'asof-join-back';
}
