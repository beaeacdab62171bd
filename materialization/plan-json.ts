/** A plan as JSON: 64-bit numbers as strings, types as in Iceberg metadata. */

import { z } from 'zod';
import { MoraineError } from '../errors/index.js';
import { PARTITION_STRATEGIES, type ResolvedColumn, type ResolvedView } from '../features/index.js';
import {
  deserializeValue,
  type IdentityValue,
  isPrimitive,
  type JsonValue,
  parseTableMetadata,
  parseType,
  serializeValue,
  tableMetadataToJson,
  typeToJson,
} from '../iceberg/index.js';
import { ENGINE_TYPES } from '../reduction/index.js';
import { longText } from '../tables/index.js';
import {
  type MaterializationPlan,
  type PlannedOnlineTable,
  type PlannedSource,
  type PlannedSourceFile,
  REDUCTION_ENGINES,
  type SourceRead,
} from './plan.js';
import { parseProgress, progressToText } from './progress.js';

const nullableId = longText.nullable();
const typeJson = z.custom<JsonValue>((value) => value !== undefined).transform((value) => parseType(value));
const columnJson = z.object({
  name: z.string(),
  sourceColumn: z.string(),
  sourceFieldId: z.number().int(),
  type: typeJson,
});
/** A column's value in a whole file: field id, type, and the value as hexadecimal digits of its binary form, exact for every type. */
const identityJson = z
  .tuple([z.number().int(), typeJson, z.hex().nullable()])
  .transform(([fieldId, type, value]): readonly [number, IdentityValue] => {
    if (!isPrimitive(type)) throw new MoraineError('METADATA_CORRUPT', 'A partition value is not of a primitive type.');
    return [fieldId, { type, value: value === null ? null : deserializeValue(type, Buffer.from(value, 'hex')) }];
  });
/** A data file of a plan, see {@link fileToJson}. */
export const fileJson = z
  .tuple([
    z.string(),
    longText,
    longText,
    longText,
    z.literal('AVRO').nullable().default(null),
    z.array(identityJson).default([]),
  ])
  .transform(
    ([path, recordCount, fileSizeInBytes, sequenceNumber, format, identityValues]): PlannedSourceFile => ({
      path,
      recordCount,
      fileSizeInBytes,
      sequenceNumber,
      ...(format === null ? {} : { format }),
      ...(identityValues.length === 0 ? {} : { identityValues: new Map(identityValues) }),
    }),
  );
const readJson = z.object({
  startUs: nullableId,
  endUs: nullableId,
  keep: z.enum(['newest', 'all']),
  files: z.array(fileJson),
  // Plans that were made before deletes were applied are of tables without any.
  snapshotId: nullableId.default(null),
  afterSequenceNumber: longText.optional(),
});
const optionalInt = z
  .number()
  .int()
  .nullable()
  .transform((value) => value ?? undefined);
const viewJson = z.object({
  name: z.string(),
  version: z.number().int(),
  definitionHash: z.string(),
  sourceTable: z.string(),
  joinKeys: z.array(columnJson),
  timestamp: columnJson,
  created: columnJson.nullable(),
  features: z.array(columnJson),
  ttlUs: nullableId,
  online: z.boolean(),
  onlineBuckets: optionalInt,
  onlinePartitionStrategy: z.enum(PARTITION_STRATEGIES).optional(),
  engine: z.enum(ENGINE_TYPES).optional(),
});
const progressText = z.string().transform((text) => parseProgress(text).progress);
/** Table metadata as the text of its file: its numbers of 64 bits are not exact as JSON. */
const metadataJson = z
  .string()
  .transform((text) => parseTableMetadata(text))
  .optional();
