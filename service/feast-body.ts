/** Bodies that register feature views and services, as definitions. */
import { MoraineError } from '../errors/index.js';
import { namedType } from '../feast/index.js';
import { type Definitions, type Entity, parseDefinitions } from '../features/index.js';
import { currentSchema, type Schema, type TableMetadata } from '../iceberg/index.js';

/** Body of `POST /feast/features` that its schema allows. */
export interface FeatureViewBody {
  readonly name: string;
  readonly entities: readonly string[];
  readonly features: readonly { readonly name: string; readonly dtype?: string | null }[];
  readonly source: {
    readonly catalog?: string | null;
    readonly schema: string;
    readonly table_name: string;
    readonly timestamp_field: string;
    readonly created_timestamp_column?: string | null;
  };
  readonly online?: boolean;
  readonly ttl_seconds?: number | null;
  readonly description?: string | null;
  readonly tags?: Readonly<Record<string, string>> | null;
}

/** Body of `POST /feast/features/service` that its schema allows. */
export interface FeatureServiceBody {
  readonly name: string;
  /** `VIEW:FEATURE`, or `VIEW` for all of its features. */
  readonly features?: readonly string[];
  /** Names of views whose features are all taken; with `features`, after them. */
  readonly feature_views?: readonly string[];
  readonly description?: string | null;
  readonly tags?: Readonly<Record<string, string>> | null;
}

/** The name of the source table, `[CATALOG/]NS.TABLE`. */
export function sourceTableOf({ source }: FeatureViewBody): string {
  const { catalog, schema, table_name: table } = source;
  return `${catalog === undefined || catalog === null ? '' : `${catalog}/`}${schema}.${table}`;
}

/**
 * The view of a body, and the entities that are not registered: such an entity has one join key, the column of its name.
 *
 * @param registered a view of the same name keeps the mark of who has registered it
 * @throws DEFINITION_INVALID
 */
export function viewDefinitions(body: FeatureViewBody, registered: Definitions, metadata: TableMetadata): Definitions {
  const missing = body.entities.filter((name) => !registered.entities.has(name));
  const { timestamp_field: timestampField, created_timestamp_column: created } = body.source;
  const view = {
    ...described(body, registered.featureViews.get(body.name)),
    entities: body.entities,
    source: {
      ...{ table: sourceTableOf(body), timestampField },
      ...(created === undefined || created === null ? {} : { createdTimestampField: created }),
    },
    online: body.online ?? true,
    ttl: body.ttl_seconds === undefined || body.ttl_seconds === null ? null : `${body.ttl_seconds}s`,
    features: typedFeatures(body, currentSchema(metadata)),
  };
  const entities = missing.map((name) => ({ name, joinKeys: [name], registeredBy: 'http' }) satisfies Entity);
  return parseDefinitions([{ value: { entities, featureViews: [view] } }]);
}

/** @throws DEFINITION_INVALID */
export function serviceDefinitions(body: FeatureServiceBody, registered: Definitions): Definitions {
  const features = [...(body.features ?? []), ...(body.feature_views ?? [])];
  const service = { ...described(body, registered.featureServices.get(body.name)), features };
  return parseDefinitions([{ value: { featureServices: [service] } }]);
}

function described(
  { name, description, tags }: FeatureServiceBody | FeatureViewBody,
  registered: { readonly registeredBy?: 'http' } | undefined,
): object {
  const registeredBy = registered === undefined ? 'http' : registered.registeredBy;
  return {
    name,
    ...(description === undefined || description === null ? {} : { description }),
    ...(tags === undefined || tags === null ? {} : { tags }),
    ...(registeredBy === undefined ? {} : { registeredBy }),
  };
}

/** A feature without a type has that of its column. Columns that are not there are found when the view is registered. */
function typedFeatures({ name: view, features }: FeatureViewBody, { fields }: Schema): readonly object[] {
  return features.map(({ name, dtype }) => {
    const column = fields.find((field) => field.name === name);
    if (dtype === undefined || dtype === null || column === undefined) return { name };
    const named = namedType(dtype, column.type);
    if (named !== undefined && named.difference === undefined)
      return named.type === undefined ? { name } : { name, type: named.type };
    const problem =
      named === undefined ? `'${dtype}' is not a type of Feast, nor of definitions` : `its type is ${named.difference}`;
    throw new MoraineError('DEFINITION_INVALID', `Feature '${name}' of view '${view}': ${problem}.`);
  });
}

/** Fields of Feast's on-demand feature views that other views do not have. */
const ON_DEMAND_FIELDS = ['feature_transformation', 'mode', 'singleton', 'sources', 'udf', 'user_defined_function'];

/** @throws ON_DEMAND_UNSUPPORTED for the body of an on-demand feature view */
export function refuseOnDemand(body: object): void {
  const field = ON_DEMAND_FIELDS.find((name) => Object.hasOwn(body, name));
  if (field === undefined) return;
  throw new MoraineError(
    'ON_DEMAND_UNSUPPORTED',
    `The body has the field '${field}' of an on-demand feature view. On-demand feature views are not supported.`,
  );
}
