/** Dropping a table by name. */
import { formatTableName, parseTableName } from '../catalogs/index.js';
import { isMoraineError, MoraineError } from '../errors/index.js';
import { type DroppedFiles, purgeTable } from '../maintenance/index.js';
import { hasTablesOfOthers, maintenanceDeps, type Project } from '../project/index.js';

export interface DropTableOptions {
  /** Delete the table's files, too. */
  readonly purge?: boolean;
}

/**
 * Drops a table: its name goes, and its files only if asked to. Null where the files stay.
 * @throws `INVALID_ARGUMENT` for the registry and for a table that definitions name; `TABLE_NOT_FOUND`; `LOCATION_REFUSED` for a table of others in a
 * shared catalog; retryable failures to read it; and as {@link purgeTable}
 */
export async function dropTable(
  project: Project,
  name: string,
  { purge = false }: DropTableOptions = {},
): Promise<DroppedFiles | null> {
  await refuseUsed(project, name);
  if (purge) return await purgeTable(maintenanceDeps(project), await project.loadTable(name));
  const { catalog, identifier } = await project.resolveTable(name);
  const config = project.config.catalogs.get(catalog.name);
  try {
    await project.loadTable(name);
  } catch (error) {
    // It may be in the way of others because it cannot be loaded any more. One that is elsewhere is not this project's.
    const isOfOthers = isMoraineError(error, 'LOCATION_REFUSED') && config !== undefined && hasTablesOfOthers(config);
    if (!isMoraineError(error) || error.retryable || error.code === 'TABLE_NOT_FOUND' || isOfOthers) throw error;
  }
  await catalog.dropTable(identifier);
  return null;
}

async function refuseUsed(project: Project, name: string): Promise<void> {
  const { defaultCatalog, registry, online } = project.config;
  const whole = (given: string): string => {
    const { catalog = defaultCatalog, identifier } = parseTableName(given);
    return formatTableName(identifier, catalog);
  };
  const dropped = whole(name);
  const refuse = (use: string, remedy: string): never => {
    throw new MoraineError('INVALID_ARGUMENT', `Table ${dropped} is ${use}: ${remedy}.`, { details: { table: name } });
  };
  if (dropped === whole(registry.table))
    refuse('the registry of definitions of this project', 'it cannot be dropped here');
  for (const { name: view, source } of (await (await project.registry()).read()).definitions.featureViews.values()) {
    const remedy = `remove the view first (delete its definition, then moraine apply --prune)`;
    if (dropped === whole(source.table)) refuse(`the source of feature view ${view}`, remedy);
    if (dropped === whole(`${online.namespace}.${view}`)) refuse(`the online table of feature view ${view}`, remedy);
  }
}
