/** What a step asked of object stores, said in its result, so that the history of a run has it. */
import { measureTraffic, noTraffic } from '../storage/index.js';

type Steps = Readonly<Record<string, (input: never) => Promise<unknown>>>;

/**
 * The activities, each of whose results has as `storageTraffic` what the attempt asked of object stores, if it asked anything. Workflows
 * do not look at it.
 */
export function withStorageTraffic<T extends object>(activities: T): T {
  const steps = Object.entries(activities as Steps).map(([name, step]) => [
    name,
    async (input: never) => {
      const storageTraffic = noTraffic();
      const result = await measureTraffic(storageTraffic, () => step(input));
      const hasMembers = typeof result === 'object' && result !== null && !Array.isArray(result);
      return hasMembers && storageTraffic.requests > 0 ? { ...result, storageTraffic } : result;
    },
  ]);
  return Object.fromEntries(steps) as T;
}
