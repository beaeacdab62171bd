/** The tables behind the feature views: their sources and their online tables. */
import { formatTableName } from '../catalogs/index.js';
import { isMoraineError } from '../errors/index.js';
import type { Definitions } from '../features/index.js';
import type { Project } from '../project/index.js';
import { mapConcurrently } from '../storage/index.js';
import { type TableSummary, tableSummary } from './list-tables.js';

/** A table that views read, or the online table of one. */
export interface ViewTable {
  /** The name that commands and requests take. */
  readonly name: string;
  readonly use: 'source' | 'online';
  /** The views that read it, or the one whose rows it has. */
  readonly views: readonly string[];
}

export interface ViewTableState extends ViewTable {
  /** Null: there is no such table, or its metadata cannot be read. */
  readonly summary: TableSummary | null;
  /** Why it cannot be read; null for an online table that no run has made yet. */
  readonly problem: string | null;
}

/** The tables of all views, sources first, each kind by name. */
export function tablesOfViews({ config }: Project, { featureViews }: Definitions): readonly ViewTable[] {
  const views = [...featureViews.values()];
  const readersOf = (table: string): readonly string[] =>
    views.filter(({ source }) => source.table === table).map(({ name }) => name);
  const namespace = config.online.namespace.split('.');
  const byName = (a: ViewTable, b: ViewTable): number => (a.name < b.name ? -1 : 1);
  const online = views
    .filter((view) => view.online)
    .map(({ name }) => ({ name: formatTableName({ namespace, name }), use: 'online' as const, views: [name] }));
  return [
    ...[...new Set(views.map(({ source }) => source.table))]
      .map((name) => ({ name, use: 'source' as const, views: readersOf(name) }))
      .sort(byName),
    ...online.sort(byName),
  ];
}

/** What the metadata of each table says. A table that cannot be read has the reason. */
export function viewTableStates(project: Project, tables: readonly ViewTable[]): Promise<readonly ViewTableState[]> {
  return mapConcurrently(tables, async (table) => {
    try {
      const { catalog, identifier } = await project.resolveTable(table.name);
      const { metadata } = await catalog.loadTable(identifier, { snapshots: 'refs' });
      return { ...table, summary: tableSummary(metadata), problem: null };
    } catch (error) {
      if (!isMoraineError(error)) throw error;
      const isNotMade = table.use === 'online' && isMoraineError(error, 'TABLE_NOT_FOUND', 'NAMESPACE_NOT_FOUND');
      return { ...table, summary: null, problem: isNotMade ? null : error.message };
    }
  });
}
