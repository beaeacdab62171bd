/** Checking what people and commands ask of `ingest`. */
import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { RECORD_TIMES, type RecordTime } from '../engine/index.js';
import { MoraineError } from '../errors/index.js';
import { projectName } from '../features/index.js';
import { currentSchema } from '../iceberg/index.js';
import { type Project, requireViewsOf } from '../project/index.js';
import { recordColumns, topicSinkName, upsertColumns } from '../sink/index.js';
import type { IngestInput, IngestSource } from './ingest-contract.js';
import { requestTableName, withoutUndefined } from './request-table.js';

const DEFAULT_BATCH = 10_000;
const DEFAULT_INTERVAL_MS = 10_000;

const files = z.strictObject({
  kind: z.literal('files'),
  files: z.array(z.string().refine(isAbsolute, 'is not an absolute path')).min(1).max(1000),
});

const kafka = z.strictObject({
  kind: z.literal('kafka'),
  cluster: z.string().min(1),
  topic: z.string().min(1),
  group: z.string().min(1).optional(),
});

const requestSchema = z.strictObject({
  table: z.string().min(1),
  name: z
    .string()
    .regex(/^[\w.-]{1,100}$/, 'must be 1 to 100 letters, digits, -, _ and .')
    .optional(),
  source: z.discriminatedUnion('kind', [files, kafka]),
  batchSize: z.int().min(1).max(10_000_000).optional(),
  batchIntervalMs: z.int().min(1).max(3_600_000).optional(),
  fields: z.record(z.string(), z.string()).optional(),
  times: z.record(z.string(), z.enum(RECORD_TIMES)).optional(),
  rest: z.string().optional(),
  raw: z.string().optional(),
  error: z.string().optional(),
  extraFields: z.enum(['fail', 'ignore']).optional(),
  badRecords: z.enum(['fail', 'drop']).optional(),
  deadLetters: z.string().min(1).optional(),
  materialize: z.array(z.string()).optional(),
  upsert: z.strictObject({ key: z.array(z.string()), order: z.string() }).optional(),
  evolveSchema: z.boolean().optional(),
  abandonLost: z.boolean().optional(),
});

/** A checked request, with the defaults filled in. */
export interface IngestRequest extends IngestInput {
  readonly name: string;
  readonly batchSize: number;
  readonly batchIntervalMs: number;
  readonly times?: Readonly<Record<string, RecordTime>>;
}

const EXAMPLE =
  'for example {"table": "iot.uplinks", "source": {"kind": "files", "files": ["/var/log/uplinks.ndjson"]}, "batchIntervalMs": 5000}';

/**
 * @param request JSON as it came from outside
 * @throws `INVALID_ARGUMENT` naming every problem
 */
export function parseIngestRequest(request: unknown): IngestRequest {
  const parsed = requestSchema.safeParse(request);
  if (parsed.success)
    return {
      ...{ name: defaultName(parsed.data.source), batchSize: DEFAULT_BATCH, batchIntervalMs: DEFAULT_INTERVAL_MS },
      ...withoutUndefined(parsed.data),
    };
  const problems = parsed.error.issues
    .map(({ path, message }) => (path.length === 0 ? message : `"${path.join('.')}": ${message}`))
    .join('; ');
  throw new MoraineError('INVALID_ARGUMENT', `the input of ingest is not right: ${problems}; ${EXAMPLE}`);
}

const defaultName = (source: IngestSource): string => (source.kind === 'files' ? 'files' : topicSinkName(source.topic));

/** The workflow id of the one ingest of a sink, `ingest/<table>/<sink>@<project>`. */
export function ingestWorkflowId(table: string, name: string, project: string | null): string {
  return projectName(`ingest/${table}/${name}`, project);
}

/**
 * A request that its table can take, under the name that the table's runs go by.
 * @throws `INVALID_ARGUMENT`, `TABLE_NOT_FOUND`; `COLUMN_NOT_FOUND`, `TYPE_MISMATCH` for a mapping that does not go with the table
 */
export async function checkIngestRequest(project: Project, request: unknown): Promise<IngestRequest> {
  const parsed = parseIngestRequest(request);
  const table = await project.loadTable(parsed.table);
  recordColumns(currentSchema(table.metadata), parsed);
  if (parsed.upsert !== undefined) upsertColumns(currentSchema(table.metadata), parsed.upsert);
  await requireViewsOf(project, parsed.table, parsed);
  return { ...parsed, table: requestTableName(project, table) };
}
