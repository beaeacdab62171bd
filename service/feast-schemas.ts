/** JSON schemas of the paths below /feast. */

const TEXTS = { type: 'array', items: { type: 'string' } } as const;
const DESCRIBED = {
  description: { type: ['string', 'null'] },
  tags: { type: ['object', 'null'], additionalProperties: { type: 'string' } },
} as const;

/** Body of `POST /feast/features`. */
export const FEATURE_VIEW_REQUEST = {
  type: 'object',
  additionalProperties: false,
  required: ['name', 'entities', 'features', 'source'],
  properties: {
    name: { type: 'string' },
    entities: {
      ...TEXTS,
      description: 'Names. One that is not registered becomes an entity with the join key of its name.',
    },
    features: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['name'],
        properties: {
          name: { type: 'string', description: 'A column of the table.' },
          dtype: {
            type: ['string', 'null'],
            description:
              "A type of Feast (INT64, float32, Array(String)) or of definitions (decimal(10,2)); null: the column's.",
          },
          description: {
            type: ['string', 'null'],
            description: 'Has no effect: views have descriptions, features none.',
          },
          tags: { type: ['object', 'null'], description: 'Has no effect, as above.' },
        },
      },
    },
    source: {
      type: 'object',
      additionalProperties: false,
      required: ['schema', 'table_name', 'timestamp_field'],
      properties: {
        catalog: { type: ['string', 'null'], description: 'A configured catalog; null: the default one.' },
        schema: { type: 'string', description: 'The namespace.' },
        table_name: { type: 'string' },
        timestamp_field: { type: 'string' },
        created_timestamp_column: { type: ['string', 'null'] },
      },
    },
    online: {
      type: 'boolean',
      description: 'Whether it is materialized for online reads. True by default, as in Feast.',
    },
    ttl_seconds: {
      type: ['integer', 'null'],
      minimum: 0,
      maximum: 1e11,
      description: '0 or null: rows are valid for ever.',
    },
    ...DESCRIBED,
  },
  examples: [
    {
      name: 'driver_stats',
      entities: ['driver_id'],
      features: [{ name: 'conv_rate', dtype: 'DOUBLE' }],
      source: { schema: 'demo', table_name: 'stats', timestamp_field: 'event_ts', created_timestamp_column: 'created' },
      online: true,
      ttl_seconds: 86_400,
    },
  ],
} as const;

/** Body of `POST /feast/features/service`. */
export const FEATURE_SERVICE_REQUEST = {
  type: 'object',
  additionalProperties: false,
  required: ['name'],
  anyOf: [{ required: ['features'] }, { required: ['feature_views'] }],
  properties: {
    name: { type: 'string' },
    features: { ...TEXTS, minItems: 1, description: 'VIEW:FEATURE, or VIEW for all of its features.' },
    feature_views: { ...TEXTS, minItems: 1, description: 'Views whose features are all taken, beside features.' },
    ...DESCRIBED,
  },
  examples: [{ name: 'ranking', features: ['driver_stats:conv_rate'] }],
} as const;

const LISTED_VIEW = {
  type: 'object',
  properties: {
    name: { type: 'string' },
    entities: TEXTS,
    features: {
      type: 'array',
      items: { type: 'object', properties: { name: { type: 'string' }, dtype: { type: ['string', 'null'] } } },
    },
    source_table: { type: 'string' },
    online_enabled: { type: 'boolean' },
    ttl_seconds: { type: ['number', 'null'] },
    description: { type: 'string' },
    tags: { type: 'object' },
    created_at: { type: ['string', 'null'] },
  },
} as const;
const REGISTERED = { status: { type: 'string', enum: ['registered'] }, message: { type: 'string' } } as const;

export const REGISTERED_VIEW = {
  ...LISTED_VIEW,
  properties: { ...LISTED_VIEW.properties, ...REGISTERED },
} as const;

export const REGISTERED_SERVICE = {
  type: 'object',
  properties: {
    name: { type: 'string' },
    features: TEXTS,
    feature_views: TEXTS,
    ...DESCRIBED,
    created_at: { type: 'string' },
    ...REGISTERED,
  },
} as const;

export const FEATURE_VIEW_LIST = {
  type: 'object',
  required: ['feature_views'],
  properties: { feature_views: { type: 'array', items: LISTED_VIEW } },
} as const;

export const STATUS_ANSWER = {
  type: 'object',
  properties: {
    registry_type: { type: 'string' },
    online_store_type: { type: 'string' },
    offline_store_type: { type: 'string' },
    num_feature_views: { type: 'integer' },
    feature_views: TEXTS,
    num_entities: { type: 'integer' },
    entities: TEXTS,
    num_feature_services: { type: 'integer' },
    feature_services: TEXTS,
  },
} as const;
