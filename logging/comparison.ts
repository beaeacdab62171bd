/** The verdict of a comparison of served with retrieved features. Pure. */
import type { TableState } from '../features/index.js';

/** How a served value and the retrieved one differ; `missing`: none was served, `extra`: none is retrieved. */
export const DIFFERENCES = ['mismatch', 'missing', 'extra'] as const;
export type Difference = (typeof DIFFERENCES)[number];

/**
 * Why. The first that applies counts:
 * `created-after`: the retrieved row says that it was created after the time of the request;
 * `late`: the source was committed to after the request, and read as it was then another row is retrieved;
 * `ttl`: the value was served as too old, or it was served and is too old for retrieval;
 * `null`: one of the two rows has the value null;
 * `not-materialized`: the source had the retrieved row, the online table only an older one or none;
 * `unexplained`: none of these.
 */
export const CAUSES = ['created-after', 'late', 'ttl', 'null', 'not-materialized', 'unexplained'] as const;
export type DifferenceCause = (typeof CAUSES)[number];

/** Values by cause; all causes are there. */
export type CauseCounts = Readonly<Record<DifferenceCause, number>> & { readonly total: number };

/** One feature of the service, by the name of its column in the log. */
export interface FeatureComparison {
  readonly name: string;
  readonly match: number;
  readonly mismatch: CauseCounts;
  readonly missing: CauseCounts;
  readonly extra: CauseCounts;
  /** Rows that were logged without this feature. */
  readonly notLogged: number;
}

/** One value that differs, as text. */
export interface DifferenceExample {
  readonly feature: string;
  readonly difference: Difference;
  readonly cause: DifferenceCause;
  readonly requestId: string;
  readonly entity: ReadonlyMap<string, string | null>;
  readonly eventTimestampUs: bigint;
  readonly status: string;
  readonly served: string | null;
  readonly servedEventTimestampUs: bigint | null;
  readonly offline: string | null;
  readonly offlineEventTimestampUs: bigint | null;
}

/** Served features compared with what retrieval answers now for the same entities and times. */
export interface LogComparison {
  readonly service: string;
  /** Rows of the log that were compared. */
  readonly rows: number;
  /** Snapshot of the log that was read. */
  readonly logSnapshotId: bigint | null;
  /** State of every source table that was read, by its name. */
  readonly sources: ReadonlyMap<string, TableState>;
  readonly features: readonly FeatureComparison[];
  /** Whether nothing differs. */
  readonly matches: boolean;
  /** Values that may be `late` and do not say so, because the source's snapshot of that time has been expired. */
  readonly undatable: number;
  readonly examples: readonly DifferenceExample[];
}

/** A number of values of a feature. */
export interface CountedDifference {
  readonly feature: number;
  readonly difference: Difference;
  readonly cause: DifferenceCause;
  readonly count: number;
}

/** Counts of one feature by difference and cause. */
export function differencesOf(
  counted: readonly CountedDifference[],
  feature: number,
): Readonly<Record<Difference, CauseCounts>> {
  const of = (difference: Difference): CauseCounts => {
    const own = counted.filter((each) => each.feature === feature && each.difference === difference);
    const count = (cause: DifferenceCause) => own.find((each) => each.cause === cause)?.count ?? 0;
    const causes = Object.fromEntries(CAUSES.map((cause) => [cause, count(cause)])) as Record<DifferenceCause, number>;
    return { total: own.reduce((sum, each) => sum + each.count, 0), ...causes };
  };
  return { mismatch: of('mismatch'), missing: of('missing'), extra: of('extra') };
}
