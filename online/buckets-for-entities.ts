/** How many buckets a new online table gets when neither its view nor the configuration says. */
import { entitiesAtMost, type ResolvedView } from '../features/index.js';
import { currentSchema, currentSnapshot } from '../iceberg/index.js';
import { planFiles, type Table } from '../tables/index.js';

/** Entities of one bucket: a quarter of what is decoded at once, so that a table may grow fourfold before its buckets are large. */
const ENTITIES_PER_BUCKET = 4096n;
const FEWEST_BUCKETS = 16;
const MOST_BUCKETS = 256;

/**
 * A power of two from 16 to 256, for as many entities as the source can have: no more than it has rows, and where all join keys are whole
 * numbers or dates, no more than lie between the smallest and the largest. Reads metadata only.
 */
export async function bucketsForEntities(source: Table, view: ResolvedView): Promise<number> {
  const entities = await mostEntities(source, view);
  let buckets = FEWEST_BUCKETS;
  while (buckets < MOST_BUCKETS && BigInt(buckets) * ENTITIES_PER_BUCKET < entities) buckets *= 2;
  return buckets;
}

async function mostEntities(source: Table, { joinKeys }: ResolvedView): Promise<bigint> {
  const schema = currentSchema(source.metadata);
  const { files } = await planFiles(source, {
    snapshot: currentSnapshot(source.metadata),
    schema,
    appliesDeletes: true,
  });
  return entitiesAtMost(
    files.map(({ file }) => file),
    schema,
    joinKeys,
  );
}
