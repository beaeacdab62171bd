/** What a query asks of object stores. */
import type { StorageTraffic } from '../runs/index.js';
import { measureTraffic, noTraffic } from '../storage/index.js';

/**
 * Runs work and counts what it asks of object stores: one retrieval, one read of online features, or all that a request of an application
 * does. Several may run at a time, and each counts its own. Bytes that two of them wait for count for the one who asked first; what
 * other processes do (workers) is not counted.
 * @returns the result of `work`, and its requests and bytes: all 0 where everything was local or kept
 * @throws what `work` throws
 */
export async function measureStorageTraffic<T>(
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly storageTraffic: StorageTraffic }> {
  const storageTraffic = noTraffic();
  const result = await measureTraffic(storageTraffic, work);
  return { result, storageTraffic };
}
