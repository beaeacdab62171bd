/** Bodies of jobs as requests of the library. */

import type { BackfillRequest, MaterializeRequest } from '../client/index.js';
import { formatTimeUs, parseTimeUs } from '../config/index.js';
import { MoraineError } from '../errors/index.js';
import type { EngineType } from '../reduction/index.js';

/** Body of `POST /materialize` that its schema allows. */
export interface MaterializeBody extends IncrementalBody {
  readonly start_ts?: string | null;
  readonly disable_event_timestamp?: boolean;
}

/** Body of `POST /materialize-incremental` that its schema allows. */
export interface IncrementalBody {
  readonly end_ts?: string | null;
  readonly feature_views?: readonly string[] | null;
  readonly full_feature_names?: boolean;
  readonly version?: string | null;
  readonly engine?: EngineType | null;
  readonly shards?: number | null;
}

/** Body of `POST /backfill` that its schema allows. */
export interface BackfillBody extends Omit<BackfillRequest, 'engine'> {
  readonly view: string;
  readonly engine?: EngineType | null;
}

/**
 * The interval of a body for each view. Feast's windows are closed at both ends, those of the library open at the end: the end is a
 * microsecond later.
 * @throws INVALID_ARGUMENT; UNSUPPORTED_FEATURE for options of Feast that mean nothing here
 */
export function materializeRequests(
  body: MaterializeBody,
  views: readonly string[],
  kind: 'window' | 'incremental',
): readonly MaterializeRequest[] {
  refuseUnsupported(body);
  const endUs = timeOf(body, 'end_ts');
  const startUs = kind === 'window' ? timeOf(body, 'start_ts') : undefined;
  if (startUs !== undefined && startUs > endUs)
    throw invalid(`The body's start_ts ${body.start_ts} is after its end_ts ${body.end_ts}.`);
  const end = formatTimeUs(endUs + 1n);
  const interval = startUs === undefined ? { end } : { start: formatTimeUs(startUs), end };
  const { engine = null, shards = null } = body;
  const how = { ...(engine === null ? {} : { engine }), ...(shards === null ? {} : { shards }) };
  return [...new Set(views)].map((view) => ({ view, ...interval, ...how }));
}

function timeOf(body: MaterializeBody, field: 'start_ts' | 'end_ts'): bigint {
  const text = body[field];
  if (text === undefined || text === null) throw invalid(`The body has no '${field}'.`);
  return parseTimeUs(text, `The body's ${field}`);
}

function refuseUnsupported({ disable_event_timestamp, full_feature_names, version }: MaterializeBody): void {
  if (disable_event_timestamp === true)
    throw unsupported('disable_event_timestamp', 'rows keep the event times of their source');
  if (full_feature_names === true)
    throw unsupported('full_feature_names', 'online tables have bare names; reads have full_feature_names');
  if (version !== undefined && version !== null) throw unsupported('version', 'views have no versions');
}

function unsupported(field: string, reason: string): MoraineError {
  return new MoraineError('UNSUPPORTED_FEATURE', `The body's ${field} is not supported: ${reason}.`, {
    remedy: 'Leave the field out.',
  });
}

const invalid = (message: string): MoraineError => new MoraineError('INVALID_ARGUMENT', message);
