/** The plan of a backfill: what is read and how much, fixed once, as an immutable JSON file that people can read. */
import { z } from 'zod';
import { formatTimeUs, parseTimeUs } from '../config/index.js';
import { MoraineError } from '../errors/index.js';
import { formatDurationMs, parseDurationMs, recordToJson } from '../features/index.js';
import {
  type DraftRecord,
  draftFromJson,
  parseTrainingSetRequest,
  type TrainingSetRequest,
  trainingSetRequestToJson,
} from '../training/index.js';
import { requireWindowRange, type WindowRange } from './windows.js';

/** A window that may hold rows, by the statistics of the source's files. */
export interface PlannedWindow {
  /** Position in the range, from 0 at its start. */
  readonly index: number;
  /** Files that may hold rows of it. */
  readonly files: number;
  /** The window's share of the rows and bytes of these files, by event time. */
  readonly rows: number;
  readonly bytes: number;
  /** Sum of hashes of the files and their deletes, 16 hex digits: tells whether they are the same. */
  readonly digest: string;
}

/** A training set whose entity rows are retrieved window by window. */
export interface PlannedTraining {
  readonly request: TrainingSetRequest;
  /** Its record to be: every table is read at the state that is pinned here. */
  readonly draft: DraftRecord;
}

interface PlannedRange extends WindowRange {
  /** Version of the file's format. */
  readonly version: 1;
  readonly order: 'oldest-first' | 'newest-first';
  /** The table that windows read: the view's source, or the table of entity rows. */
  readonly source: {
    readonly table: string;
    readonly tableUuid: string;
    /** Null: the source is empty. */
    readonly snapshotId: bigint | null;
  };
  /** Digest of what of the definitions decides on the rows. */
  readonly definition: string;
  /** In order of time; those that are left out hold no rows. */
  readonly windows: readonly PlannedWindow[];
  /** Files that may hold rows of the range, each counted once. */
  readonly files: number;
  /** Windows that the table to fill covers already, wholly or in part. */
  readonly covered: { readonly wholly: number; readonly partly: number };
  /** Schedules of the view, by id; null: no Temporal server was asked. */
  readonly schedules: readonly string[] | null;
  readonly estimate: {
    /** Seconds at a concurrency of one; null: unknown. */
    readonly seconds: number | null;
    /** The basis of the estimate, or why there is none. */
    readonly basis: string;
  };
}

/** Fills the online table of a view. */
export interface ViewBackfillPlan extends PlannedRange {
  readonly view: string;
  readonly trainingSet?: undefined;
}

/** Fills the table of a training set. */
export interface TrainingBackfillPlan extends PlannedRange {
  readonly view?: undefined;
  readonly trainingSet: PlannedTraining;
}

export type BackfillPlan = ViewBackfillPlan | TrainingBackfillPlan;

/** The name of a plan's target, for people. */
export function planSubject({ view, trainingSet }: BackfillPlan): string {
  return view === undefined ? `training set ${trainingSet.request.name}` : view;
}

const time = z.string().transform((text) => parseTimeUs(text, 'a time of the plan'));
const planJson = z.object({
  version: z.literal(1),
  view: z.string().optional(),
  trainingSet: z
    .looseObject({ record: z.string() })
    .transform(({ record, ...request }, context): PlannedTraining => {
      try {
        return { request: parseTrainingSetRequest(request), draft: draftFromJson(record) };
      } catch (error) {
        context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) });
        return z.NEVER;
      }
    })
    .optional(),
  start: time,
  end: time,
  step: z.string().transform((text) => (parseDurationMs(text) ?? 0n) * 1000n),
  order: z.enum(['oldest-first', 'newest-first']),
  source: z.object({
    table: z.string(),
    tableUuid: z.string(),
    snapshotId: z.string().regex(/^\d+$/).transform(BigInt).nullable(),
  }),
  definition: z.string(),
  windows: z.array(
    z
      .tuple([z.int().min(0), z.int().min(0), z.number(), z.number(), z.string()])
      .transform(([index, files, rows, bytes, digest]): PlannedWindow => ({ index, files, rows, bytes, digest })),
  ),
  files: z.int().min(0),
  covered: z.object({ wholly: z.int(), partly: z.int() }),
  schedules: z.array(z.string()).nullable(),
  estimate: z.object({ seconds: z.number().nullable(), basis: z.string() }),
});

/** The JSON text of a plan; a window is `[index, files, rows, bytes, digest]`. */
export function planToText(backfill: BackfillPlan): string {
  const { view, trainingSet, startUs, endUs, stepUs, windows, source, version, ...plan } = backfill;
  const rows = windows.map(({ index, files, rows, bytes, digest }) =>
    JSON.stringify([index, files, rows, bytes, digest]),
  );
  const head = JSON.stringify(
    {
      version,
      ...(view === undefined ? { trainingSet: trainingToJson(trainingSet) } : { view }),
      ...plan,
      start: formatTimeUs(startUs),
      end: formatTimeUs(endUs),
      step: formatDurationMs(stepUs / 1000n),
      source: { ...source, snapshotId: source.snapshotId === null ? null : String(source.snapshotId) },
    },
    null,
    2,
  );
  return `${head.slice(0, -2)},\n  "windows": [${rows.map((row) => `\n    ${row}`).join(',')}\n  ]\n}\n`;
}

function trainingToJson({ request, draft }: PlannedTraining): Readonly<Record<string, unknown>> {
  return { ...trainingSetRequestToJson(request), record: recordToJson(draft) };
}

/** Reads what {@link planToText} wrote. @throws INVALID_ARGUMENT naming the file and what is wrong with it */
export function parseBackfillPlan(text: string, location: string): BackfillPlan {
  const parsed = planJson.safeParse(parseJsonText(text));
  if (!parsed.success) {
    const message = `${location} is not a plan of a backfill: ${z.prettifyError(parsed.error)}`;
    throw new MoraineError('INVALID_ARGUMENT', message);
  }
  const { start, end, step, view, trainingSet, ...plan } = parsed.data;
  const range = { startUs: start, endUs: end, stepUs: step };
  requireWindowRange(range);
  if (view !== undefined && trainingSet === undefined) return { ...plan, ...range, view };
  if (trainingSet !== undefined && view === undefined) return { ...plan, ...range, trainingSet };
  throw new MoraineError(
    'INVALID_ARGUMENT',
    `${location} is not a plan of a backfill: it names no view or training set.`,
  );
}

function parseJsonText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
