/** What the first run or write after an apply makes of the online tables of the views that it changes. */
import { formatTableName } from '../catalogs/index.js';
import { type ApplyPlan, type FeatureView, resolveView } from '../features/index.js';
import { currentSchema, type Schema, sameType, typeToString } from '../iceberg/index.js';
import { onlineLayout } from '../online/index.js';
import { materializationDeps, type Project } from '../project/index.js';
import { onlineTableOf } from './redefined-views.js';

/** An online table that is to be made, or to get other columns. */
export interface PlannedTable {
  /** `NAMESPACE.NAME`, as it is called once the definitions are registered. */
  readonly table: string;
  readonly action: 'create' | 'evolve';
  /** Columns with their types, such as `+ orders: long`, `~ amount: float -> double` and `- returned: boolean`. */
  readonly columns: readonly string[];
}

/**
 * The tables by name; none of views that are not online, or whose tables are as they should be.
 * @param views those that the plan changes
 * @param dropped tables that the apply drops, which are made anew
 */
export async function plannedTables(
  project: Project,
  plan: ApplyPlan,
  views: readonly FeatureView[],
  dropped: readonly string[],
): Promise<readonly PlannedTable[]> {
  const { settings } = await materializationDeps(project);
  const planned: PlannedTable[] = [];
  for (const { name, online, source } of views) {
    if (!online) continue;
    const view = resolveView(plan.result, name, currentSchema((await project.loadTable(source.table)).metadata));
    const { identifier, schema } = onlineLayout(view, settings);
    const table = formatTableName(identifier);
    const metadata = dropped.includes(table) ? null : await onlineTableOf(project, plan, name);
    const columns = columnChanges(metadata === null ? null : currentSchema(metadata), schema);
    if (columns.length > 0) planned.push({ table, action: metadata === null ? 'create' : 'evolve', columns });
  }
  return planned.toSorted((a, b) => (a.table < b.table ? -1 : 1));
}

/** Columns by name, the new ones last; those that go, too. */
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
