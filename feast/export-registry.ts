/** Definitions as a registry of Feast 0.67, which its clients read as it is. */
import { isMoraineError, MoraineError } from '../errors/index.js';
import {
  type Definitions,
  type Entity,
  type FeatureReference,
  type FeatureService,
  type FeatureView,
  featureTypeToString,
  type ResolvedColumn,
  type ResolvedView,
} from '../features/index.js';
import { exportPushSource, exportSource, pairs, type SourceTable } from './export-source.js';
import { exportType } from './feast-type.js';
import { encodeFeastRegistry, type FeastFields } from './registry-proto.js';

/** A view bound to its source, and where that is. */
export interface ExportedView {
  readonly resolved: ResolvedView;
  readonly table: SourceTable;
}

export interface RegistryExport {
  /** Name of the project in Feast. */
  readonly project: string;
  readonly definitions: Definitions;
  /** Feature views by name. */
  readonly views: ReadonlyMap<string, ExportedView>;
  /** The other feature views, and why they are not bound. */
  readonly unbound: ReadonlyMap<string, MoraineError>;
  /** When the definitions changed last, for Feast's columns of times; milliseconds since the epoch. */
  readonly changedMs: number;
}

/** A definition that the registry lacks. */
export interface LeftOut {
  readonly kind: 'feature view' | 'feature service';
  readonly name: string;
  readonly reason: string;
}

export interface ExportedRegistry {
  /** The content of a registry file. */
  readonly registry: Uint8Array;
  /** How many views and services the registry has. */
  readonly counts: { readonly featureViews: number; readonly featureServices: number };
  readonly leftOut: readonly LeftOut[];
}

/** Feast's entity of views without one (feast/feature_view.py, DUMMY_ENTITY). */
const NO_ENTITY = { name: '__dummy', joinKey: '__dummy_id' };
const STRING = 2;

/** Views that are not bound or that Feast cannot have are left out, and so are services that need them. */
export function exportRegistry(input: RegistryExport): ExportedRegistry {
  const { definitions, views } = input;
  const problems = problemsOf(input);
  const services = [...definitions.featureServices.values()].map((service) => {
    return { service, missing: service.features.find(({ view }) => problems.has(view))?.view };
  });
  const kept = {
    ...definitions,
    featureViews: without(definitions.featureViews, problems),
    featureServices: new Map(
      services.flatMap(({ service, missing }) => (missing === undefined ? [[service.name, service] as const] : [])),
    ),
  };
  return {
    registry: encode({ ...input, definitions: kept, views: without(views, problems) }),
    counts: { featureViews: kept.featureViews.size, featureServices: kept.featureServices.size },
    leftOut: [
      ...[...problems].map(([name, reason]) => ({ kind: 'feature view' as const, name, reason })),
      ...services.flatMap(({ service: { name }, missing }) => {
        const reason = `It has features of the view '${missing}', which is left out.`;
        return missing === undefined ? [] : [{ kind: 'feature service' as const, name, reason }];
      }),
    ],
  };
}

function without<T>(all: ReadonlyMap<string, T>, names: ReadonlyMap<string, unknown>): ReadonlyMap<string, T> {
  return new Map([...all].filter(([name]) => !names.has(name)));
}

/** Why views are left out, by their names. */
function problemsOf({ views, unbound }: RegistryExport): ReadonlyMap<string, string> {
  const unsupported = [...views].flatMap(([name, { resolved }]) => {
    try {
      for (const column of [...resolved.joinKeys, ...resolved.features]) columnOf(name, column);
      return [];
    } catch (error) {
      if (!isMoraineError(error)) throw error;
      return [[name, error.message] as const];
    }
  });
  return new Map([...[...unbound].map(([name, { message }]) => [name, message] as const), ...unsupported]);
}

/** Of views that Feast can have, all of them bound. */
function encode(input: RegistryExport): Uint8Array {
  const { definitions, views, project, changedMs } = input;
  const time = { seconds: Math.floor(changedMs / 1000), nanos: 0 };
  const meta = { created_timestamp: time, last_updated_timestamp: time };
  const featureViews = [...definitions.featureViews.values()];
  const sources = new Map(featureViews.map((view) => [view.source.table, sourceOf(view, input)]));
  const pushSources = new Map(featureViews.flatMap((view) => pushSourceOf(view, input)));
  return encodeFeastRegistry({
    registry_schema_version: '1',
    last_updated: time,
    projects: [{ spec: { name: project }, meta }],
    entities: entitiesOf(input).map((spec) => ({ spec, meta })),
    data_sources: [...sources.values(), ...pushSources.values()],
    feature_views: featureViews.map((view) => ({ spec: viewOf(view, input), meta })),
    feature_services: [...definitions.featureServices.values()].map((service) => ({
      spec: serviceOf(service, { project, views }),
      meta,
    })),
  });
}

