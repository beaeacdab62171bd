/** The runs of a project on its Temporal server. */
import { unlessAborted } from '../processes/index.js';
import type { Project } from '../project/index.js';
import type { Run, RunStatus, RunSummary } from '../runs/index.js';
import {
  type ConnectedServer,
  onProjectServer,
  onRunningServer,
  type ServerOptions,
  withPage,
} from './temporal-run.js';

/** Temporal is large and slow to load: only what needs it waits for it. */
const loadRuns = () => import('../runs/index.js');

const DEFAULT_LIMIT = 20;

/** Which runs to list; every condition must hold. */
export interface RunsRequest extends ServerOptions {
  /** Only runs of this feature view. */
  readonly view?: string;
  /** Only runs that write or work on this table. */
  readonly table?: string;
  readonly status?: RunStatus;
  /** At most so many; 20 unless given. */
  readonly limit?: number;
}

/** Which run of a workflow id: the latest unless given. */
export interface ShowRunOptions extends ServerOptions {
  readonly runId?: string;
}

/** How a run is followed. */
export interface FollowRunOptions extends ShowRunOptions {
  /** Receives the run as it is, at once and after that every second, and when it has ended. A promise that it returns is awaited. */
  readonly onProgress?: (run: Run) => void | Promise<void>;
}

/** Runs that are in flight or ended last, newest first. @throws `TEMPORAL_UNAVAILABLE` */
export async function listProjectRuns(
  project: Project,
  { signal, announce, limit = DEFAULT_LIMIT, ...filter }: RunsRequest = {},
): Promise<readonly RunSummary[]> {
  const { listRuns } = await loadRuns();
  return onProjectServer(
    project,
    ({ client, settings }) => listRuns(client, filterOf(project, { ...filter, limit }, settings)),
    { ...(signal === undefined ? {} : { signal }), ...(announce === undefined ? {} : { announce }) },
  );
}

/** Runs name a table without its catalog if that is the default one, but for some that people have named otherwise. */
function filterOf(
  { config }: Project,
  { table, ...asked }: Pick<RunsRequest, 'view' | 'table' | 'status'> & { readonly limit: number },
  settings: ConnectedServer['settings'],
) {
  const filter = { ...asked, ...placeOf(settings) };
  if (table === undefined) return filter;
  const prefix = `${config.defaultCatalog}/`;
  const name = table.startsWith(prefix) ? table.slice(prefix.length) : table;
  return { ...filter, table: name.includes('/') ? [name] : [name, `${prefix}${name}`] };
}

/** A run of a list, with its page in Temporal's web UI. */
export interface ListedRun extends RunSummary {
  /** Null: the address of the web UI is not known. */
  readonly url: string | null;
}

/**
 * The same of a server that runs, with the page of each run: nothing is started, fetched or made.
 *
 * @returns null: no server is configured, and the local one of the project does not run
 * @throws `TEMPORAL_UNAVAILABLE`; `CANCELLED` by the signal
 */
export async function listRunsOnRunningServer(
  project: Project,
  { limit = DEFAULT_LIMIT, signal, ...filter }: Omit<RunsRequest, 'announce'> = {},
): Promise<readonly ListedRun[] | null> {
  // A project without a registry has no identity yet, and no runs.
  if ((await project.knownIdentity()) === null) return [];
  const { listRuns } = await loadRuns();
  const list = async (server: ConnectedServer): Promise<readonly ListedRun[]> => {
    const runs = await listRuns(server.client, filterOf(project, { ...filter, limit }, server.settings));
    return runs.map((run) => ({ ...run, url: withPage(server, run).url }));
  };
  return onRunningServer(project, (server) => unlessAborted(list(server), signal), signal && { signal });
}

/** A run in all detail. @throws `WORKFLOW_NOT_FOUND` naming the nearest ids; `PROJECT_MISMATCH`, `TEMPORAL_UNAVAILABLE` */
export async function showProjectRun(
  project: Project,
  id: string,
  { runId, ...options }: ShowRunOptions = {},
): Promise<Run> {
  const { showRun } = await loadRuns();
  return onProjectRun(project, id, ({ client }, own) => showRun(client, own, runId), options);
}

/**
 * Follows a run, over all of its executions, until it has ended.
 *
 * @returns the completed run
 * @throws the run's own error if it failed, `CANCELLED` if it was cancelled; otherwise as {@link showProjectRun}
 */
export async function waitForProjectRun(
  project: Project,
  id: string,
  { runId, onProgress, ...options }: FollowRunOptions = {},
): Promise<Run> {
  const { followRun } = await loadRuns();
  const { signal } = options;
  const follow = { ...(runId === undefined ? {} : { runId }), ...(onProgress === undefined ? {} : { onProgress }) };
  return onProjectRun(project, id, ({ client }, own) => followRun(client, own, { ...follow, signal }), options);
}

/** Runs `work` with the workflow id of the project's run, which may be given without the project in it. */
export async function onProjectRun<T>(
  project: Project,
  id: string,
  work: (server: ConnectedServer, own: string) => Promise<T>,
  options: ServerOptions & { readonly leavesWork?: boolean } = {},
): Promise<T> {
  const { ownRunId } = await loadRuns();
  return onProjectServer(
    project,
    async (server) => work(server, await ownRunId(server.client, placeOf(server.settings), id)),
    options,
  );
}

const placeOf = ({ project, taskQueue }: ConnectedServer['settings']) => ({ project, taskQueue });
