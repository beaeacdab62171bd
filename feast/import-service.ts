/** One feature service. */

import { commonValue, type DefinitionValue, mapOf } from './definition-value.js';
import type { Findings, Obstacle } from './finding.js';
import type { ImportedView } from './import-view.js';
import type { FeastFeatureService, FeastProjection } from './registry-proto.js';

/**
 * A service with every feature that it has in Feast; one of which any is missing is left out as a whole, so that no
 * model reads fewer features than it was made for under the same name.
 */
export function importService(
  service: FeastFeatureService,
  views: ReadonlyMap<string, ImportedView>,
  findings: Findings,
): DefinitionValue | Obstacle {
  const missing = service.features.flatMap((projection) => missingOf(projection, views));
  if (missing.length > 0) {
    return {
      reason: `it needs ${missing.join(', ')}`,
      remedy: 'Define it in features.yaml with the features that the model can do with.',
    };
  }
  if (service.logging_config !== null) {
    findings.leftOut('logging of feature service', service.name, {
      reason: 'where served features are logged is not part of a definition',
      remedy: 'Name the service in server.logFeatures of moraine.yaml; see the documentation of logged features.',
    });
  }
  const features = service.features.map((projection) => referenceValue(projection, views));
  return { name: service.name, ...commonValue(service), features };
}

function missingOf(projection: FeastProjection, views: ReadonlyMap<string, ImportedView>): readonly string[] {
  const name = projection.feature_view_name;
  const view = views.get(name);
  if (view === undefined) return [`${name}, which is not an imported feature view`];
  if (projection.version_tag !== undefined) return [`version ${projection.version_tag} of ${name}`];
  return projection.feature_columns
    .filter((feature) => !view.features.has(feature.name))
    .map((feature) => `${name}:${feature.name}, which is not imported`);
}

/** `view` where it is all of it, else an object. */
function referenceValue(projection: FeastProjection, views: ReadonlyMap<string, ImportedView>): unknown {
  const { feature_view_name: view, feature_view_name_alias: alias } = projection;
  const features = projection.feature_columns.map((feature) => feature.name);
  const imported = views.get(view);
  const wanted = new Set(features);
  const all =
    features.length === 0 ||
    (imported?.complete === true && [...imported.features].every((feature) => wanted.has(feature)));
  const joinKeyMap = mapOf(projection.join_key_map);
  if (all && alias === '' && joinKeyMap.size === 0) return view;
  return {
    view,
    ...(all ? {} : { features }),
    ...(alias === '' || alias === view ? {} : { alias }),
    ...(joinKeyMap.size === 0 ? {} : { joinKeyMap }),
  };
}
