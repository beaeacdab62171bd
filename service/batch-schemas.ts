/** JSON schemas of `POST /feast/predictions/batch`. */

export const BATCH_REQUEST = {
  type: 'object',
  additionalProperties: false,
  required: ['feature_views', 'entities'],
  properties: {
    feature_views: {
      type: 'array',
      minItems: 1,
      items: { type: 'string' },
      description: 'Names of feature views, online or not; all features of each are read.',
    },
    entities: {
      type: 'array',
      items: { type: 'object' },
      description: 'The join keys of the views, of each entity. Further fields are ignored.',
    },
    full_feature_names: { type: 'boolean', description: 'Call features VIEW__FEATURE.' },
  },
  examples: [{ feature_views: ['driver_hourly_stats'], entities: [{ driver_id: 1001 }, { driver_id: 1002 }] }],
} as const;

export const BATCH_ANSWER = {
  type: 'object',
  required: ['results', 'snapshots'],
  properties: {
    results: {
      type: 'array',
      description: 'One for each entity, in the order of the request. All but entities are by the name of the feature.',
      items: {
        type: 'object',
        required: ['entities', 'features', 'statuses', 'event_timestamps'],
        properties: {
          entities: { type: 'object', description: 'The join keys.' },
          features: { type: 'object', description: 'Values.' },
          statuses: {
            type: 'object',
            additionalProperties: { type: 'string', enum: ['PRESENT', 'NULL_VALUE', 'NOT_FOUND', 'OUTSIDE_MAX_AGE'] },
          },
          event_timestamps: { type: 'object', additionalProperties: { type: 'string', format: 'date-time' } },
        },
      },
    },
    snapshots: {
      type: 'object',
      description: 'By view: the table that was read, and its snapshot; null: it has none.',
      additionalProperties: {
        type: 'object',
        required: ['table', 'snapshot'],
        properties: { table: { type: 'string' }, snapshot: { type: ['string', 'null'] } },
      },
    },
  },
} as const;
