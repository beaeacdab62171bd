/** References between definitions: whether everything that is named exists. */
import { didYouMean } from '../../errors/index.js';
import type { Definitions, FeatureReference, FeatureView } from './definition.js';
import type { Problem } from './problem.js';

/** Problems of references within a set of definitions; none if it is whole. */
export function checkReferences(definitions: Definitions): readonly Problem[] {
  const problems: Problem[] = [];
  for (const view of definitions.featureViews.values()) {
    for (const entity of view.entities) {
      if (definitions.entities.has(entity)) continue;
      const message = `There is no entity '${entity}'. ${didYouMean(entity, definitions.entities.keys())}`;
      problems.push({ path: `featureViews.${view.name}.entities`, message });
    }
  }
  for (const service of definitions.featureServices.values()) {
    for (const reference of service.features) {
      const path = `featureServices.${service.name}.features.${reference.alias ?? reference.view}`;
      problems.push(...checkReference(definitions, reference).map((message) => ({ path, message })));
    }
  }
  return problems;
}

function checkReference(definitions: Definitions, reference: FeatureReference): readonly string[] {
  const view = definitions.featureViews.get(reference.view);
  if (view === undefined) {
    return [
      `There is no feature view '${reference.view}'. ${didYouMean(reference.view, definitions.featureViews.keys())}`,
    ];
  }
  return [...unknownFeatures(view, reference), ...unknownJoinKeys(definitions, view, reference)];
}

/** A view without a list of features has those of its table, which are checked against the table. */
function unknownFeatures(view: FeatureView, reference: FeatureReference): readonly string[] {
  const names = view.features?.map((feature) => feature.name);
  if (names === undefined) return [];
  return (reference.features ?? [])
    .filter((name) => !names.includes(name))
    .map((name) => `Feature view '${view.name}' has no feature '${name}'. ${didYouMean(name, names)}`);
}

function unknownJoinKeys(definitions: Definitions, view: FeatureView, reference: FeatureReference): readonly string[] {
  const keys = view.entities.flatMap((entity) => definitions.entities.get(entity)?.joinKeys ?? []);
  return [...(reference.joinKeyMap?.keys() ?? [])]
    .filter((key) => !keys.includes(key))
    .map((key) => `Feature view '${view.name}' has no join key '${key}'. ${didYouMean(key, keys)}`);
}
