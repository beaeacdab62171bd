/** Definitions against the tables they read: whether tables and columns exist and types fit. */
import { didYouMean, isMoraineError } from '../../errors/index.js';
import type { Schema } from '../../iceberg/index.js';
import type { Definitions, FeatureReference } from '../definitions/definition.js';
import { type Problem, throwProblems } from '../definitions/problem.js';
import { bindView, type ResolvedView } from '../views/resolve-view.js';

/**
 * Binds every view to its source table, and every service to its views' features.
 * @param inspect what else may be wrong with a view that is bound
 * @param loadSchema the current schema of a table by its name (`[CATALOG/]NS.TABLE`); its refusals become problems
 * @throws DEFINITION_INVALID listing every problem at once
 */
export async function validateSources(
  definitions: Definitions,
  loadSchema: (table: string) => Promise<Schema>,
  inspect: (view: ResolvedView) => readonly Problem[] = () => [],
): Promise<ReadonlyMap<string, ResolvedView>> {
  const problems: Problem[] = [];
  const resolved = new Map<string, ResolvedView>();
  for (const view of definitions.featureViews.values()) {
    const schema = await schemaOrProblem(view.source.table, loadSchema);
    if (typeof schema === 'string') {
      problems.push({ path: `featureViews.${view.name}.source.table`, message: schema });
      continue;
    }
    const bound = bindView(definitions.entities, view, schema, 0, problems);
    if (bound === undefined) continue;
    resolved.set(view.name, bound);
    problems.push(...inspect(bound));
  }
  for (const service of definitions.featureServices.values()) {
    for (const reference of service.features) {
      const path = `featureServices.${service.name}.features.${reference.alias ?? reference.view}`;
      problems.push(...unknownFeatures(resolved.get(reference.view), reference).map((message) => ({ path, message })));
    }
  }
  if (problems.length > 0) throwProblems(problems);
  return resolved;
}

async function schemaOrProblem(
  table: string,
  loadSchema: (table: string) => Promise<Schema>,
): Promise<Schema | string> {
  try {
    return await loadSchema(table);
  } catch (error) {
    if (isMoraineError(error, 'TABLE_NOT_FOUND', 'NAMESPACE_NOT_FOUND', 'INVALID_ARGUMENT', 'CONFIG_INVALID'))
      return error.message;
    throw error;
  }
}

function unknownFeatures(view: ResolvedView | undefined, reference: FeatureReference): readonly string[] {
  if (view === undefined) return [];
  const names = view.features.map((feature) => feature.name);
  return (reference.features ?? [])
    .filter((name) => !names.includes(name))
    .map((name) => `Feature view '${view.name}' has no feature '${name}'. ${didYouMean(name, names)}`);
}
