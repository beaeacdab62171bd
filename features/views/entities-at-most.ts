/** How many entities data files can have, from metadata alone. */
import { type DataFile, deserializeValue, type IcebergType, type Schema } from '../../iceberg/index.js';
import type { ResolvedColumn } from './resolve-view.js';

/** Entities that files can have: no more than rows, and than values lie between the bounds of whole numbers and dates. */
export function entitiesAtMost(
  files: readonly DataFile[],
  schema: Schema,
  joinKeys: readonly ResolvedColumn[],
): bigint {
  const rows = files.reduce((sum, { recordCount }) => sum + recordCount, 0n);
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
function rangeWidth(files: readonly DataFile[], fieldId: number, type: IcebergType): bigint | undefined {
  if (type.kind !== 'int' && type.kind !== 'long' && type.kind !== 'date') return undefined;
  let [smallest, largest]: (bigint | undefined)[] = [];
  for (const file of files) {
    const [lower, upper] = [file.lowerBounds?.get(fieldId), file.upperBounds?.get(fieldId)];
    if (lower === undefined || upper === undefined) return undefined;
    const [low, high] = [lower, upper].map((bound) => BigInt(deserializeValue(type, bound) as number | bigint));
    if (low === undefined || high === undefined) return undefined;
    if (smallest === undefined || low < smallest) smallest = low;
    if (largest === undefined || high > largest) largest = high;
  }
  return smallest === undefined || largest === undefined ? 0n : largest - smallest + 1n;
}
