/** The steps of a training set after its plan, one after the other, as a workflow has its workers do them. */
import { commitTrainingSet, reduceTrainingPart, stageTrainingShard, type TrainingDeps } from '../../training/index.js';

/** Lists of reduced rows, by part. */
export type ReducedLists = readonly (string | null)[];

export async function reduceParts(deps: TrainingDeps, planLocation: string, parts: number): Promise<ReducedLists> {
  const lists: (string | null)[] = [];
  for (let part = 0; part < parts; part++)
    lists.push((await reduceTrainingPart(deps, planLocation, part)).reducedLocation);
  return lists;
}

/** @param reduced undefined: every shard reads the sources */
export async function stageShards(deps: TrainingDeps, planLocation: string, shards: number, reduced?: ReducedLists) {
  const staged = [];
  for (let shard = 0; shard < shards; shard++)
    staged.push(await stageTrainingShard(deps, planLocation, shard, { reduced }));
  return staged;
}

export const listsOf = (reduced: ReducedLists): string[] => reduced.flatMap((list) => list ?? []);

/** All of them. */
export async function saveInShards(
  deps: TrainingDeps,
  { planLocation, parts, shards }: { readonly planLocation: string; readonly parts: number; readonly shards: number },
) {
  const lists = await reduceParts(deps, planLocation, parts);
  const staged = await stageShards(deps, planLocation, shards, parts === 0 ? undefined : lists);
  const { rows, digest } = await commitTrainingSet(deps, planLocation, staged, listsOf(lists));
  return { rows, digest };
}
