/** The online tables of the views that an apply changes: as they are, and as the views are defined then. */
import { formatTableName } from '../catalogs/index.js';
import { type ApplyPlan, type FeatureView, resolveView } from '../features/index.js';
import { currentSchema, type TableMetadata } from '../iceberg/index.js';
import { type OnlineLayout, onlineLayout } from '../online/index.js';
import { materializationDeps, type Project } from '../project/index.js';
import { onlineTableOf } from './redefined-views.js';

export interface ChangedTable {
  readonly view: string;
  /** `NAMESPACE.NAME`, as it is called once the definitions are registered. */
  readonly table: string;
  readonly layout: OnlineLayout;
  readonly joinKeys: readonly string[];
  /** Null: it is not made yet. */
  readonly metadata: TableMetadata | null;
}

/** @param views those that the plan changes; those that are not online have no table */
export async function changedTables(
  project: Project,
  plan: ApplyPlan,
  views: readonly FeatureView[],
): Promise<readonly ChangedTable[]> {
  const { settings } = await materializationDeps(project);
  const found: ChangedTable[] = [];
  for (const { name, online, source } of views) {
    if (!online) continue;
    const view = resolveView(plan.result, name, currentSchema((await project.loadTable(source.table)).metadata));
    const layout = onlineLayout(view, settings);
    found.push({
      view: name,
      table: formatTableName(layout.identifier),
      layout,
      joinKeys: view.joinKeys.map((key) => key.name),
      metadata: await onlineTableOf(project, plan, name),
    });
  }
  return found;
}
