/** Paths that start runs on Temporal. Connections are made for each request, so that a server that was away is found again. */
import {
  type CompactInput,
  type MaterializedView,
  materializeViews,
  type StartedRun,
  startBackfill,
  startCompact,
} from '../client/index.js';
import { isMoraineError, MoraineError } from '../errors/index.js';
import type { Definitions } from '../features/index.js';
import type { Project } from '../project/index.js';
import { errorAnswer } from './http-error.js';
import { type BackfillBody, type MaterializeBody, materializeRequests } from './job-body.js';
import {
  BACKFILL_REQUEST,
  COMPACT_REQUEST,
  INCREMENTAL_REQUEST,
  JOB_ANSWER,
  MATERIALIZE_QUERY,
  MATERIALIZE_REQUEST,
} from './job-schemas.js';
import type { Route } from './route.js';

export interface JobDeps {
  readonly project: Project;
  /** Aborted when a service that closes waits for requests no longer. */
  readonly stopped: AbortSignal;
  definitions(): Promise<Definitions>;
}

export function jobRoutes(deps: JobDeps): readonly Route[] {
  return [
    materialize(deps, 'window'),
    materialize(deps, 'incremental'),
    {
      method: 'POST',
      path: '/backfill',
      summary: 'Starts a backfill of a view in windows, or joins the one in flight.',
      scope: 'admin',
      body: BACKFILL_REQUEST,
      answers: { 202: JOB_ANSWER },
      errors: [404, 409, 503],
      handle: async ({ body }, reply) => {
        const { engine, ...rest } = body as BackfillBody;
        const request = { ...rest, ...(engine === null || engine === undefined ? {} : { engine }) };
        const run = await startBackfill(deps.project, request);
        const workflows = [{ feature_view: request.view, ...runJson(run) }];
        return reply.status(202).send({ status: 'accepted', feature_views: [request.view], workflows });
      },
    },
    {
      method: 'POST',
      path: '/compact',
      summary: 'Starts a compaction of a table.',
      scope: 'admin',
      body: COMPACT_REQUEST,
      answers: { 202: JOB_ANSWER },
      errors: [404, 409, 501, 503],
      handle: async ({ body }, reply) => {
        const input = body as CompactInput;
        const run = await startCompact(deps.project, input);
        return reply.status(202).send({ status: 'accepted', table: input.table, workflows: [runJson(run)] });
      },
    },
  ];
}

function materialize(deps: JobDeps, kind: 'window' | 'incremental'): Route {
  const incremental = kind === 'incremental';
  return {
    method: 'POST',
    path: incremental ? '/materialize-incremental' : '/materialize',
    summary: incremental
      ? 'Materializes what views have not materialized yet, and waits for it.'
      : 'Materializes a window of event times of views, closed at both ends, and waits for it.',
    scope: 'write',
    query: MATERIALIZE_QUERY,
    body: incremental ? INCREMENTAL_REQUEST : MATERIALIZE_REQUEST,
    answers: { 200: JOB_ANSWER, 202: JOB_ANSWER },
    errors: [404, 409, 410, 501, 503, 504],
    handle: async ({ body, query }, reply) => {
      const flags = query as { readonly async?: string; readonly force?: string };
      const requested = body as MaterializeBody;
      const requests = materializeRequests(requested, await viewsOf(deps, requested), kind);
      const wait = !isSet(flags.async);
      try {
        const options = { wait, join: isSet(flags.force), signal: deps.stopped };
        return reply.status(wait ? 200 : 202).send(answerOf(await materializeViews(deps.project, requests, options)));
      } catch (error) {
        if (deps.stopped.aborted) throw stoppedWaiting(requests.map(({ view }) => view));
        if (!isMoraineError(error, 'RUN_ALREADY_ACTIVE')) throw error;
        const { status, body: answer } = errorAnswer(error);
        return reply.status(status).send({ ...answer, feature_views: error.details['views'] ?? [] });
      }
    },
  };
}

const isSet = (flag: string | undefined): boolean => flag?.toLowerCase() === 'true';

async function viewsOf(deps: JobDeps, { feature_views: named }: MaterializeBody): Promise<readonly string[]> {
  if (named !== undefined && named !== null) return named;
  const { featureViews } = await deps.definitions();
  return [...featureViews.values()]
    .filter((view) => view.online)
    .map(({ name }) => name)
    .sort();
}

function answerOf(views: readonly MaterializedView[]): object {
  return {
    status: views.some(({ result }) => result === null) ? 'accepted' : 'completed',
    feature_views: views.map(({ view }) => view),
    workflows: views.map(({ view, run, result }) => ({
      feature_view: view,
      ...runJson(run),
      ...(result === null ? {} : { rows: Number(result.rows), snapshot: result.snapshotId }),
    })),
  };
}

const runJson = ({ workflowId, runId, url }: StartedRun) => ({ workflow_id: workflowId, run_id: runId, url });

function stoppedWaiting(views: readonly string[]): MoraineError {
  const names = views.map((view) => `'${view}'`).join(', ');
  return new MoraineError('SERVICE_CLOSING', `The service stopped before the runs of ${names} had ended. They go on.`);
}
