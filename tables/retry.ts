/** How often and how long a commit is tried. Property names and defaults as in the Iceberg table properties. */
import type { TableMetadata } from '../iceberg/index.js';

export interface CommitRetry {
  readonly retries: number;
  readonly minWaitMs: number;
  readonly maxWaitMs: number;
  readonly totalTimeoutMs: number;
}

function property(metadata: TableMetadata, name: string, fallback: number): number {
  const text = metadata.properties.get(name);
  const value = Number(text);
  return text !== undefined && Number.isFinite(value) && value >= 0 ? value : fallback;
}

/** The table's `commit.retry.*` properties. */
export function commitRetry(metadata: TableMetadata): CommitRetry {
  return {
    retries: property(metadata, 'commit.retry.num-retries', 4),
    minWaitMs: property(metadata, 'commit.retry.min-wait-ms', 100),
    maxWaitMs: property(metadata, 'commit.retry.max-wait-ms', 60_000),
    totalTimeoutMs: property(metadata, 'commit.retry.total-timeout-ms', 1_800_000),
  };
}

/** More tries, with waits that stay short: for work that costs more to plan again than to commit once more beside a busy writer. */
export function persistently(retry: CommitRetry): CommitRetry {
  return { ...retry, retries: retry.retries * 5, maxWaitMs: Math.min(retry.maxWaitMs, retry.minWaitMs) };
}

/** How long to wait before a retry (the first is 1): doubling, with jitter so that writers who collided do not again. */
export function retryWaitMs(retry: CommitRetry, number: number, random: () => number = Math.random): number {
  const longest = Math.min(retry.minWaitMs * 2 ** (number - 1), retry.maxWaitMs);
  return longest * (0.5 + random() / 2);
}

/** The table's `commit.status-check.*` properties: how often a commit of unknown outcome is looked for. */
export function statusCheck(metadata: TableMetadata): CommitRetry {
  return {
    retries: property(metadata, 'commit.status-check.num-retries', 3),
    minWaitMs: property(metadata, 'commit.status-check.min-wait-ms', 1000),
    maxWaitMs: property(metadata, 'commit.status-check.max-wait-ms', 60_000),
    totalTimeoutMs: property(metadata, 'commit.status-check.total-timeout-ms', 1_800_000),
  };
}
