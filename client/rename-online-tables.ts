import { formatTableName } from '../catalogs/index.js';
import { isMoraineError, MoraineError } from '../errors/index.js';
import { type ApplyPlan, objectKey } from '../features/index.js';
import { type RenamedView, renameOnlineTables, requireFreeName } from '../online/index.js';
import { materializationDeps, type Project } from '../project/index.js';

/** An online table that has the name of its view again. */
export interface RenamedTable {
  readonly from: string;
  readonly to: string;
}

/** Refuses renames of views whose online tables cannot follow. @throws TABLE_ALREADY_EXISTS */
export async function checkOnlineNames(project: Project, plan: ApplyPlan): Promise<void> {
  const names = new Set(plan.changes.flatMap(({ action, name }) => (action === 'rename' ? [name] : [])));
  const views = onlineViews(plan).filter(({ name }) => names.has(name));
  if (views.length === 0) return;
  const { catalog, settings } = await materializationDeps(project);
  for (const view of views) await requireFreeName(catalog, view, settings);
}

/**
 * Lets online tables follow the views that were renamed, in this apply or in one that was cut short.
 * @throws what the catalog throws, with what to do: the definitions are registered by then
 */
export async function followRenames(project: Project, plan: ApplyPlan): Promise<readonly RenamedTable[]> {
  const views = onlineViews(plan);
  if (views.length === 0) return [];
  const { catalog, settings } = await materializationDeps(project);
  try {
    const renamed = await renameOnlineTables(catalog, views, settings);
    return renamed.map(({ from, to }) => ({ from: formatTableName(from), to: formatTableName(to) }));
  } catch (error) {
    if (!isMoraineError(error)) throw error;
    const message = `The definitions are registered, but an online table could not be given the name of its view: ${error.message} Apply them again.`;
    throw new MoraineError(error.code, message, { details: error.details, cause: error });
  }
}

/** Views with an online table that may still have an earlier name. */
function onlineViews({ result, formerNames }: ApplyPlan): readonly RenamedView[] {
  return [...result.featureViews.values()].flatMap(({ name, online }) => {
    const former = formerNames.get(objectKey('featureView', name)) ?? [];
    return online && former.length > 0 ? [{ name, formerNames: former }] : [];
  });
}
