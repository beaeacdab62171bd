/** Checking what people and commands ask for, and the id of the backfill that it is. */
import { z } from 'zod';
import { entityTable, requireWindowRange, type WindowRange } from '../backfill/index.js';
import { formatTimeUs, parseTimeUs } from '../config/index.js';
import { MoraineError } from '../errors/index.js';
import { formatDurationMs, parseDurationMs, projectName } from '../features/index.js';
import { ENGINE_TYPES, type EngineType } from '../reduction/index.js';
import { parseTrainingSetRequest, type TrainingSetRequest } from '../training/index.js';
import type { MaxConcurrency } from './backfill-contract.js';

export const MAX_CONCURRENCY: MaxConcurrency = 16;
const DEFAULT_CONCURRENCY = 2;
const MAX_WINDOWS_PER_COMMIT = 250;

/** How a backfill is run, whatever it reads. */
export interface BackfillSettings {
  readonly concurrency: number;
  readonly windowsPerCommit?: number;
  /** Reads the source of a view. */
  readonly engine?: EngineType;
}

/** The target. */
export type BackfillSubject =
  | { readonly view: string; readonly trainingSet?: undefined }
  | { readonly view?: undefined; readonly trainingSet: TrainingSetRequest };

/** A range of a view or a training set. */
export type ParsedRange = WindowRange & BackfillSubject & { readonly newestFirst: boolean; readonly plan?: undefined };

/** The same, or a stored plan that names them. */
export type ParsedBackfill = BackfillSettings & (ParsedRange | { readonly plan: string });

const settingsSchema = z.object({
  concurrency: z.int().min(1).max(MAX_CONCURRENCY).default(DEFAULT_CONCURRENCY),
  windowsPerCommit: z.int().min(1).max(MAX_WINDOWS_PER_COMMIT).optional(),
  engine: z.enum(ENGINE_TYPES).optional(),
});
const requestSchema = z.strictObject({
  view: z.string().min(1).optional(),
  trainingSet: z.unknown().optional(),
  start: z.string().optional(),
  end: z.string().optional(),
  step: z.string().optional(),
  newestFirst: z.boolean().optional(),
  plan: z.string().min(1).optional(),
  ...settingsSchema.shape,
});

const EXAMPLE = 'for example {"view": "airport_delay", "start": "2001-01-01", "end": "2002-01-01", "step": "1d"}';

/**
 * The settings of a request alone, with what they are by default.
 * @throws `INVALID_ARGUMENT` naming every problem
 */
export function parseBackfillSettings(request: z.input<typeof settingsSchema>): BackfillSettings {
  const { concurrency, windowsPerCommit, engine } = parseWith(settingsSchema, request);
  return {
    concurrency,
    ...(windowsPerCommit === undefined ? {} : { windowsPerCommit }),
    ...(engine === undefined ? {} : { engine }),
  };
}

/**
 * Windows of a training set are read as its own request says, which its plan has.
 * @throws `INVALID_ARGUMENT` for an engine beside a training set
 */
export function refuseEngineBeside({ trainingSet }: BackfillSubject, { engine }: BackfillSettings): void {
  if (trainingSet === undefined || engine === undefined) return;
  throw invalid('"engine" is for the windows of a view: a training set, and its plan, have their own');
}

/**
 * @param request JSON as it came from outside
 * @throws `INVALID_ARGUMENT` naming every problem
 */
export function parseBackfillRequest(request: unknown): ParsedBackfill {
  const parsed = parseWith(requestSchema, request);
  const { view, trainingSet, start, end, step, newestFirst, plan } = parsed;
  const settings = parseBackfillSettings(parsed);
  if (plan !== undefined) {
    if ([view, trainingSet, start, end, step, newestFirst].some((field) => field !== undefined)) {
      throw invalid('"plan" cannot be combined with "view", "trainingSet", "start", "end", "step" or "newestFirst"');
    }
    return { ...settings, plan };
  }
  if (view !== undefined && trainingSet !== undefined) throw invalid('give either "view" or "trainingSet"');
  const subject = view ?? trainingSet;
  if (subject === undefined || start === undefined || end === undefined || step === undefined) {
    const missing = Object.entries({ view: subject, start, end, step }).filter(([, value]) => value === undefined);
    throw invalid(`${missing.map(([name]) => `"${name}"`).join(', ')} must be given`);
  }
  const range = { ...backfillRange(start, end, step), newestFirst: newestFirst ?? false };
  if (view !== undefined) return { ...settings, ...range, view };
  return { ...settings, ...range, trainingSet: trainingSetOf(trainingSet) };
}

function trainingSetOf(request: unknown): TrainingSetRequest {
  const parsed = parseTrainingSetRequest(request);
  entityTable(parsed);
  return parsed;
}

/** @throws `INVALID_ARGUMENT` */
export function backfillRange(start: string, end: string, step: string): WindowRange {
  const stepMs = parseDurationMs(step);
  if (stepMs === undefined) {
    throw invalid(
      `the step ${JSON.stringify(step)} is not a duration such as 1h or 1d; months and years have no fixed length`,
    );
  }
  const range = { startUs: parseTimeUs(start, 'start'), endUs: parseTimeUs(end, 'end'), stepUs: stepMs * 1000n };
  requireWindowRange(range);
  return range;
}

/**
 * The workflow id of a backfill, `backfill/<view>/<start>..<end>/<step>@<project>`: there is at most one in flight of each.
 * @param subject the view, or `training-set:<name>`, which no view is called
 */
export function backfillWorkflowId(
  subject: string,
  { startUs, endUs, stepUs }: WindowRange,
  project: string | null,
): string {
  const range = `${formatTimeUs(startUs)}..${formatTimeUs(endUs)}`;
  return projectName(`backfill/${subject}/${range}/${formatDurationMs(stepUs / 1000n)}`, project);
}

function parseWith<S extends z.ZodType>(schema: S, request: unknown): z.output<S> {
  const parsed = schema.safeParse(request);
  if (parsed.success) return parsed.data;
  throw invalid(`the input of backfill is not right: ${problems(parsed.error)}`);
}

function invalid(problem: string): MoraineError {
  return new MoraineError('INVALID_ARGUMENT', `${problem}; ${EXAMPLE}`);
}

function problems(error: z.ZodError): string {
  return error.issues
    .map(({ path, message }) => (path.length === 0 ? message : `"${path.join('.')}": ${message}`))
    .join('; ');
}
