/** What the first run or write after an apply makes of the online tables of the views that it changes. */
import { currentSchema, type Schema, sameType, typeToString } from '../iceberg/index.js';
import type { ChangedTable } from './changed-tables.js';

/** An online table that is to be made, or to get other columns. */
export interface PlannedTable {
  /** `NAMESPACE.NAME`, as it is called once the definitions are registered. */
  readonly table: string;
  readonly action: 'create' | 'evolve';
  /** Columns with their types, such as `+ orders: long`, `~ amount: float -> double` and `- returned: boolean`. */
  readonly columns: readonly string[];
}

/**
 * The tables by name; none of those that are as they should be.
 * @param dropped tables that the apply drops, which are made anew
 */
export function plannedTables(tables: readonly ChangedTable[], dropped: readonly string[]): readonly PlannedTable[] {
  const planned = tables.flatMap(({ table, layout, metadata }): readonly PlannedTable[] => {
    const kept = dropped.includes(table) ? null : metadata;
    const columns = columnChanges(kept === null ? null : currentSchema(kept), layout.schema);
    return columns.length === 0 ? [] : [{ table, action: kept === null ? 'create' : 'evolve', columns }];
  });
  return planned.toSorted((a, b) => (a.table < b.table ? -1 : 1));
}

/** The columns that go, then those that are new or of another type. */
function columnChanges(before: Schema | null, after: Schema): readonly string[] {
  const wanted = new Map(after.fields.map(({ name, type }) => [name, type]));
  const known = new Map(before?.fields.map(({ name, type }) => [name, type]));
  const gone = [...known]
    .filter(([name]) => !wanted.has(name))
    .map(([name, type]) => `- ${name}: ${typeToString(type)}`);
  const changed = [...wanted].flatMap(([name, type]) => {
    const is = known.get(name);
    if (is === undefined) return [`+ ${name}: ${typeToString(type)}`];
    return sameType(type, is) ? [] : [`~ ${name}: ${typeToString(is)} -> ${typeToString(type)}`];
  });
  return [...gone, ...changed];
}
