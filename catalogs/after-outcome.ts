/** Work that comes after an outcome: it tidies up, and may not change what its caller answers. */

/**
 * Runs every step, all at once. A step that fails stops none of the others and is not reported: the outcome stands, and what is left
 * behind is a cached entry or a file that nothing reaches, which the orphan sweep removes. Never rejects.
 */
export async function afterOutcome(...steps: readonly (() => Promise<unknown>)[]): Promise<void> {
  await Promise.allSettled(steps.map(async (step) => step()));
}
