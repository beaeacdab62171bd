/** Materializations of several views at once. */
import { isMoraineError, MoraineError } from '../errors/index.js';
import type { Project } from '../project/index.js';
import type { MaterializeResult } from '../workers/index.js';
import { checkMaterialize, type MaterializeRequest, materializeInterval } from './materialize.js';
import { onLastingServer, type StartedRun, withPage, workers } from './temporal-run.js';

export interface MaterializeViewsOptions {
  /** Whether runs of the same interval that are in flight are joined, as opposed to refused. */
  readonly join?: boolean;
  /** Wait for the ends of the runs. */
  readonly wait?: boolean;
  /** Stops the waiting. The runs go on. */
  readonly signal?: AbortSignal;
}

/** The run of one view. */
export interface MaterializedView {
  readonly view: string;
  readonly run: StartedRun;
  /** Null: it was not waited for. */
  readonly result: MaterializeResult | null;
}

/**
 * Starts a run for each request, on the configured Temporal server or `moraine dev`. Every request is checked before the first run is
 * started, and unless runs are joined, so is whether one of them is in flight. One that others start in this very moment is refused after the first
 * runs were started: these go on, and the error names them (`started` of its details). A run that fails does not stop the others.
 *
 * @throws `FEATURE_VIEW_NOT_FOUND`, `INVALID_ARGUMENT`; `RUN_ALREADY_ACTIVE` with the `views` whose intervals are running;
 * `TASK_QUEUE_UNPOLLED`; `TEMPORAL_UNAVAILABLE`; the error of the first run that failed
 */
export async function materializeViews(
  project: Project,
  requests: readonly MaterializeRequest[],
  { join = false, wait = false, signal }: MaterializeViewsOptions = {},
): Promise<readonly MaterializedView[]> {
  for (const request of requests) await checkMaterialize(project, request);
  const { refuseRunsInFlight, startMaterialization, waitForRun } = await workers();
  return onLastingServer(project, 'a run', async (server) => {
    const { client, settings } = server;
    const intervals = requests.map(materializeInterval);
    if (!join) await refuseRunsInFlight(client, intervals, settings.project);
    const started: { readonly view: string; readonly run: StartedRun }[] = [];
    for (const interval of intervals) {
      const options = { ifRunning: join ? 'join' : 'refuse' } as const;
      const run = await startMaterialization(server, settings, interval, options).catch((error: unknown) => {
        throw afterOthers(error, started);
      });
      started.push({ view: interval.view, run: withPage(server, run) });
    }
    if (!wait) return started.map((one) => ({ ...one, result: null }));
    const waiting = signal === undefined ? {} : { signal };
    const ends = await Promise.allSettled(started.map(({ run }) => waitForRun(client, run, waiting)));
    return ends.map((end, index) => {
      if (end.status === 'rejected') throw end.reason;
      return { ...(started[index] as (typeof started)[number]), result: end.value };
    });
  });
}

/** The error of a run that was not started, which names those that were started before it. */
function afterOthers(error: unknown, started: readonly { readonly view: string }[]): unknown {
  if (started.length === 0 || !isMoraineError(error)) return error;
  const { code, message, remedy, details } = error;
  const views = started.map(({ view }) => view);
  const names = [...new Set(views)].map((view) => `'${view}'`).join(', ');
  const more = { remedy, details: { ...details, started: views }, cause: error };
  return new MoraineError(code, `${message} Started before that, and going on: ${names}.`, more);
}
