/** The request for a training set: one small JSON object, from the Temporal UI, the library or the command line. */
import { z } from 'zod';
import { parseTableName } from '../catalogs/index.js';
import { isMoraineError, MoraineError } from '../errors/index.js';
import {
  DATASET_NAME_RULE,
  type FeatureReference,
  type HistoricalAsOf,
  isDatasetName,
  parseFeatureReference,
} from '../features/index.js';
import { ENGINE_TYPES, type EngineType } from '../reduction/index.js';
import { asOfSchema, asOfToJson } from './as-of-json.js';

/** Where the entity rows are: a table, or rows that {@link stageEntities} has put into storage. */
export type EntityReference =
  | { readonly table: string; readonly asOf?: HistoricalAsOf }
  | {
      /** Location of the description that staging has written. */
      readonly staged: string;
    };

/** A retrieval to save as a table, its entity rows split into shards. */
export interface TrainingSetRequest {
  /** Name of the dataset. */
  readonly name: string;
  /** Either features or a service. */
  readonly features?: readonly FeatureReference[];
  readonly service?: string;
  readonly entities: EntityReference;
  /** The new table, `[CATALOG/]NS.TABLE`. */
  readonly to: string;
  /** Unless given: by the number of entity rows. */
  readonly shards?: number;
  /** Tag the source snapshots. */
  readonly pin: boolean;
  readonly fullFeatureNames: boolean;
  readonly knownAsOf: boolean;
  readonly asOf?: HistoricalAsOf;
  /** Who reads the sources; unless given as views and the project say. */
  readonly engine?: EngineType;
}

/** Shards of one training set at most: each is an activity of one workflow. */
export const MAX_SHARDS = 1000;

const EXAMPLE =
  'for example {"name": "churn_march", "features": ["stats"], "entities": {"table": "shop.labels"}, "to": "shop.churn_march", "shards": 8}';

const tableName = z.string().superRefine((name, context) => {
  try {
    parseTableName(name);
  } catch (error) {
    if (!isMoraineError(error)) throw error;
    context.addIssue({ code: 'custom', message: error.message });
  }
});

const feature = z.unknown().transform((value, context): FeatureReference => {
  const reference = parseFeatureReference(value);
  if (reference !== undefined) return reference;
  context.addIssue({
    code: 'custom',
    message: 'must be "view", "view:feature" or an object with "view" and perhaps "features", "alias" and "joinKeyMap"',
  });
  return z.NEVER;
});

const entities = z
  .strictObject(
    { table: tableName.optional(), asOf: asOfSchema.optional(), staged: z.string().min(1).optional() },
    { error: 'must be {"table": "NS.TABLE"}; files, rows and SQL are for the library and the command line' },
  )
  .transform(({ table, asOf, staged }, context): EntityReference => {
    if (table !== undefined && staged === undefined) return { table, ...(asOf === undefined ? {} : { asOf }) };
    if (staged !== undefined && table === undefined && asOf === undefined) return { staged };
    context.addIssue({ code: 'custom', message: 'must have either "table" and perhaps "asOf", or "staged" alone' });
    return z.NEVER;
  });

const requestSchema = z
  .strictObject({
    name: z.string().refine(isDatasetName, { error: DATASET_NAME_RULE }),
    features: z.array(feature).min(1).optional(),
    service: z.string().min(1).optional(),
    entities,
    to: tableName,
    shards: z.int().min(1).max(MAX_SHARDS).optional(),
    pin: z.boolean().default(false),
    fullFeatureNames: z.boolean().default(false),
    knownAsOf: z.boolean().default(false),
    asOf: asOfSchema.optional(),
    engine: z.enum(ENGINE_TYPES).optional(),
  })
  .refine(({ features, service }) => (features === undefined) !== (service === undefined), {
    error: 'give either "features" or "service"',
  });

/**
 * @param request JSON as it came from outside
 * @throws `INVALID_ARGUMENT` naming every field that is not right
 */
export function parseTrainingSetRequest(request: unknown): TrainingSetRequest {
  const parsed = requestSchema.safeParse(request);
  if (parsed.success) return withoutUndefined(parsed.data);
  const problems = parsed.error.issues.map(({ path, message }) =>
    path.length === 0 ? message : `"${path.join('.')}": ${message}`,
  );
  const message = `the input of trainingSet is not right: ${problems.join('; ')}; ${EXAMPLE}`;
  throw new MoraineError('INVALID_ARGUMENT', message);
}

function withoutUndefined({ features, service, shards, asOf, engine, ...rest }: z.output<typeof requestSchema>) {
  return {
    ...rest,
    ...(features === undefined ? {} : { features }),
    ...(service === undefined ? {} : { service }),
    ...(shards === undefined ? {} : { shards }),
    ...(asOf === undefined ? {} : { asOf }),
    ...(engine === undefined ? {} : { engine }),
  };
}

/** The JSON that {@link parseTrainingSetRequest} reads as the same request; what is not asked for is left out. */
export function trainingSetRequestToJson(request: TrainingSetRequest) {
  const { name, features, service, to, shards, pin, fullFeatureNames, knownAsOf, asOf, engine } = request;
  return {
    name,
    ...(features === undefined ? {} : { features: features.map(featureToJson) }),
    ...(service === undefined ? {} : { service }),
    entities: entitiesToJson(request.entities),
    to,
    ...(shards === undefined ? {} : { shards }),
    ...(pin ? { pin } : {}),
    ...(fullFeatureNames ? { fullFeatureNames } : {}),
    ...(knownAsOf ? { knownAsOf } : {}),
    ...asOfMember(asOf),
    ...(engine === undefined ? {} : { engine }),
  };
}

function entitiesToJson(reference: EntityReference) {
  return 'staged' in reference ? reference : { table: reference.table, ...asOfMember(reference.asOf) };
}

function asOfMember(asOf: HistoricalAsOf | undefined) {
  const json = asOf === undefined ? undefined : asOfToJson(asOf);
  return json === undefined ? {} : { asOf: json };
}

function featureToJson(reference: FeatureReference) {
  const { joinKeyMap, ...plain } = reference;
  return joinKeyMap === undefined ? plain : { ...plain, joinKeyMap: Object.fromEntries(joinKeyMap) };
}
