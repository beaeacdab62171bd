/** Which parts a batch has that several writers have staged: what replaces the sink's own function tells it, and the oracles look it up. */

const joined = new Map<string, readonly string[]>();

/** A batch was made of these parts. */
export function rememberParts(batchId: string, parts: readonly { readonly id: string }[]): void {
  joined.set(
    batchId,
    parts.map(({ id }) => id),
  );
}

/** What was staged for a batch: itself, unless writers have staged parts of it. */
export const partsOf = (batchId: string): readonly string[] => joined.get(batchId) ?? [batchId];
