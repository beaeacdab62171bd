/** Paths below /feast: what is registered, and registering more. */
import { registerDefinitions } from '../client/index.js';
import { findFeatureService, findFeatureView, type Registry } from '../features/index.js';
import type { Project } from '../project/index.js';
import { listedService, listedView } from './feast-answers.js';
import {
  type FeatureServiceBody,
  type FeatureViewBody,
  refuseOnDemand,
  serviceDefinitions,
  sourceTableOf,
  viewDefinitions,
} from './feast-body.js';
import {
  FEATURE_SERVICE_REQUEST,
  FEATURE_VIEW_LIST,
  FEATURE_VIEW_REQUEST,
  REGISTERED_SERVICE,
  REGISTERED_VIEW,
  STATUS_ANSWER,
} from './feast-schemas.js';
import type { Route } from './route.js';

export interface FeastDeps {
  readonly project: Project;
}

export function feastRoutes({ project }: FeastDeps): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/feast/status',
      summary: 'What is registered, by name.',
      scope: 'read',
      answers: { 200: STATUS_ANSWER },
      errors: [503],
      handle: async (_, reply) => reply.send(await status(await project.registry())),
    },
    {
      method: 'GET',
      path: '/feast/features',
      summary: 'Every registered feature view.',
      scope: 'read',
      answers: { 200: FEATURE_VIEW_LIST },
      errors: [503],
      handle: async (_, reply) => reply.send({ feature_views: await listViews(project) }),
    },
    {
      method: 'POST',
      path: '/feast/features',
      summary: 'Registers a feature view, and the entities of it that are not registered.',
      scope: 'admin',
      body: FEATURE_VIEW_REQUEST,
      refuse: refuseOnDemand,
      answers: { 201: REGISTERED_VIEW },
      errors: [404, 409, 422, 501, 503],
      handle: async ({ body }, reply) => reply.status(201).send(await registerView(project, body as FeatureViewBody)),
    },
    {
      method: 'POST',
      path: '/feast/features/service',
      summary: 'Registers a feature service.',
      scope: 'admin',
      body: FEATURE_SERVICE_REQUEST,
      answers: { 201: REGISTERED_SERVICE },
      errors: [404, 409, 501, 503],
      handle: async ({ body }, reply) =>
        reply.status(201).send(await registerService(project, body as FeatureServiceBody)),
    },
  ];
}

async function status(registry: Registry): Promise<object> {
  const { definitions } = await registry.read();
  const names = (of: ReadonlyMap<string, unknown>): readonly string[] => [...of.keys()].sort();
  const [views, entities, services] = [
    names(definitions.featureViews),
    names(definitions.entities),
    names(definitions.featureServices),
  ];
  return {
    ...{ registry_type: 'iceberg', online_store_type: 'iceberg', offline_store_type: 'iceberg' },
    ...{ num_feature_views: views.length, feature_views: views },
    ...{ num_entities: entities.length, entities },
    ...{ num_feature_services: services.length, feature_services: services },
  };
}

async function listViews(project: Project): Promise<readonly object[]> {
  const registry = await project.registry();
  const { definitions } = await registry.read();
  const times = await registry.creationTimes();
  const views = [...definitions.featureViews.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  return Promise.all(views.map((view) => listedView(project, definitions, view, times)));
}

async function registerView(project: Project, body: FeatureViewBody): Promise<object> {
  const registry = await project.registry();
  const { metadata } = await project.loadTable(sourceTableOf(body));
  await registerDefinitions(project, viewDefinitions(body, (await registry.read()).definitions, metadata));
  const { definitions } = await registry.read();
  const times = await registry.creationTimes();
  const view = await listedView(project, definitions, findFeatureView(definitions, body.name), times);
  return { ...view, status: 'registered', message: `The feature view '${body.name}' is registered.` };
}

async function registerService(project: Project, body: FeatureServiceBody): Promise<object> {
  const registry = await project.registry();
  await registerDefinitions(project, serviceDefinitions(body, (await registry.read()).definitions));
  const { definitions } = await registry.read();
  const service = listedService(findFeatureService(definitions, body.name), await registry.creationTimes());
  return { ...service, status: 'registered', message: `The feature service '${body.name}' is registered.` };
}