const planJson = z.object({
  version: z.literal(1),
  view: viewJson,
  kind: z.enum(['incremental', 'window', 'rebuild-buckets', 'full', 'nothing']),
  reason: z.string(),
  interval: z.object({ startUs: nullableId, endUs: nullableId }),
  runKey: z.string(),
  attemptId: z.string(),
  source: z.object({
    table: z.string(),
    tableUuid: z.string(),
    metadataLocation: z.string(),
    metadata: metadataJson,
    snapshotId: longText,
  }),
  online: z.object({
    identifier: z.object({ namespace: z.array(z.string()), name: z.string() }),
    tableUuid: z.string(),
    metadataLocation: z.string(),
    metadata: metadataJson,
    snapshotId: nullableId,
    progressToken: z.string(),
    keyStrategy: z.enum(['column', 'encoded']),
    keyColumn: z.string(),
    buckets: z.number().int().positive(),
  }),
  appendReads: z.array(readJson),
  rebuild: z
    .object({ buckets: z.array(z.number().int()).nullable(), reads: z.array(readJson), pushedFiles: z.array(fileJson) })
    .nullable(),
  shards: z.array(z.object({ firstBucket: z.number().int(), lastBucket: z.number().int() })),
  // Plans that were made before reductions have none.
  reduction: z
    .object({ engine: z.enum(REDUCTION_ENGINES), parts: z.number().int().positive() })
    .nullable()
    .default(null),
  progressAfter: progressText,
  basis: z.object({ progress: progressText.nullable(), keptSinceSnapshotId: nullableId }).optional(),
});

/** The JSON text of a plan. */
export function planToText(plan: MaterializationPlan): string {
  return JSON.stringify(
    {
      version: 1,
      ...plan,
      view: viewToJson(plan.view),
      source: pinnedToJson(plan.source),
      online: pinnedToJson(plan.online),
      appendReads: plan.appendReads.map(readToJson),
      rebuild:
        plan.rebuild === null
          ? null
          : {
              buckets: plan.rebuild.buckets,
              reads: plan.rebuild.reads.map(readToJson),
              pushedFiles: plan.rebuild.pushedFiles.map(fileToJson),
            },
      progressAfter: progressToText(plan.progressAfter),
      basis: plan.basis && {
        ...plan.basis,
        progress: plan.basis.progress === null ? null : progressToText(plan.basis.progress),
      },
    },
    (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value),
  );
}

/** Reads what {@link planToText} wrote. @throws METADATA_CORRUPT if the file is something else */
export function parsePlan(text: string, location: string): MaterializationPlan {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new MoraineError('METADATA_CORRUPT', `The materialization plan ${location} is not JSON.`, { cause: error });
  }
  const parsed = planJson.safeParse(json);
  if (!parsed.success) {
    throw new MoraineError(
      'METADATA_CORRUPT',
      `The materialization plan ${location} is damaged: ${z.prettifyError(parsed.error)}`,
    );
  }
  return parsed.data;
}

function pinnedToJson(table: PlannedSource | PlannedOnlineTable): object {
  return { ...table, metadata: table.metadata && tableMetadataToJson(table.metadata) };
}

function viewToJson(view: ResolvedView): object {
  return {
    ...view,
    joinKeys: view.joinKeys.map(columnToJson),
    timestamp: columnToJson(view.timestamp),
    created: view.created === null ? null : columnToJson(view.created),
    features: view.features.map(columnToJson),
    onlineBuckets: view.onlineBuckets ?? null,
  };
}

function columnToJson(column: ResolvedColumn): object {
  return { ...column, type: typeToJson(column.type) };
}

function readToJson(read: SourceRead): object {
  return { ...read, files: read.files.map(fileToJson) };
}

/** An array, because a plan may list tens of thousands of files. */
export function fileToJson(file: PlannedSourceFile): readonly unknown[] {
  const { path, recordCount, fileSizeInBytes, sequenceNumber, format, identityValues } = file;
  const numbers = [recordCount, fileSizeInBytes, sequenceNumber].map(String);
  if (format === undefined && identityValues === undefined) return [path, ...numbers];
  const identities = [...(identityValues ?? [])].map(([fieldId, { type, value }]) => {
    const digits = value === null ? null : Buffer.from(serializeValue(type, value)).toString('hex');
    return [fieldId, typeToJson(type), digits];
  });
  return [path, ...numbers, format ?? null, ...(identities.length === 0 ? [] : [identities])];
}
