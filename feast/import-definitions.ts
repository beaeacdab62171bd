/** Entities, feature views and feature services of a Feast registry as definitions in the form of `features.yaml`. */
import { isMoraineError } from '../errors/index.js';
import { parseDefinitions } from '../features/index.js';
import { commonValue, type DefinitionValue, type TableSchema } from './definition-value.js';
import type { Findings, Obstacle } from './finding.js';
import { importService } from './import-service.js';
import { type ImportedView, importView } from './import-view.js';
import type { FeastEntity } from './registry-proto.js';
import type { FeastRepository } from './repository.js';
import type { ViewSources } from './view-sources.js';

/** The stand-in that Feast gives a view without entities (`feature_view.py`, DUMMY_ENTITY_NAME). */
const NO_ENTITY = '__dummy';

/** The content of `features.yaml`. */
export interface ImportedDefinitions {
  readonly entities: readonly DefinitionValue[];
  readonly featureViews: readonly DefinitionValue[];
  readonly featureServices: readonly DefinitionValue[];
}

/**
 * Turns a registry into definitions. What cannot be one, or means something else, is reported.
 *
 * @param schemas of the tables that views read: features are checked against them
 */
export function importDefinitions(
  { registry }: FeastRepository,
  { sources }: ViewSources,
  schemas: ReadonlyMap<string, TableSchema>,
  findings: Findings,
): ImportedDefinitions {
  const entities = new Map<string, DefinitionValue>();
  const joinKeys = new Map<string, string>();
  for (const entity of registry.entities) {
    if (entity.name === NO_ENTITY) continue;
    const value = entityValue(entity);
    const obstacle = mistakeIn('entities', value);
    if (obstacle !== undefined) findings.leftOut('entity', entity.name, obstacle);
    else {
      entities.set(entity.name, value);
      joinKeys.set(entity.name, joinKeyOf(entity));
    }
  }
  const views = new Map<string, ImportedView>();
  for (const view of registry.featureViews) {
    const source = sources.get(view.name);
    const entityNames = view.entities.filter((name) => name !== NO_ENTITY);
    const missing = entityNames.find((name) => !joinKeys.has(name));
    const imported =
      missing === undefined && source !== undefined
        ? importView({ ...view, entities: entityNames }, source, joinKeys, schemas, findings)
        : {
            reason: `its entity ${missing} is not imported`,
            remedy: 'Define the entity and the view in features.yaml.',
          };
    const obstacle = 'value' in imported ? mistakeIn('featureViews', imported.value) : imported;
    if (obstacle !== undefined) findings.leftOut('feature view', view.name, obstacle);
    else if ('value' in imported) views.set(view.name, imported);
  }
  const services: DefinitionValue[] = [];
  for (const service of registry.featureServices) {
    const imported = importService(service, views, findings);
    const obstacle = 'name' in imported ? mistakeIn('featureServices', imported) : imported;
    if (obstacle !== undefined) findings.leftOut('feature service', service.name, obstacle);
    else if ('name' in imported) services.push(imported);
  }
  return {
    entities: [...entities.values()],
    featureViews: [...views.values()].map((view) => view.value),
    featureServices: services,
  };
}

function joinKeyOf(entity: FeastEntity): string {
  return entity.join_key === '' ? entity.name : entity.join_key;
}

function entityValue(entity: FeastEntity): DefinitionValue {
  return { name: entity.name, ...commonValue(entity), joinKeys: [joinKeyOf(entity)] };
}

/** The fault of a value as a definition, for example a name that is not allowed here. */
function mistakeIn(section: keyof ImportedDefinitions, value: DefinitionValue): Obstacle | undefined {
  try {
    parseDefinitions([{ value: { [section]: [value] } }]);
    return undefined;
  } catch (error) {
    if (!isMoraineError(error)) throw error;
    const problems = error.details.problems;
    const reason = Array.isArray(problems) ? problems.join('; ') : error.message;
    return { reason, remedy: 'Change it in Feast, apply and import again; or define it in features.yaml.' };
  }
}
