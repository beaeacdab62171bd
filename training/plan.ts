/** A planned training set: everything that its shards and its commit need, so that none of them asks what is current. */
import { z } from 'zod';
import { metadataFolder } from '../catalogs/index.js';
import { MoraineError } from '../errors/index.js';
import { type DatasetRecord, recordFromJson, recordToJson, type TimesUs } from '../features/index.js';
import { newTableMetadata } from '../iceberg/index.js';
import type { Location } from '../locations/index.js';
import { type ChosenEngine, ENGINE_TYPES, type EngineType } from '../reduction/index.js';
import type { FileIO } from '../storage/index.js';
import type { Table } from '../tables/index.js';
import { timesJson, timesToJson } from './times-json.js';
import type { EntityReference } from './training-set-request.js';

/** A record whose rows are not counted and whose table has no snapshot yet. */
export type DraftRecord = DatasetRecord & {
  readonly location: { readonly table: string; readonly snapshotId: bigint };
};

export interface TrainingSetPlan {
  readonly draft: DraftRecord;
  /** The key of the save: see `saveKey`. */
  readonly key: string;
  /** Unique to this plan; in the name of every file that is made for it. */
  readonly attempt: string;
  /** Where the table and what is staged for it are. */
  readonly location: string;
  readonly entities: EntityReference;
  /** Columns of the entity rows that decide on the shard; none: all. */
  readonly shardColumns: readonly string[];
  /** 0: the rows were committed before, and only the record is missing. */
  readonly shards: number;
  /** Who reads the sources; absent: as the views and the project say. */
  readonly engine?: EngineType | undefined;
  /** Null: the shards read all views' sources themselves. */
  readonly reduction: PlannedReduction | null;
}

/** Parts that read the entity rows and the sources of some views, each file once, for the shards. */
export interface PlannedReduction {
  /** Times of the entity rows; null: they are not known. */
  readonly timesUs: TimesUs | null;
  readonly parts: readonly PlannedPart[];
}

export interface PlannedPart {
  /** Name of the view in the request; null: the entity rows. */
  readonly view: string | null;
  /** Who reads it. */
  readonly engine: ChosenEngine['engine'];
  /** Files of its source, or of the entity rows. Trino reads all that can match in one part, and finds them itself. */
  readonly files: readonly Location[];
}

const planSchema = z.object({
  record: z.string(),
  key: z.string(),
  // Files are found, and deleted, by it: a shorter text would be part of other names.
  attempt: z.uuid(),
  location: z.string(),
  entities: z.union([z.object({ table: z.string() }), z.object({ staged: z.string() })]),
  shardColumns: z.array(z.string()),
  shards: z.int(),
  engine: z.enum(ENGINE_TYPES).optional(),
  // Plans that were made before reductions have none.
  reduction: z
    .object({
      timesUs: timesJson.nullable(),
      parts: z.array(
        z.object({
          view: z.string().nullable(),
          engine: z.enum(['duckdb', 'trino']).default('duckdb'),
          files: z.array(z.string()),
        }),
      ),
    })
    .nullable()
    .default(null),
});
const MAX_PLAN_BYTES = 64 * 2 ** 20;

/** Stores a plan. @returns its location */
export async function writePlan(io: FileIO, plan: TrainingSetPlan): Promise<string> {
  const { draft, entities, reduction, ...plain } = plan;
  const location = `${metadataFolder(stagedTable(io, plan).metadata)}/moraine-plan-${plan.attempt}.json`;
  // The state that entity rows of a table are read at is in the record.
  const reference = 'table' in entities ? { table: entities.table } : entities;
  const { timesUs = null } = reduction ?? {};
  const read = reduction === null ? null : { ...reduction, timesUs: timesUs === null ? null : timesToJson(timesUs) };
  const json = { ...plain, reduction: read, entities: reference, record: recordToJson(draft) };
  await io.create(location, Buffer.from(JSON.stringify(json)));
  return location;
}

/** @throws FILE_NOT_FOUND, METADATA_CORRUPT */
export async function readPlan(io: FileIO, planLocation: string): Promise<TrainingSetPlan> {
  const bytes = await io.read(planLocation, { maxBytes: MAX_PLAN_BYTES });
  try {
    const { record, ...plan } = planSchema.parse(JSON.parse(new TextDecoder().decode(bytes)));
    return { ...plan, draft: draftFromJson(record) };
  } catch (cause) {
    throw new MoraineError('METADATA_CORRUPT', `${planLocation} is not a plan of a training set.`, { cause });
  }
}

/** The draft whose `recordToJson` the text is. @throws TypeError, UNSUPPORTED_FEATURE for another text */
export function draftFromJson(text: string): DraftRecord {
  const record = recordFromJson(text);
  if ('table' in record.location) return { ...record, location: record.location };
  throw new TypeError('the dataset is no table');
}

/** The table that the commit will make, to stage files for. */
export function stagedTable(io: FileIO, { location, draft }: Pick<TrainingSetPlan, 'location' | 'draft'>): Table {
  const { schema } = draft;
  const metadata = newTableMetadata({ schema, location, tableUuid: '', nowMs: 0n });
  return { identifier: { namespace: [], name: draft.location.table }, metadata, metadataLocation: '', io };
}
