/** Names that identify tables, for people and for comparisons. */
import { formatTableName } from '../catalogs/index.js';
import type { Table } from '../tables/index.js';

/** A table's name for people: with its catalog, if it has one. */
export function tableName({ identifier, catalog }: Table): string {
  return formatTableName(identifier, catalog?.name);
}

/** Whether two states are of the same table: its name in its catalog. */
export function isSame(a: Table, b: Table): boolean {
  return a.catalog?.id === b.catalog?.id && tableName(a) === tableName(b);
}

/** What helps where a table of a configured catalog cannot be read, and trying again does not. To be added to a message. */
export const dropRemedy = (name: string): string =>
  ` Restore what it lacks; or, if nobody needs it, drop its name, which leaves its files: moraine table drop ${name}.`;
