/** Definitions as the paths below /feast answer them. */
import { isMoraineError } from '../errors/index.js';
import {
  type Definitions,
  type FeatureService,
  type FeatureView,
  feastValueType,
  featureTypeToString,
  objectKey,
  resolveView,
} from '../features/index.js';
import { currentSchema, type IcebergType, temporalText } from '../iceberg/index.js';
import type { Project } from '../project/index.js';

/** A feature view as it is listed. */
export interface ListedView {
  readonly name: string;
  readonly entities: readonly string[];
  readonly features: readonly { readonly name: string; readonly dtype: string | null }[];
  readonly source_table: string;
  readonly online_enabled: boolean;
  readonly ttl_seconds: number | null;
  readonly description: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly created_at: string | null;
}

/** Features that a view does not list are those of its table; a type that cannot be found out is null. */
export async function listedView(
  project: Project,
  definitions: Definitions,
  view: FeatureView,
  times: ReadonlyMap<string, bigint>,
): Promise<ListedView> {
  return {
    name: view.name,
    entities: view.entities,
    features: await featuresOf(project, definitions, view),
    source_table: view.source.table,
    online_enabled: view.online,
    ttl_seconds: view.ttlMs === null ? null : Number(view.ttlMs) / 1000,
    description: view.description ?? '',
    tags: Object.fromEntries(view.tags ?? []),
    created_at: createdAt(times, objectKey('featureView', view.name)),
  };
}

/** A feature service as it is listed; features of a view as `VIEW:FEATURE`, all of them as `VIEW`; the views that they are of. */
export function listedService(
  { name, features, description, tags }: FeatureService,
  times: ReadonlyMap<string, bigint>,
) {
  return {
    name,
    features: features.flatMap(({ view, features: names }) => names?.map((feature) => `${view}:${feature}`) ?? [view]),
    feature_views: [...new Set(features.map(({ view }) => view))],
    description: description ?? '',
    tags: Object.fromEntries(tags ?? []),
    created_at: createdAt(times, objectKey('featureService', name)),
  };
}

async function featuresOf(
  project: Project,
  definitions: Definitions,
  view: FeatureView,
): Promise<ListedView['features']> {
  try {
    const { metadata } = await project.loadTable(view.source.table);
    const { features } = resolveView(definitions, view.name, currentSchema(metadata));
    return features.map(({ name, type }) => ({ name, dtype: dtypeOf(type) }));
  } catch (error) {
    // It is not known what the table has now, which another request may find out.
    if (!isMoraineError(error) || error.retryable) throw error;
    return (view.features ?? []).map(({ name, type }) => ({ name, dtype: type === undefined ? null : dtypeOf(type) }));
  }
}

function dtypeOf(type: IcebergType): string {
  const name = feastValueType(type);
  return name === 'UNKNOWN' ? featureTypeToString(type) : name;
}

function createdAt(times: ReadonlyMap<string, bigint>, key: string): string | null {
  const us = times.get(key);
  return us === undefined ? null : String(temporalText({ kind: 'timestamptz' }, us, 'Z'));
}
