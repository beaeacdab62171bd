/** Dropping the online tables of feature views. */
import { formatTableName } from '../catalogs/index.js';
import { findFeatureView } from '../features/index.js';
import { materializationDeps, type Project } from '../project/index.js';
import { dropWithFiles } from './prune-online-tables.js';

export interface TeardownOnlineOptions {
  /** The views whose tables go; every registered one unless given. */
  readonly views?: readonly string[];
  /** Drop nothing, and tell what would be dropped. */
  readonly dryRun?: boolean;
}

/** Result of a teardown. */
export interface TornDownOnline {
  /** The tables that were dropped, or with `dryRun` would be. */
  readonly tables: readonly string[];
}

/**
 * Drops the online tables of feature views with their files, rows that clients have pushed among them. Definitions and source tables stay: the next materialization
 * makes a table again, and reads the source from the beginning. Views without a table are passed over.
 * @throws `FEATURE_VIEW_NOT_FOUND` before anything is dropped; and as dropping a table: those before it are dropped by then
 */
export async function teardownOnline(
  project: Project,
  { views, dryRun = false }: TeardownOnlineOptions = {},
): Promise<TornDownOnline> {
  const deps = await materializationDeps(project);
  const { catalog, settings } = deps;
  const known = await deps.definitions();
  const names = views?.map((name) => findFeatureView(known, name).name) ?? [...known.featureViews.keys()];
  const namespace = settings?.namespace ?? [];
  const tables: string[] = [];
  for (const name of new Set(names))
    if (await catalog.tableExists({ namespace, name })) tables.push(formatTableName({ namespace, name }));
  if (!dryRun) for (const table of tables) await dropWithFiles(project, table);
  return { tables };
}
