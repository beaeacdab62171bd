/** Runs `use` on every item, a few at a time, and keeps their order. */
export async function mapConcurrently<T, R>(items: readonly T[], use: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let start = 0; start < items.length; start += 16) {
    results.push(...(await Promise.all(items.slice(start, start + 16).map(use))));
  }
  return results;
}
