/** Whether an equality-delete file might delete a row of a data file, by the statistics of both. */
import { readBounds } from '../expressions/column-facts.js';
import type { DataFile } from '../manifests/data-file.js';
import { fieldPath, findField } from '../schema/schema.js';
import type { IcebergType, Schema } from '../schema/types.js';
import { compareValues } from '../values/value-order.js';

/** Kinds whose bounds all writers order alike; floats are not among them (NaN, -0), nor uuids (signed in some). */
const ORDERED_KINDS: ReadonlySet<IcebergType['kind']> = new Set<IcebergType['kind']>([
  'int',
  'long',
  'decimal',
  'date',
  'time',
  'timestamp',
  'timestamptz',
  'timestamp_ns',
  'timestamptz_ns',
  'string',
]);

/**
 * False only if for one of the delete columns no value (null included) can be in both files. Columns that the schema does
 * not have, or has inside another column, rule nothing out.
 */
export function equalityDeletesMightMatch(schema: Schema, data: DataFile, deletes: DataFile): boolean {
  if (data.recordCount === 0n || deletes.recordCount === 0n) return false;
  return (deletes.equalityIds ?? []).every((id) => {
    const type = findField(schema, id)?.type;
    const isTopLevel = fieldPath(schema, id)?.parentIds.length === 0;
    return type === undefined || !isTopLevel || columnMightMatch(id, type, data, deletes);
  });
}

function columnMightMatch(id: number, type: IcebergType, data: DataFile, deletes: DataFile): boolean {
  const [ofData, ofDeletes] = [nulls(data, id), nulls(deletes, id)];
  // A null may be in both: values need not overlap.
  if (ofData !== 'none' && ofDeletes !== 'none') return true;
  if (ofData === 'all' || ofDeletes === 'all') return false;
  return boundsOverlap(id, type, data, deletes);
}

/** How many of a column's values are null, as far as the file's statistics tell. */
function nulls(file: DataFile, id: number): 'none' | 'some' | 'all' | undefined {
  const count = file.nullValueCounts?.get(id);
  if (count === undefined || count < 0n) return undefined;
  if (count === 0n) return 'none';
  return count === file.valueCounts?.get(id) ? 'all' : 'some';
}

function boundsOverlap(id: number, type: IcebergType, data: DataFile, deletes: DataFile): boolean {
  if (!ORDERED_KINDS.has(type.kind)) return true;
  const a = readBounds(type, data.lowerBounds?.get(id), data.upperBounds?.get(id));
  const b = readBounds(type, deletes.lowerBounds?.get(id), deletes.upperBounds?.get(id));
  const above = a.lower !== undefined && b.upper !== undefined && compareValues(type, a.lower, b.upper) > 0;
  const below = a.upper !== undefined && b.lower !== undefined && compareValues(type, a.upper, b.lower) < 0;
  return !above && !below;
}
