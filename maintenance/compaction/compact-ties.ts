/** Registered views whose answers a rewrite could change: those that tell tied rows apart by the sequence number of their files. */
import { isMoraineError } from '../../errors/index.js';
import { type Definitions, type ResolvedColumn, resolveView } from '../../features/index.js';
import { currentSchema } from '../../iceberg/index.js';
import type { Table } from '../../tables/index.js';
import type { TieView } from './compact-plan.js';

/** The dependencies of finding the views of a table. */
export interface TieDeps {
  definitions(): Promise<Definitions>;
  loadTable(name: string): Promise<Table>;
}

/** The views that read a table. A view that does not fit its source any more has no answers. */
export async function tieViewsOf(deps: TieDeps, table: Table): Promise<readonly TieView[]> {
  const definitions = await deps.definitions();
  const schema = currentSchema(table.metadata);
  const found: TieView[] = [];
  for (const view of definitions.featureViews.values()) {
    if (!(await isSource(deps, view.source.table, table))) continue;
    try {
      const { name, joinKeys, timestamp, created, features } = resolveView(definitions, view.name, schema);
      const id = ({ sourceFieldId }: ResolvedColumn): number => sourceFieldId;
      found.push({
        name,
        keyIds: joinKeys.map(id),
        eventTimeId: timestamp.sourceFieldId,
        createdId: created === null ? null : created.sourceFieldId,
        featureIds: features.map(id),
      });
    } catch (error) {
      if (!isMoraineError(error, 'DEFINITION_INVALID')) throw error;
    }
  }
  return found;
}

async function isSource(deps: TieDeps, name: string, table: Table): Promise<boolean> {
  // A name that lacks the table's own cannot be its name.
  if (!name.includes(table.identifier.name.replaceAll('"', '""'))) return false;
  try {
    return (await deps.loadTable(name)).metadata.tableUuid === table.metadata.tableUuid;
  } catch (error) {
    if (isMoraineError(error, 'TABLE_NOT_FOUND', 'INVALID_ARGUMENT')) return false;
    throw error;
  }
}
