import { parseTimeUs } from '../config/index.js';
import { MoraineError } from '../errors/index.js';
import { findFeatureView } from '../features/index.js';
import type { Project } from '../project/index.js';
import type { EngineType } from '../reduction/index.js';
import type { MaterializeResult, RunProgress } from '../workers/index.js';
import {
  type ConnectedServer,
  onTemporal,
  type RunOptions,
  type StartedRun,
  startRunOf,
  workers,
} from './temporal-run.js';

/** View to materialize, and perhaps an interval of event time. */
export interface MaterializeRequest {
  readonly view: string;
  /** First event time of a window, ISO-8601 (UTC where it has no zone). Without it the run is incremental. */
  readonly start?: string;
  /** Event time that the run ends before. */
  readonly end?: string;
  /** Pieces that workers share, 1 to 1000; unless given: as many as the rows and the memory of a worker ask for. */
  readonly shards?: number;
  /** Who reduces the source rows to those that may win; unless given as the view and the project say. */
  readonly engine?: EngineType;
}

const MAX_SHARDS = 1000;

export type MaterializeOptions = RunOptions<RunProgress>;

/**
 * Starts the run of a view and interval, or joins the one in flight, and waits for it. It runs on the configured Temporal
 * server and its workers; with none configured, on an own server and worker that end with it.
 *
 * @throws `FEATURE_VIEW_NOT_FOUND`; `TASK_QUEUE_UNPOLLED` within 5 s if no worker is there; `TEMPORAL_UNAVAILABLE`; the
 * run's own error code if it failed
 */
export async function materialize(
  project: Project,
  request: MaterializeRequest,
  options: MaterializeOptions = {},
): Promise<MaterializeResult> {
  await checkMaterialize(project, request);
  const { startMaterialization, waitForRun } = await workers();
  const wait = async (server: ConnectedServer): Promise<MaterializeResult> => {
    const run = await startMaterialization(server, server.settings, materializeInterval(request));
    return waitForRun(server.client, run, { ...options, cancels: server.cancels });
  };
  return onTemporal(project, wait, options);
}

/**
 * Starts or joins the run and does not wait for it. This needs a configured Temporal server, or `moraine dev`.
 *
 * @throws `TEMPORAL_UNAVAILABLE` without one; otherwise as {@link materialize}
 */
export async function startMaterialize(project: Project, request: MaterializeRequest): Promise<StartedRun> {
  await checkMaterialize(project, request);
  const { startMaterialization } = await workers();
  return startRunOf(project, 'a run', (server) =>
    startMaterialization(server, server.settings, materializeInterval(request)),
  );
}

/** Finds mistakes before any server is started for them. @throws `FEATURE_VIEW_NOT_FOUND`, `INVALID_ARGUMENT` */
export async function checkMaterialize(project: Project, request: MaterializeRequest): Promise<void> {
  const { startUs, endUs } = materializeInterval(request);
  if (startUs !== undefined && endUs !== undefined && startUs > endUs) {
    throw new MoraineError('INVALID_ARGUMENT', `the start ${request.start} is after the end ${request.end}`);
  }
  const registry = await project.registry();
  const { definitions } = await registry.read();
  findFeatureView(definitions, request.view);
}

/** A request as runs take it. @throws `INVALID_ARGUMENT` */
export function materializeInterval({ view, start, end, shards, engine }: MaterializeRequest) {
  if (shards !== undefined && !(Number.isInteger(shards) && shards >= 1 && shards <= MAX_SHARDS)) {
    throw new MoraineError('INVALID_ARGUMENT', `shards is ${shards}; expected a whole number from 1 to ${MAX_SHARDS}`);
  }
  return {
    view,
    ...(start === undefined ? {} : { startUs: parseTimeUs(start, 'start') }),
    ...(end === undefined ? {} : { endUs: parseTimeUs(end, 'end') }),
    ...(shards === undefined ? {} : { shards }),
    ...(engine === undefined ? {} : { engine }),
  };
}
