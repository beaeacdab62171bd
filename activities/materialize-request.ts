/** Checking what people, schedules and commands ask for, and turning it into a run. */
import { z } from 'zod';
import { formatTimeUs, parseTimeUs } from '../config/index.js';
import { MoraineError } from '../errors/index.js';
import { parseDurationMs } from '../features/index.js';

/** A run: a view and an interval of event time. Without a start it is incremental. */
export interface MaterializeRequest {
  readonly view: string;
  /** Microseconds since the epoch, included. */
  readonly startUs?: bigint;
  /** Microseconds since the epoch, excluded. */
  readonly endUs?: bigint;
}

const requestSchema = z.strictObject({
  view: z.string().min(1),
  start: z.string().optional(),
  end: z.string().optional(),
  every: z.string().optional(),
});

const EXAMPLE =
  'for example {"view": "airport_delay"} or {"view": "airport_delay", "start": "2001-01-01", "end": "2001-02-01"}';

/**
 * @param request JSON as it came from outside
 * @param scheduledTime nominal time of the schedule that fired, ISO-8601
 * @throws `INVALID_ARGUMENT` naming every problem
 */
export function parseMaterializeRequest(request: unknown, scheduledTime?: string): MaterializeRequest {
  const parsed = requestSchema.safeParse(request);
  if (!parsed.success) {
    throw new MoraineError(
      'INVALID_ARGUMENT',
      `the input of materialize is not right: ${problems(parsed.error)}; ${EXAMPLE}`,
    );
  }
  const { view, start, end, every } = parsed.data;
  if (every !== undefined) {
    if (start !== undefined || end !== undefined) throw invalid('"every" cannot be combined with "start" or "end"');
    return { view, ...scheduledWindow(every, scheduledTime) };
  }
  const startUs = start === undefined ? undefined : parseTimeUs(start, '"start"');
  const endUs = end === undefined ? undefined : parseTimeUs(end, '"end"');
  if (startUs !== undefined && endUs !== undefined && startUs > endUs) {
    throw invalid(`"start" ${start} is after "end" ${end}`);
  }
  return { view, ...(startUs === undefined ? {} : { startUs }), ...(endUs === undefined ? {} : { endUs }) };
}

/** `[T - every, T)` of the schedule's nominal time T. */
function scheduledWindow(every: string, scheduledTime: string | undefined): { startUs: bigint; endUs: bigint } {
  const everyMs = parseDurationMs(every);
  if (everyMs === undefined || everyMs === 0n)
    throw invalid(`"every" ${JSON.stringify(every)} is no duration such as 1h or 1d`);
  if (scheduledTime === undefined) {
    throw invalid('"every" needs the nominal time of a Temporal Schedule; give "start" and "end" instead');
  }
  const endUs = parseTimeUs(scheduledTime, 'the scheduled time');
  return { startUs: endUs - everyMs * 1000n, endUs };
}

/**
 * The workflow id of a run, `materialize/<view>/<interval>`: there is at most one run in flight of each.
 * The interval is `incremental`, `incremental..<end>` or `<start>..<end>`.
 */
export function runWorkflowId({ view, startUs, endUs }: MaterializeRequest): string {
  const end = endUs === undefined ? '' : formatTimeUs(endUs);
  if (startUs !== undefined) return `materialize/${view}/${formatTimeUs(startUs)}..${end}`;
  return `materialize/${view}/incremental${endUs === undefined ? '' : `..${end}`}`;
}

function invalid(problem: string): MoraineError {
  return new MoraineError('INVALID_ARGUMENT', `${problem}; ${EXAMPLE}`);
}

function problems(error: z.ZodError): string {
  return error.issues
    .map(({ path, message }) => (path.length === 0 ? message : `"${path.join('.')}": ${message}`))
    .join('; ');
}
