/** Views whose online tables hold values of another definition than an apply registers. */
import { isMoraineError } from '../errors/index.js';
import { type ApplyPlan, objectKey } from '../features/index.js';
import type { TableMetadata } from '../iceberg/index.js';
import { definitionChangeTexts } from '../online/index.js';
import type { Project } from '../project/index.js';

/** A view that has to be materialized before all that it defines can be read online. */
export interface RedefinedView {
  readonly view: string;
  /** The changes since the last materialization, such as `the source table was shop.a and is shop.b`. */
  readonly changes: readonly string[];
}

/** The views of a plan's result that have been materialized, but not as they are defined then; by name. */
export async function redefinedViews(project: Project, plan: ApplyPlan): Promise<readonly RedefinedView[]> {
  const views = [...plan.result.featureViews.values()].filter(({ online }) => online);
  const loadSource = (name: string) => project.loadTable(name);
  const checked = await Promise.all(
    views.map(async (view): Promise<readonly RedefinedView[]> => {
      const metadata = await onlineTableOf(project, plan, view.name);
      if (metadata === null) return [];
      const changes = await definitionChangeTexts(metadata, view, plan.result, loadSource);
      return changes.length === 0 ? [] : [{ view: view.name, changes }];
    }),
  );
  return checked.flat().sort((a, b) => (a.view < b.view ? -1 : 1));
}

/** The online table of a view, which has an earlier name until the renames of the plan are followed; null if it has none. */
export async function onlineTableOf(project: Project, plan: ApplyPlan, name: string): Promise<TableMetadata | null> {
  const catalog = await project.catalog();
  const namespace = project.config.online.namespace.split('.');
  for (const candidate of [name, ...(plan.formerNames.get(objectKey('featureView', name)) ?? [])]) {
    try {
      return (await catalog.loadTable({ namespace, name: candidate })).metadata;
    } catch (error) {
      if (!isMoraineError(error, 'TABLE_NOT_FOUND', 'NAMESPACE_NOT_FOUND')) throw error;
    }
  }
  return null;
}
