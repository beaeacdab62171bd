/** Definitions as JSON values with the keys they have in YAML: what the registry stores and `apply` compares. */
import type {
  DefinitionBase,
  DefinitionKind,
  Definitions,
  Entity,
  FeatureReference,
  FeatureService,
  FeatureView,
} from './definition.js';
import type { CanonicalValue } from './definition-hash.js';
import { formatDurationMs } from './duration.js';
import { featureTypeToString } from './feature-type.js';
import { viewScheduleToJson } from './view-schedule.js';

/** A JSON object with names as keys. */
export type DefinitionJson = Readonly<Record<string, CanonicalValue | undefined>>;

/** A definition of any kind, tagged. */
export type AnyRegistered =
  | { readonly kind: 'entity'; readonly definition: Entity }
  | { readonly kind: 'featureView'; readonly definition: FeatureView }
  | { readonly kind: 'featureService'; readonly definition: FeatureService };

/** Every definition of a set, entities first, so that what is referred to comes before what refers. */
export function allDefinitions(definitions: Definitions): readonly AnyRegistered[] {
  return [
    ...[...definitions.entities.values()].map((definition) => ({ kind: 'entity', definition }) as const),
    ...[...definitions.featureViews.values()].map((definition) => ({ kind: 'featureView', definition }) as const),
    ...[...definitions.featureServices.values()].map((definition) => ({ kind: 'featureService', definition }) as const),
  ];
}

/** The definition of a kind and name. */
export function findDefinition(
  definitions: Definitions,
  kind: DefinitionKind,
  name: string,
): AnyRegistered | undefined {
  return allDefinitions(definitions).find((item) => item.kind === kind && item.definition.name === name);
}

/** A definition as JSON. `renamedFrom` is left out: it says how it came about, not what it is. */
export function definitionToJson(item: AnyRegistered): DefinitionJson {
  if (item.kind === 'entity') return { ...baseToJson(item.definition), joinKeys: item.definition.joinKeys };
  if (item.kind === 'featureView') return viewToJson(item.definition);
  return { ...baseToJson(item.definition), features: item.definition.features.map(referenceToJson) };
}

function baseToJson(definition: DefinitionBase): DefinitionJson {
  const { name, description, tags, registeredBy } = definition;
  return { name, description, tags, registeredBy };
}

function viewToJson(view: FeatureView): DefinitionJson {
  return {
    ...baseToJson(view),
    entities: view.entities,
    source: { ...view.source },
    ttl: view.ttlMs === null ? undefined : formatDurationMs(view.ttlMs),
    online: view.online,
    features: view.features?.map((feature) => ({
      name: feature.name,
      type: feature.type === undefined ? undefined : featureTypeToString(feature.type),
    })),
    onlineBuckets: view.onlineBuckets,
    onlinePartitionStrategy: view.onlinePartitionStrategy,
    engine: view.engine,
    schedule: view.schedule === undefined ? undefined : viewScheduleToJson(view.schedule),
    pushSource: view.pushSource,
  };
}

function referenceToJson(reference: FeatureReference): DefinitionJson {
  return { ...reference };
}
