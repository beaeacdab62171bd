/** Waits before a retry: the only rule for them. */

/** Shortest and longest wait, in milliseconds. */
export interface BackOff {
  readonly minWaitMs: number;
  readonly maxWaitMs: number;
}

/**
 * Milliseconds to wait before a retry: doubling from the shortest to the longest wait, and less by up to a half at random, so that writers
 * who collided do not collide again.
 * @param retry 1 for the first
 * @param random at least 0, at most 1; a workflow has no jitter and gives 1
 */
export function backOffMs({ minWaitMs, maxWaitMs }: BackOff, retry: number, random: () => number): number {
  return Math.min(minWaitMs * 2 ** (retry - 1), maxWaitMs) * (0.5 + random() / 2);
}
