/** JSON schemas of `POST /push`. */

/** With the names of Feast's feature server. */
export const PUSH_REQUEST = {
  type: 'object',
  additionalProperties: false,
  required: ['push_source_name', 'df'],
  properties: {
    push_source_name: { type: 'string', description: 'The push source, as pushSource of feature views names it.' },
    df: {
      type: 'object',
      description:
        'Columns by the names that they have in the source tables: join keys, event time, the columns of the features, and created times if they are known. Times without a zone are UTC.',
      additionalProperties: { type: 'array' },
    },
    to: {
      type: 'string',
      enum: ['online', 'offline', 'online_and_offline'],
      description: 'The tables that are written: online tables (by default), source tables, or both.',
    },
    allow_registry_cache: { type: 'boolean', description: 'Has no effect: the definitions are those of the registry.' },
    transform_on_write: { type: 'boolean', description: 'Has no effect: there are no on-demand feature views.' },
  },
  examples: [
    {
      push_source_name: 'driver_stats_push',
      df: { driver_id: [1001], conv_rate: [0.5], event_timestamp: ['2026-03-01T10:00:00'], created: [null] },
      to: 'online_and_offline',
    },
  ],
} as const;

const SNAPSHOT = { type: ['string', 'null'], description: 'The snapshot that has the rows; null: there were none.' };

export const PUSH_ANSWER = {
  type: 'object',
  required: ['push_source_name', 'to', 'rows', 'tables', 'feature_views'],
  properties: {
    push_source_name: { type: 'string' },
    to: { type: 'string' },
    rows: { type: 'integer', description: 'Rows of the request, all of which were written to each table.' },
    tables: {
      type: 'array',
      description: 'The source tables that were written.',
      items: {
        type: 'object',
        required: ['table', 'snapshot'],
        properties: { table: { type: 'string' }, snapshot: SNAPSHOT },
      },
    },
    feature_views: {
      type: 'array',
      description: 'The feature views whose online tables were written.',
      items: {
        type: 'object',
        required: ['feature_view_name', 'snapshot'],
        properties: { feature_view_name: { type: 'string' }, snapshot: SNAPSHOT },
      },
    },
  },
} as const;
