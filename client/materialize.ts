import { parseTimeUs } from '../config/index.js';
import { didYouMean, MoraineError } from '../errors/index.js';
import type { Project } from '../project/index.js';
import type {
  MaterializeResult,
  RequestedRun,
  RunProgress,
  TemporalClient,
  TemporalSettings,
} from '../workers/index.js';

/** Temporal is large and slow to load: only what starts runs waits for it. */
const workers = () => import('../workers/index.js');

/** What to materialize: a view and perhaps an interval of event time. */
export interface MaterializeRequest {
  readonly view: string;
  /** First event time of a window, ISO-8601 (UTC where it has no zone). Without it the run is incremental. */
  readonly start?: string;
  /** Event time that the run ends before. */
  readonly end?: string;
}

export interface MaterializeOptions {
  /** Stops the waiting. A run on a configured server goes on. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: RunProgress) => void;
  /** Told what takes long and is not the run itself, such as fetching a server. */
  readonly announce?: (message: string) => void;
}

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
  const settings = await checkedSettings(project, request);
  const { connectClient, startMaterialization, waitForRun, withAddress, withLocalRun } = await workers();
  const wait = async (temporal: TemporalClient, known: TemporalSettings): Promise<MaterializeResult> => {
    const run = await startMaterialization(temporal, known, interval(request));
    return waitForRun(temporal.client, run, options);
  };
  if (settings.address === undefined) return withLocalRun(project, (local) => wait(local, local.settings), options);
  const temporal = await connectClient(withAddress(settings, settings.address));
  try {
    return await wait(temporal, settings);
  } finally {
    await temporal.close();
  }
}

/**
 * Starts or joins the run and does not wait for it. This needs a configured Temporal server.
 *
 * @throws `TEMPORAL_UNAVAILABLE` without one; otherwise as {@link materialize}
 */
export async function startMaterialize(project: Project, request: MaterializeRequest): Promise<RequestedRun> {
  const settings = await checkedSettings(project, request);
  const { connectClient, startMaterialization, withAddress } = await workers();
  if (settings.address === undefined) {
    throw new MoraineError('TEMPORAL_UNAVAILABLE', 'no Temporal server is configured that a run could go on in');
  }
  const temporal = await connectClient(withAddress(settings, settings.address));
  try {
    return await startMaterialization(temporal, settings, interval(request));
  } finally {
    await temporal.close();
  }
}

/** Whether runs go to a configured server, as opposed to one that ends with the command. */
export async function hasConfiguredServer(project: Project): Promise<boolean> {
  const { resolveTemporalSettings } = await workers();
  return resolveTemporalSettings(project.config.temporal).address !== undefined;
}

/** Mistakes are found here, before any server is started for them. */
async function checkedSettings(project: Project, request: MaterializeRequest): Promise<TemporalSettings> {
  const { startUs, endUs } = interval(request);
  if (startUs !== undefined && endUs !== undefined && startUs > endUs) {
    throw new MoraineError('INVALID_ARGUMENT', `the start ${request.start} is after the end ${request.end}`);
  }
  const registry = await project.registry();
  const { definitions } = await registry.read();
  if (!definitions.featureViews.has(request.view)) throw unknownView(request.view, definitions.featureViews.keys());
  const { resolveTemporalSettings } = await workers();
  return resolveTemporalSettings(project.config.temporal);
}

function unknownView(name: string, known: Iterable<string>): MoraineError {
  return new MoraineError('FEATURE_VIEW_NOT_FOUND', `There is no feature view '${name}'. ${didYouMean(name, known)}`);
}

function interval({ view, start, end }: MaterializeRequest) {
  return {
    view,
    ...(start === undefined ? {} : { startUs: parseTimeUs(start, 'start') }),
    ...(end === undefined ? {} : { endUs: parseTimeUs(end, 'end') }),
  };
}
