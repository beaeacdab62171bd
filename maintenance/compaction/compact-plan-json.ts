/** A compaction plan as text: one line of JSON about the whole, then one for each group, so that a group is found without parsing the others. */
import { z } from 'zod';
import { MoraineError } from '../../errors/index.js';
import {
  currentSchema,
  deserializeValue,
  isPrimitive,
  type PartitionTuple,
  parseTableMetadata,
  partitionType,
  serializeValue,
  type TableMetadata,
  tableMetadataToJson,
} from '../../iceberg/index.js';
import { longText } from '../../tables/index.js';
import { type CompactionPlan, type FileToRewrite, type RewriteGroup } from './compact-plan.js';
import { COMPACT_STRATEGIES } from './compact-request.js';

const fieldId = z.number().int();
const fileJson = z
  .tuple([
    z.string(),
    longText,
    longText,
    longText,
    z.enum(['PARQUET', 'AVRO']).default('PARQUET'),
    longText.nullable().default(null),
  ])
  .transform(
    ([path, recordCount, fileSizeInBytes, sequenceNumber, format, firstRowId]): FileToRewrite => ({
      path,
      recordCount,
      fileSizeInBytes,
      sequenceNumber,
      format,
      firstRowId: firstRowId ?? undefined,
    }),
  );
const groupJson = z.object({
  specId: fieldId,
  /** Values in their binary form, as hexadecimal digits. */
  partition: z.array(z.hex().nullable()),
  outputs: z.number().int().positive(),
  files: z.array(fileJson),
  into: fieldId.optional(),
  sequenceNumber: longText.optional(),
});
const termJson = z.object({
  fieldId,
  transform: z.string(),
  direction: z.enum(['asc', 'desc']),
  nullOrder: z.enum(['nulls-first', 'nulls-last']),
});
const headJson = z.object({
  version: z.literal(1),
  planId: z.string(),
  table: z.string(),
  tableUuid: z.string(),
  metadataLocation: z.string(),
  /** The text of a metadata file: its numbers of 64 bits are not exact as JSON. */
  metadata: z
    .string()
    .transform((text) => parseTableMetadata(text))
    .optional(),
  snapshotId: longText,
  sequenceNumber: longText,
  strategy: z.enum(COMPACT_STRATEGIES),
  nowUs: longText,
  expiredBeforeUs: longText.nullable(),
  order: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('files') }),
    z.object({ kind: z.literal('sort'), terms: z.array(termJson), sortOrderId: fieldId.nullable() }),
    z.object({ kind: z.literal('z-order'), fieldIds: z.array(fieldId) }),
  ]),
  online: z
    .object({
      keyId: fieldId,
      eventTimeId: fieldId,
      createdId: fieldId,
      pushedId: fieldId,
      featureIds: z.array(fieldId),
      joinKeyIds: z.array(fieldId),
    })
    .nullable(),
  tieViews: z.array(
    z.object({
      name: z.string(),
      keyIds: z.array(fieldId),
      eventTimeId: fieldId,
      createdId: fieldId.nullable(),
      featureIds: z.array(fieldId),
    }),
  ),
  hasLineage: z.boolean(),
});

/** The text of a plan. @param metadata of the planned table */
export function compactionPlanToText(plan: CompactionPlan, metadata: TableMetadata): string {
  const { groups, metadata: pinned, ...head } = plan;
  const first = { version: 1, ...head, metadata: pinned && tableMetadataToJson(pinned) };
  const lines = [first, ...groups.map((group) => groupToJson(group, metadata))];
  const text = (value: unknown): string =>
    JSON.stringify(value, (_key, member: unknown) => (typeof member === 'bigint' ? String(member) : member));
  return `${lines.map(text).join('\n')}\n`;
}

function groupToJson(group: RewriteGroup, metadata: TableMetadata): object {
  const types = partitionTypes(group.specId, metadata);
  const partition = group.partition.map((value, index) => {
    const type = types[index];
    if (value === null || type === undefined) return null;
    return Buffer.from(serializeValue(type, value)).toString('hex');
  });
  return { ...group, partition, files: group.files.map(fileToJson) };
}

function fileToJson(file: FileToRewrite): unknown[] {
  const { path, recordCount, fileSizeInBytes, sequenceNumber, format, firstRowId } = file;
  const more = firstRowId === undefined ? (format === 'PARQUET' ? [] : [format]) : [format, firstRowId];
  return [path, recordCount, fileSizeInBytes, sequenceNumber, ...more];
}

function partitionTypes(specId: number, metadata: TableMetadata) {
  const spec = metadata.partitionSpecs.find((candidate) => candidate.specId === specId);
  if (spec === undefined) throw new MoraineError('METADATA_CORRUPT', `The table has no partition spec ${specId}.`);
  return partitionType(spec, currentSchema(metadata), metadata.schemas).map(({ type }) =>
    isPrimitive(type) ? type : undefined,
  );
}

/** The header of a plan, with the lines of its groups. */
export interface PlanText {
  readonly head: Omit<CompactionPlan, 'groups'>;
  readonly groupLines: readonly string[];
}

/** Reads what {@link compactionPlanToText} wrote. @throws METADATA_CORRUPT if the file is something else */
export function parsePlanText(text: string, location: string): PlanText {
  const [first = '', ...rest] = text.split('\n');
  return { head: parseWith(headJson, first, location), groupLines: rest.filter((line) => line !== '') };
}

/** @param metadata of the planned table, as it was planned */
export function parseGroup(line: string, metadata: TableMetadata, location: string): RewriteGroup {
  const { specId, partition, ...group } = parseWith(groupJson, line, location);
  const types = partitionTypes(specId, metadata);
  const tuple: PartitionTuple = partition.map((digits, index) => {
    const type = types[index];
    return digits === null || type === undefined ? null : deserializeValue(type, Buffer.from(digits, 'hex'));
  });
  return { specId, partition: tuple, ...group };
}

function parseWith<S extends z.ZodType>(schema: S, line: string, location: string): z.output<S> {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch (error) {
    throw new MoraineError('METADATA_CORRUPT', `The compaction plan ${location} is not JSON.`, { cause: error });
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new MoraineError(
    'METADATA_CORRUPT',
    `The compaction plan ${location} is damaged: ${z.prettifyError(parsed.error)}`,
  );
}
