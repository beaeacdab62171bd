/** JSON schemas of the paths whose work is done in processes of their own. */
import { ENGINE_TYPES } from '../reduction/index.js';
import { ENGINE } from './schemas.js';

/** Not by types: integers that no double holds are `bigint` here, which validators of JSON do not know. */
const SNAPSHOT_ID = {
  not: { type: ['null', 'boolean', 'array', 'object'] },
  description: 'Its id: an integer, or a text of its digits.',
} as const;

const AS_OF = {
  description:
    'The state to read source tables at: an ISO-8601 time, or the snapshots of an earlier answer by table. As they are now unless given.',
  anyOf: [
    { type: 'string' },
    { type: 'null' },
    {
      type: 'object',
      additionalProperties: false,
      required: ['snapshots'],
      properties: { snapshots: { type: 'object', additionalProperties: SNAPSHOT_ID } },
    },
  ],
} as const;

/** JSON body of `POST /get-historical-features`. */
export const HISTORICAL_REQUEST = {
  type: 'object',
  additionalProperties: false,
  required: ['entities'],
  properties: {
    entities: {
      description:
        'Rows of join keys, event_timestamp (ISO-8601, UTC unless it has an offset) and further columns, which are kept: a list of objects, or an object of columns of one length.',
      anyOf: [
        { type: 'array', items: { type: 'object' } },
        { type: 'object', additionalProperties: { type: 'array' } },
      ],
    },
    features: {
      type: ['array', 'null'],
      items: { type: 'string' },
      description: 'VIEW:FEATURE, or VIEW for all of its features. Or feature_service.',
    },
    feature_service: { type: ['string', 'null'], description: 'The feature service. Or features.' },
    full_feature_names: { type: 'boolean', description: 'Call features VIEW__FEATURE.' },
    as_of: AS_OF,
    engine: ENGINE,
  },
  examples: [
    {
      entities: { driver_id: [1001, 1002], event_timestamp: ['2026-03-01T10:00:00Z', '2026-03-01T11:00:00Z'] },
      features: ['driver_hourly_stats:conv_rate'],
    },
  ],
} as const;

/** Query of the same, for bodies that are not JSON. */
export const HISTORICAL_QUERY = {
  type: 'object',
  additionalProperties: false,
  properties: {
    features: { type: 'string', description: 'VIEW:FEATURE, or VIEW, with commas between them.' },
    feature_service: { type: 'string' },
    full_feature_names: { type: 'string', enum: ['true', 'false', 'True', 'False'] },
    as_of: { type: 'string', description: 'An ISO-8601 time, or JSON: {"snapshots": {TABLE: ID}}.' },
    engine: { type: 'string', enum: ENGINE_TYPES, description: 'Who reads the sources.' },
  },
} as const;
