/** JSON schemas of the paths that start runs. */
import { ENGINE } from './schemas.js';

const VIEWS = {
  type: ['array', 'null'],
  description: 'Views to materialize; null: every online view.',
  items: { type: 'string' },
} as const;
const NOT_SUPPORTED = {
  full_feature_names: { type: 'boolean', description: 'Only false is supported.' },
  version: { type: ['string', 'null'], description: 'Only null is supported.' },
} as const;

/** How runs are done; Feast's clients send none of it. */
const RUN_OPTIONS = {
  engine: ENGINE,
  shards: {
    type: ['integer', 'null'],
    minimum: 1,
    maximum: 1000,
    description: 'Shards that workers share, of each view; null: by the number of rows.',
  },
} as const;

/** Body of `POST /materialize`, with the names of Feast's feature server. */
export const MATERIALIZE_REQUEST = {
  type: 'object',
  additionalProperties: false,
  properties: {
    start_ts: {
      type: ['string', 'null'],
      description: 'First event time, ISO-8601, UTC unless it has an offset. Required.',
    },
    end_ts: { type: ['string', 'null'], description: 'Last event time; included. Required.' },
    feature_views: VIEWS,
    disable_event_timestamp: { type: 'boolean', description: 'Only false is supported.' },
    ...NOT_SUPPORTED,
    ...RUN_OPTIONS,
  },
  examples: [{ start_ts: '2026-03-01T00:00:00Z', end_ts: '2026-03-02T00:00:00Z', feature_views: ['driver_stats'] }],
} as const;

/** Body of `POST /materialize-incremental`, with the names of Feast's feature server. */
export const INCREMENTAL_REQUEST = {
  type: 'object',
  additionalProperties: false,
  required: ['end_ts'],
  properties: {
    end_ts: { type: 'string', description: 'Last event time; included.' },
    feature_views: VIEWS,
    ...NOT_SUPPORTED,
    ...RUN_OPTIONS,
  },
  examples: [{ end_ts: '2026-03-02T00:00:00Z' }],
} as const;

/** Python's HTTP libraries write `True`. */
const FLAG = { type: 'string', enum: ['true', 'false', 'True', 'False'] } as const;

/** Query of both. */
export const MATERIALIZE_QUERY = {
  type: 'object',
  additionalProperties: false,
  properties: {
    async: { ...FLAG, description: 'Answer 202 as soon as the runs are started.' },
    force: { ...FLAG, description: 'Join runs of the same interval that are in flight, which then look again.' },
  },
} as const;

/** Body of `POST /backfill`, with the names of the library. */
export const BACKFILL_REQUEST = {
  type: 'object',
  additionalProperties: false,
  required: ['view', 'start', 'end', 'step'],
  properties: {
    view: { type: 'string' },
    start: { type: 'string', description: 'ISO-8601, UTC unless it has an offset; included.' },
    end: { type: 'string', description: 'Not included.' },
    step: { type: 'string', description: 'Length of a window, such as 1d.' },
    newestFirst: { type: 'boolean' },
    concurrency: { type: 'integer', description: 'Windows at a time, 1 to 16.' },
    windowsPerCommit: { type: 'integer', description: 'Windows that are committed together at most, 1 to 250.' },
    engine: ENGINE,
  },
  examples: [{ view: 'driver_stats', start: '2026-01-01', end: '2026-02-01', step: '1d' }],
} as const;

/** Body of `POST /compact`, with the names of the library. */
export const COMPACT_REQUEST = {
  type: 'object',
  additionalProperties: false,
  required: ['table', 'strategy'],
  properties: {
    table: { type: 'string', description: '[CATALOG/]NS.TABLE' },
    strategy: { type: 'string', enum: ['binpack', 'sort', 'latest'] },
    columns: { type: 'array', items: { type: 'string' }, description: 'Columns to sort by.' },
    zOrder: { type: 'boolean' },
    where: { type: 'string' },
    dropExpired: { type: 'boolean' },
    allowTieChange: { type: 'boolean' },
    targetSizeBytes: { type: 'integer' },
    maxBytes: { type: 'integer' },
    partialProgress: { type: 'integer' },
  },
  examples: [{ table: 'moraine_online.driver_stats', strategy: 'latest' }],
} as const;

const RUN = {
  type: 'object',
  required: ['workflow_id', 'run_id', 'url'],
  properties: {
    feature_view: { type: 'string' },
    workflow_id: { type: 'string' },
    run_id: { type: 'string' },
    url: {
      type: ['string', 'null'],
      description:
        'Its page in the web UI of Temporal; null unless temporal.uiAddress is configured or `moraine dev` runs.',
    },
    rows: { type: 'integer', description: 'Rows that the run has written.' },
    snapshot: { type: ['string', 'null'], description: 'The snapshot of the online table that the run has made.' },
  },
} as const;

/** Answer of the paths that start runs. */
export const JOB_ANSWER = {
  type: 'object',
  required: ['status', 'workflows'],
  properties: {
    status: { type: 'string', enum: ['accepted', 'completed'] },
    feature_views: { type: 'array', items: { type: 'string' } },
    table: { type: 'string' },
    workflows: { type: 'array', items: RUN },
  },
} as const;
