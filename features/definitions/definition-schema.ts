/** The keys and shapes of definitions in YAML and JSON, as zod schemas. */

import { z } from 'zod';
import { ENGINE_TYPES } from '../../reduction/index.js';
import { PARTITION_STRATEGIES } from './definition.js';
import { parseDurationMs } from './duration.js';
import { parseFeatureType } from './feature-type.js';
import { viewScheduleSchema } from './view-schedule.js';

const NAME = /^[A-Za-z_][A-Za-z0-9_-]{0,127}$/;

/** Names of definitions become table names, workflow ids and `view:feature` references. */
const definitionName = z
  .string()
  .regex(NAME, 'must begin with a letter or _, then letters, digits, _ or -, at most 128 in all');

/** Names of columns may be anything but empty. */
const columnName = z.string().min(1, 'must not be empty').max(1024, 'must have at most 1024 characters');

/** A push source has no definition of its own. Feast allows any text. */
const pushSourceName = z.string().min(1, 'must not be empty').max(1024, 'must have at most 1024 characters');

/** An object whose keys users choose, as a map, so that no key is special. */
const stringMap = z.preprocess(
  (value) =>
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Map)
      ? new Map(Object.entries(value))
      : value,
  z.map(columnName, z.string()),
);

const common = {
  name: definitionName,
  description: z.string().optional(),
  tags: stringMap.optional(),
  renamedFrom: definitionName.optional(),
  registeredBy: z.literal('http').optional(),
};

const ttl = z
  .union([z.string(), z.literal(0), z.null()], "must be a duration such as '6h', '2d' or 'PT6H', or 0 for no limit")
  .transform((value, context) => {
    if (value === 0 || value === null) return null;
    const ms = parseDurationMs(value);
    if (ms === undefined) {
      context.addIssue(`'${value}' is not a duration; write for example '90s', '15m', '6h', '2d' or 'PT6H'`);
      return z.NEVER;
    }
    return ms === 0n ? null : ms;
  });

const featureType = z.string().transform((text, context) => {
  const type = parseFeatureType(text);
  if (type === undefined) {
    context.addIssue(
      `'${text}' is not a type; use boolean, int, long, float, double, decimal(P,S), date, time, timestamp, timestamptz, timestamp_ns, timestamptz_ns, string, uuid, fixed[N], binary, list<T>, map<K, V> or struct<name: T>`,
    );
    return z.NEVER;
  }
  return type;
});

const feature = z.preprocess(
  (value) => (typeof value === 'string' ? { name: value } : value),
  z.strictObject({ name: columnName, type: featureType.optional() }),
);

/** `view` or `view:feature` as an object. The name of a view has no colon; all after the first belongs to the feature. */
function expandReference(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  const colon = value.indexOf(':');
  return colon < 0 ? { view: value } : { view: value.slice(0, colon), features: [value.slice(colon + 1)] };
}

export const referenceSchema = z.preprocess(
  expandReference,
  z.strictObject({
    view: definitionName,
    features: z.array(columnName).min(1, 'must name a feature; leave it out for all').optional(),
    alias: definitionName.optional(),
    joinKeyMap: stringMap.optional(),
  }),
);

export const entitySchema = z.strictObject({
  ...common,
  joinKeys: z.array(columnName).min(1, 'must name at least one column'),
});

export const featureViewSchema = z
  .strictObject({
    ...common,
    entities: z.array(definitionName).default([]),
    source: z.strictObject({
      table: columnName,
      timestampField: columnName,
      createdTimestampField: columnName.optional(),
      fieldMapping: stringMap.optional(),
    }),
    ttl: ttl.default(null),
    online: z.boolean().default(false),
    features: z.array(feature).min(1, 'must name a feature; leave it out for every column').optional(),
    onlineBuckets: z.int().min(1).max(65_536).optional(),
    onlinePartitionStrategy: z.enum(PARTITION_STRATEGIES).optional(),
    engine: z.enum(ENGINE_TYPES).optional(),
    schedule: viewScheduleSchema.optional(),
    pushSource: pushSourceName.optional(),
  })
  .superRefine(({ online, schedule }, context) => {
    if (schedule === undefined || online) return;
    context.addIssue({
      code: 'custom',
      path: ['schedule'],
      message: 'needs online: true, since it writes the online table',
    });
  });

export const featureServiceSchema = z.strictObject({
  ...common,
  features: z.array(referenceSchema).min(1, 'must name at least one feature view'),
});