const sourceOf = (view: FeatureView, { views, project }: RegistryExport): FeastFields =>
  exportSource(view.source, exported(views, view.name).table, project);

/** The push source of a view by its name. In Feast each view has its own source below the push source that it names. */
function pushSourceOf(view: FeatureView, input: RegistryExport): readonly (readonly [string, FeastFields])[] {
  const { pushSource } = view;
  return pushSource === undefined ? [] : [[pushSource, exportPushSource(pushSource, sourceOf(view, input))]];
}

function exported(views: RegistryExport['views'], name: string): ExportedView {
  const view = views.get(name);
  if (view === undefined) throw new TypeError(`The view ${name} was not resolved`);
  return view;
}

/** An entity of Feast has one join key: one of several becomes an entity for each. */
const feastEntities = ({ name, joinKeys }: Entity): readonly { readonly name: string; readonly joinKey: string }[] =>
  joinKeys.length === 1
    ? [{ name, joinKey: joinKeys[0] ?? '' }]
    : joinKeys.map((joinKey) => ({ name: `${name}__${joinKey}`, joinKey }));

function entitiesOf({ definitions, views, project }: RegistryExport): readonly FeastFields[] {
  const keyTypes = new Map(
    [...views.values()].flatMap(({ resolved }) => resolved.joinKeys).map((key) => [key.name, exportType(key.type)]),
  );
  const own = [...definitions.entities.values()].flatMap((entity) =>
    feastEntities(entity).map(({ name, joinKey }) => ({
      ...{ name, project, join_key: joinKey, value_type: keyTypes.get(joinKey) ?? STRING },
      ...{ description: entity.description ?? '', tags: pairs(entity.tags) },
    })),
  );
  const hasNone = [...views.values()].some(({ resolved }) => resolved.joinKeys.length === 0);
  const { name, joinKey } = NO_ENTITY;
  return hasNone ? [...own, { name, project, join_key: joinKey, value_type: STRING }] : own;
}

function viewOf(view: FeatureView, input: RegistryExport): FeastFields {
  const { definitions, project, views } = input;
  const { resolved } = exported(views, view.name);
  const [[, stream] = []] = pushSourceOf(view, input);
  const entities = view.entities.flatMap((name) => {
    const entity = definitions.entities.get(name);
    return entity === undefined ? [] : feastEntities(entity).map((feast) => feast.name);
  });
  return {
    name: view.name,
    project,
    entities: entities.length === 0 ? [NO_ENTITY.name] : entities,
    entity_columns: resolved.joinKeys.map((key) => columnOf(view.name, key)),
    features: resolved.features.map((feature) => columnOf(view.name, feature)),
    tags: pairs(view.tags),
    ttl: { seconds: Number((view.ttlMs ?? 0n) / 1000n), nanos: Number((view.ttlMs ?? 0n) % 1000n) * 1_000_000 },
    batch_source: sourceOf(view, input),
    ...(stream === undefined ? {} : { stream_source: stream }),
    online: view.online,
    description: view.description ?? '',
  };
}

function columnOf(view: string, { name, type }: ResolvedColumn): FeastFields {
  const value_type = exportType(type);
  if (value_type > 0) return { name, value_type };
  const message = `The column '${name}' of the view '${view}' has the type ${featureTypeToString(type)}, which Feast does not have.`;
  throw new MoraineError('UNSUPPORTED_FEATURE', message);
}

function serviceOf(
  { name, description, tags, features }: FeatureService,
  { project, views }: Pick<RegistryExport, 'project' | 'views'>,
): FeastFields {
  const projection = ({ view, alias, features: chosen, joinKeyMap }: FeatureReference): FeastFields => ({
    feature_view_name: view,
    feature_view_name_alias: alias ?? '',
    feature_columns: exported(views, view)
      .resolved.features.filter((feature) => chosen === undefined || chosen.includes(feature.name))
      .map((feature) => columnOf(view, feature)),
    join_key_map: pairs(joinKeyMap),
  });
  return { name, project, description: description ?? '', tags: pairs(tags), features: features.map(projection) };
}
