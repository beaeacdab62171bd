/** Online tables that an apply drops: those of views that it deletes, and those that cannot hold the rows of their views any more. */
import { formatTableName } from '../catalogs/index.js';
import { isMoraineError, MoraineError } from '../errors/index.js';
import type { ApplyPlan } from '../features/index.js';
import { purgeTable } from '../maintenance/index.js';
import { incompatibility, incompatibleOnlineTable } from '../online/index.js';
import { maintenanceDeps, materializationDeps, type Project } from '../project/index.js';
import type { ChangedTable } from './changed-tables.js';

/** Names of the online tables of the views that a plan deletes, as far as there are any. */
export async function onlineTablesToDrop(project: Project, { changes }: ApplyPlan): Promise<readonly string[]> {
  const views = changes.filter(({ action, kind }) => action === 'delete' && kind === 'featureView');
  if (views.length === 0) return [];
  const { catalog, settings } = await materializationDeps(project);
  const namespace = settings?.namespace ?? [];
  const found: string[] = [];
  for (const { name } of views)
    if (await catalog.tableExists({ namespace, name })) found.push(formatTableName({ namespace, name }));
  return found;
}

/**
 * Names of the online tables that cannot hold the rows of their views as these are defined now: other join keys, or keys of another type.
 * @throws ONLINE_TABLE_INCOMPATIBLE for the first of them unless tables may be dropped
 */
export function incompatibleTables(tables: readonly ChangedTable[], mayDrop: boolean): readonly string[] {
  const found: string[] = [];
  for (const { view, table, layout, joinKeys, metadata } of tables) {
    const reason = metadata === null ? null : incompatibility(metadata, layout, joinKeys);
    if (reason === null) continue;
    if (!mayDrop) throw incompatibleOnlineTable(table, view, reason);
    found.push(table);
  }
  return found;
}

/**
 * Drops tables with their files; where something else deletes the files of the catalog's tables, the names alone.
 * @throws what dropping throws, with what to do: the definitions are registered by then
 */
export async function dropOnlineTables(project: Project, names: readonly string[]): Promise<void> {
  for (const name of names) {
    try {
      await dropWithFiles(project, name);
    } catch (error) {
      if (!isMoraineError(error)) throw error;
      const message = `The definitions are registered, but the online table ${name} is still there: ${error.message}`;
      const remedy = `Drop it: \`moraine table drop ${name}\`, with --purge if its files may be deleted.`;
      throw new MoraineError(error.code, message, { details: error.details, cause: error, remedy });
    }
  }
}

/** Drops a table with its files; where something else deletes the files of the catalog's tables, the name alone. Nothing where it is gone already. */
export async function dropWithFiles(project: Project, name: string): Promise<void> {
  try {
    await purgeTable(maintenanceDeps(project), await project.loadTable(name));
  } catch (error) {
    if (isMoraineError(error, 'TABLE_NOT_FOUND')) return;
    if (!isMoraineError(error, 'UNSUPPORTED_FEATURE')) throw error;
    const { catalog, identifier } = await project.resolveTable(name);
    await catalog.dropTable(identifier);
  }
}
