/** A step's result without what the step asked of object stores, which is for `run show` alone. */
export function withoutTraffic<T extends object>(result: T & { readonly storageTraffic?: unknown }): T {
  const { storageTraffic: _, ...own } = result;
  return own as unknown as T;
}
