/** How many buckets a new online table gets when neither its view nor the configuration says. */
import type { ResolvedView } from '../features/index.js';
import { currentSchema, currentSnapshot, deserializeValue, type IcebergType } from '../iceberg/index.js';
import { type PlannedFile, planFiles, type Table } from '../tables/index.js';

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
  const rows = files.reduce((sum, { file }) => sum + file.recordCount, 0n);
  let combinations = 1n;
  for (const { sourceFieldId } of joinKeys) {
    const type = schema.fields.find(({ id }) => id === sourceFieldId)?.type;
    const width = type === undefined ? undefined : rangeWidth(files, sourceFieldId, type);
    if (width === undefined) return rows;
    combinations *= width;
  }
  return combinations < rows ? combinations : rows;
}

/** How many values lie between the bounds of a column; undefined if its type is not counted in whole steps, or a file has no bounds. */
function rangeWidth(files: readonly PlannedFile[], fieldId: number, type: IcebergType): bigint | undefined {
  if (type.kind !== 'int' && type.kind !== 'long' && type.kind !== 'date') return undefined;
  let [smallest, largest]: (bigint | undefined)[] = [];
  for (const { file } of files) {
    const [lower, upper] = [file.lowerBounds?.get(fieldId), file.upperBounds?.get(fieldId)];
    if (lower === undefined || upper === undefined) return undefined;
    const [low, high] = [lower, upper].map((bound) => BigInt(deserializeValue(type, bound) as number | bigint));
    if (low === undefined || high === undefined) return undefined;
    if (smallest === undefined || low < smallest) smallest = low;
    if (largest === undefined || high > largest) largest = high;
  }
  return smallest === undefined || largest === undefined ? 0n : largest - smallest + 1n;
}
