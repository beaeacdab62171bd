/** JSON schemas of bodies. They validate requests, and are the OpenAPI document. */
import { ENGINE_TYPES } from '../reduction/index.js';

/** A field of bodies that ask for work on source tables. */
export const ENGINE = {
  type: ['string', 'null'],
  enum: [...ENGINE_TYPES, null],
  description: 'Who reads the sources; null: as each view and the project say.',
} as const;

/** Body of `POST /get-online-features`, with the names of Feast's feature server. */
export const ONLINE_REQUEST = {
  type: 'object',
  additionalProperties: false,
  required: ['entities'],
  properties: {
    entities: {
      type: 'object',
      description: 'For each join key its values, one for each entity. Further columns are ignored.',
      additionalProperties: { type: 'array' },
    },
    features: {
      type: ['array', 'null'],
      description: 'What to read: VIEW:FEATURE. Or feature_service.',
      items: { type: 'string' },
    },
    feature_service: { type: ['string', 'null'], description: 'The feature service to read. Or features.' },
    full_feature_names: { type: 'boolean', description: 'Call features VIEW__FEATURE.' },
    include_feature_view_version_metadata: {
      type: 'boolean',
      description: 'Add feature_view_metadata, with the names of the views.',
    },
  },
  examples: [{ entities: { driver_id: [1001, 1002] }, features: ['driver_hourly_stats:conv_rate'] }],
} as const;

/** Answer of `POST /get-online-features`. */
export const ONLINE_ANSWER = {
  type: 'object',
  required: ['metadata', 'results'],
  properties: {
    metadata: {
      type: 'object',
      required: ['feature_names'],
      properties: {
        feature_names: { type: 'array', items: { type: 'string' }, description: 'The join keys, then the features.' },
        feature_view_metadata: {
          type: 'array',
          items: { type: 'object', properties: { name: { type: 'string' } } },
        },
      },
    },
    results: {
      type: 'array',
      description: 'A column for each name; in it a value, a status and an event time for each entity.',
      items: {
        type: 'object',
        required: ['values', 'statuses', 'event_timestamps'],
        properties: {
          values: { type: 'array', items: {} },
          statuses: {
            type: 'array',
            items: { type: 'string', enum: ['PRESENT', 'NULL_VALUE', 'NOT_FOUND', 'OUTSIDE_MAX_AGE'] },
          },
          event_timestamps: { type: 'array', items: { type: 'string', format: 'date-time' } },
        },
      },
    },
  },
} as const;

/** Body of `POST /write-to-online-store`, with the names of Feast's feature server. */
export const WRITE_REQUEST = {
  type: 'object',
  additionalProperties: false,
  required: ['feature_view_name', 'df'],
  properties: {
    feature_view_name: { type: 'string', description: 'The feature view.' },
    df: {
      type: 'object',
      description:
        'Columns by name: the join keys, every feature, event_timestamp, and created if it is known. Times without a zone are UTC.',
      additionalProperties: { type: 'array' },
    },
    allow_registry_cache: { type: 'boolean', description: 'Has no effect: the definitions are those of the registry.' },
    transform_on_write: { type: 'boolean', description: 'Has no effect: there are no on-demand feature views.' },
  },
  examples: [
    {
      feature_view_name: 'driver_hourly_stats',
      df: { driver_id: [1001], conv_rate: [0.5], event_timestamp: ['2026-03-01T10:00:00'], created: [null] },
    },
  ],
} as const;

/** Answer of `POST /write-to-online-store`. */
export const WRITE_ANSWER = {
  type: 'object',
  required: ['feature_view_name', 'snapshot', 'rows'],
  properties: {
    feature_view_name: { type: 'string' },
    snapshot: { type: ['string', 'null'], description: 'The snapshot that has the rows; null: there were none.' },
    rows: { type: 'integer', description: 'Rows that were written.' },
  },
} as const;

export const ERROR_ANSWER = {
  type: 'object',
  required: ['error', 'code', 'remedy'],
  properties: {
    error: { type: 'string', description: 'What was wrong, and where.' },
    code: { type: 'string', description: 'A code of docs/errors.md.' },
    remedy: { type: 'string', description: 'What to do.' },
  },
} as const;

export const HEALTH_ANSWER = {
  type: 'object',
  required: ['status'],
  properties: { status: { type: 'string', enum: ['ok'] } },
} as const;

export const READINESS_ANSWER = {
  type: 'object',
  required: ['status', 'views'],
  properties: {
    status: { type: 'string', enum: ['ready', 'not ready'] },
    error: { type: 'string', description: 'Why the definitions cannot be read, or that the service closes.' },
    views: {
      type: 'array',
      items: {
        type: 'object',
        required: ['name', 'status'],
        properties: {
          name: { type: 'string' },
          status: { type: 'string', enum: ['open', 'refused', 'unavailable'] },
          snapshot: { type: 'string', description: 'The snapshot of its online table.' },
          code: { type: 'string' },
          error: { type: 'string' },
        },
      },
    },
  },
} as const;
