/** Choosing how to join, from the shape of both sides. The thresholds are measured; see `docs/benchmarks.md`. */
import type { JoinMethod } from './point-in-time-sql.js';

/** Facts about both sides of a join that are known before it runs. */
export interface JoinShape {
  readonly frameRows: number;
  /** Feature rows after pruning. */
  readonly featureRows: number;
  /** Distinct entities among the feature rows, at least 1; an underestimate is safe. */
  readonly entities: number;
  /** Frame rows of the entity that most of them are of. */
  readonly mostFrameRows: number;
  /** Pairs of the entities that are frequent in the frame, counted; 0 before they are. */
  readonly frequentPairs: number;
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
/** The same where created times matter: the other way sorts the feature rows twice. */
const MAX_KNOWN_PAIRS_PER_FEATURE_ROW = 9;
/**
 * Frame rows of one entity from which it is frequent. A feature row is compared with every frame row of its entity, so that averages say
 * little of an entity that is frequent on both sides; up to so many, even a table of one entity costs less than sorting it.
 */
export const FREQUENT_FRAME_ROWS = 64;
/** Bytes of a row from which it is not kept as a value to compare: rows are read for the winning times alone. */
const WIDE_ROW_BYTES = 2048;
/** Part of the memory that state which cannot spill may take. */
const UNSPILLABLE_MEMORY_SHARE = 0.25;
/** Bytes of an aggregate's state beside the row itself. */
const STATE_OVERHEAD_BYTES = 128;

/**
 * Pairs of frame and feature rows that share their keys, and of those how many are within the ttl: as expected if all entities are as
 * frequent as others and all times as well, but for entities whose pairs are counted.
 */
export function estimatePairs(shape: JoinShape): { readonly candidates: number; readonly matches: number } {
  const evenly = (shape.featureRows * shape.frameRows) / Math.max(1, shape.entities);
  const candidates = Math.max(evenly, shape.frequentPairs);
  const inReach = shape.ttlUs === null || shape.spanUs <= shape.ttlUs ? 1 : Number(shape.ttlUs) / Number(shape.spanUs);
  return { candidates, matches: candidates * inReach };
}

/** The cheapest method that is sure to fit into memory. */
export function chooseJoinMethod(shape: JoinShape): JoinMethod {
  const { candidates, matches } = estimatePairs(shape);
  const perFeatureRow = shape.knownAsOf ? MAX_KNOWN_PAIRS_PER_FEATURE_ROW : MAX_PAIRS_PER_FEATURE_ROW;
  const fewPairs = candidates <= shape.featureRows * perFeatureRow || shape.frameRows <= FREQUENT_FRAME_ROWS;
  const stateBytes = shape.frameRows * (shape.rowBytes * 2 + STATE_OVERHEAD_BYTES);
  const fits = stateBytes <= shape.memoryLimitBytes * UNSPILLABLE_MEMORY_SHARE;
  const isPlain = !shape.nestedFeatures && shape.rowBytes < WIDE_ROW_BYTES;
  if (fewPairs && fits && matches <= MAX_ARG_MAX_MATCHES && isPlain) return 'arg-max';
  return fewPairs ? 'max-join-back' : 'asof-join-back';
}

/**
 * Whether the pairs of frequent entities have to be counted before the method is sure: it compares pairs, and an entity may have so many that
 * what was estimated from averages says nothing.
 */
export function dependsOnFrequentPairs(shape: JoinShape): boolean {
  if (shape.mostFrameRows <= FREQUENT_FRAME_ROWS || shape.keyCount === 0) return false;
  const mostPairs = shape.featureRows * shape.mostFrameRows;
  return mostPairs > MAX_ARG_MAX_MATCHES && chooseJoinMethod(shape) !== 'asof-join-back';
}
