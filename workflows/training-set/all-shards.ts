import { CancellationScope } from '@temporalio/workflow';

/**
 * Runs a step for every shard at once, and returns what each gave. In a scope of its own: when one shard fails for good, the others are
 * cancelled instead of computed in vain, and have ended when this throws.
 */
export async function allShards<Done>(count: number, step: (shard: number) => Promise<Done>): Promise<Done[]> {
  return CancellationScope.cancellable(async () => {
    const scope = CancellationScope.current();
    const shards = Array.from({ length: count }, (_, shard) => step(shard));
    try {
      return await Promise.all(shards);
    } catch (error) {
      scope.cancel();
      await Promise.allSettled(shards);
      throw error;
    }
  });
}
