/** Looks so often that they come in steady intervals; what has not ended until then may take days. */
const STEADY_LOOKS = 24;
const GROWTH = 1.1;
const LONGEST_MS = 6 * 3_600_000;

/**
 * Milliseconds before the next look at something that may take long. A look is some ten events of a history, of which a server ends the workflow at
 * 51,200: waits double up to an interval, stay there for a while, and then grow by a tenth, up to six hours. So what is found is
 * found late by a tenth of what it took, and years of waiting have room.
 * @param looks before this one
 */
export function lookWaitMs(
  looks: number,
  { firstMs, intervalMs }: { readonly firstMs: number; readonly intervalMs: number },
): number {
  if (looks <= STEADY_LOOKS) return Math.min(firstMs * 2 ** looks, intervalMs);
  return Math.min(Math.round(intervalMs * GROWTH ** (looks - STEADY_LOOKS)), LONGEST_MS);
}
