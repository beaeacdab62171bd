/** Row groups that a filter rules out, by the statistics in a file's footer. */
import {
  type BoundExpression,
  type BoundReference,
  type ColumnFacts,
  mightMatchFacts,
  readBounds,
} from '../../iceberg/index.js';
import type { FileFooter } from '../parquet/part-of-file.js';
import { sqlType } from '../sql/sql-type.js';
import type { FileColumn } from './file-layout.js';

/** Types whose bounds have one form in Parquet and in Iceberg, and one order. */
const COMPARED: ReadonlySet<string> = new Set(['int', 'long', 'date', 'timestamp', 'timestamptz', 'string']);
const TIMES: ReadonlySet<string> = new Set(['timestamp', 'timestamptz']);

const NOTHING_KNOWN: ColumnFacts = { allNull: false, noNulls: false, allNan: false, noNan: false };

/**
 * Places of the row groups in which a row might match, ascending; all of them without a filter.
 * @param columns the file's top-level columns, in its order
 * @param columnOf place of the top-level column that a field is read from; undefined if it is another field, or none
 */
export function matchingRowGroups(
  footer: FileFooter,
  filter: BoundExpression | undefined,
  columns: readonly FileColumn[],
  columnOf: (fieldId: number) => number | undefined,
): readonly number[] {
  const all = Array.from({ length: footer.rowGroupCount }, (_, rowGroup) => rowGroup);
  if (filter === undefined) return all;
  return all.filter((rowGroup) =>
    mightMatchFacts(filter, (ref) => {
      const place = ref.nested ? undefined : columnOf(ref.fieldId);
      const column = place === undefined ? undefined : columns[place];
      if (place === undefined || column === undefined) return NOTHING_KNOWN;
      return factsOf(footer, ref, { place, column, rowGroup });
    }),
  );
}

function factsOf(
  footer: FileFooter,
  { type, required }: BoundReference,
  { place, column, rowGroup }: { readonly place: number; readonly column: FileColumn; readonly rowGroup: number },
): ColumnFacts {
  const isAsStored = COMPARED.has(type.kind) && column.type === sqlType(type);
  if (!isAsStored || (TIMES.has(type.kind) && !footer.isInMicroseconds(place))) return NOTHING_KNOWN;
  const facts = footer.facts(place, rowGroup);
  if (facts === undefined) return NOTHING_KNOWN;
  const { values, nulls, lower, upper } = facts;
  return {
    allNull: values > 0n && nulls === values,
    noNulls: required || nulls === 0n,
    allNan: false,
    noNan: true,
    ...readBounds(type, lower, upper),
  };
}
