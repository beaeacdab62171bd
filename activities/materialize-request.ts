/** Checking what people, schedules and commands ask for, and turning it into a run. */

import { z } from 'zod';
import { formatTimeUs, parseTimeUs } from '../config/index.js';
import { MoraineError } from '../errors/index.js';
import { parseDurationMs, projectName } from '../features/index.js';
import { ENGINE_TYPES, type EngineType } from '../reduction/index.js';

/** A run: a view and an interval of event time. Without a start it is incremental. */
export interface MaterializeRequest {
  readonly view: string;
  /** Microseconds since the epoch, included. */
  readonly startUs?: bigint;
  /** Microseconds since the epoch, excluded. */
  readonly endUs?: bigint;
  /** Pieces that workers share. A run that is joined keeps its own. */
  readonly shards?: number;
  /** Who reduces the source rows; unless given as the view and the project say. */
  readonly engine?: EngineType;
}

const requestSchema = z.strictObject({
  view: z.string().min(1),
  start: z.string().optional(),
  end: z.string().optional(),
  every: z.string().optional(),
  offset: z.string().optional(),
  shards: z.int().min(1).max(1000).optional(),
  engine: z.enum(ENGINE_TYPES).optional(),
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
  const { view: name, start, end, every, offset, shards, engine } = parsed.data;
  const view = { view: name, ...(shards === undefined ? {} : { shards }), ...(engine === undefined ? {} : { engine }) };
  if (every !== undefined) {
    if (start !== undefined || end !== undefined) throw invalid('"every" cannot be combined with "start" or "end"');
    return { ...view, ...scheduledWindow(every, offset, scheduledTime) };
  }
  if (offset !== undefined) throw invalid('"offset" needs "every"');
  const startUs = start === undefined ? undefined : parseTimeUs(start, '"start"');
  const endUs = end === undefined ? undefined : parseTimeUs(end, '"end"');
  if (startUs !== undefined && endUs !== undefined && startUs > endUs) {
    throw invalid(`"start" ${start} is after "end" ${end}`);
  }
  return { ...view, ...(startUs === undefined ? {} : { startUs }), ...(endUs === undefined ? {} : { endUs }) };
}

/** `[T - every, T)` of the schedule's nominal time T, which with an offset is first taken back to the last tick. */
function scheduledWindow(
  every: string,
  offset: string | undefined,
  scheduledTime: string | undefined,
): { startUs: bigint; endUs: bigint } {
  const everyUs = durationUs('every', every);
  if (everyUs === 0n) throw invalid('"every" must not be zero');
  if (scheduledTime === undefined) {
    throw invalid('"every" needs the nominal time of a Temporal Schedule; give "start" and "end" instead');
  }
  const nominalUs = parseTimeUs(scheduledTime, 'the scheduled time');
  const endUs = offset === undefined ? nominalUs : lastTickUs(nominalUs, everyUs, durationUs('offset', offset));
  return { startUs: endUs - everyUs, endUs };
}

function durationUs(name: string, text: string): bigint {
  const ms = parseDurationMs(text);
  if (ms === undefined) throw invalid(`"${name}" ${JSON.stringify(text)} is not a duration such as 1h or 1d`);
  return ms * 1000n;
}

function lastTickUs(timeUs: bigint, everyUs: bigint, offsetUs: bigint): bigint {
  const past = (timeUs - offsetUs) % everyUs;
  return timeUs - (past < 0n ? past + everyUs : past);
}

/**
 * The workflow id of a run, `materialize/<view>/<interval>@<project>`: there is at most one run in flight of each.
 * The interval is `incremental`, `incremental..<end>` or `<start>..<end>`.
 */
export function runWorkflowId({ view, startUs, endUs }: MaterializeRequest, project: string | null): string {
  const end = endUs === undefined ? '' : formatTimeUs(endUs);
  const interval =
    startUs === undefined ? `incremental${endUs === undefined ? '' : `..${end}`}` : `${formatTimeUs(startUs)}..${end}`;
  return projectName(`materialize/${view}/${interval}`, project);
}

function invalid(problem: string): MoraineError {
  return new MoraineError('INVALID_ARGUMENT', `${problem}; ${EXAMPLE}`);
}

function problems(error: z.ZodError): string {
  return error.issues
    .map(({ path, message }) => (path.length === 0 ? message : `"${path.join('.')}": ${message}`))
    .join('; ');
}
