/** Pruning of data files by their column statistics. Source: Apache Iceberg specification, "Scan Planning". */

import type { DataFile } from '../manifests/data-file.js';
import { type ColumnFacts, hasNan, mightMatchFacts, readBounds } from './column-facts.js';
import type { BoundExpression, BoundReference } from './expression.js';

/** Whether a file might hold a matching row. False only if its statistics rule that out; missing ones rule nothing out. */
export function mightMatch(expression: BoundExpression, file: DataFile): boolean {
  if (file.recordCount === 0n) return false;
  return mightMatchFacts(expression, (ref) => columnFacts(ref, file));
}

function columnFacts(ref: BoundReference, file: DataFile): ColumnFacts {
  const { fieldId, type } = ref;
  const values = file.valueCounts?.get(fieldId);
  const nulls = file.nullValueCounts?.get(fieldId);
  const nans = file.nanValueCounts?.get(fieldId);
  const counted = values !== undefined && nulls !== undefined && values > 0n;
  return {
    allNull: counted && nulls === values,
    // Writers differ in whether a missing struct counts as a null of the fields inside it.
    noNulls: ref.required || (nulls === 0n && !ref.nested),
    allNan: hasNan(type) && counted && nans !== undefined && nans > 0n && nans === values - nulls,
    noNan: !hasNan(type) || nans === 0n,
    ...readBounds(type, file.lowerBounds?.get(fieldId), file.upperBounds?.get(fieldId)),
  };
}
