/** The Temporal server that runs go to: the configured one, or one of their own. */
import { MoraineError } from '../errors/index.js';
import { unlessAborted } from '../processes/index.js';
import type { Project } from '../project/index.js';
import type { ProjectSettings, RequestedRun, ServerSettings, TemporalClient } from '../workers/index.js';

/** Temporal is large and slow to load: only what starts runs waits for it. */
export const workers = () => import('../workers/index.js');

/** How a run is waited for. */
export interface RunOptions<Progress> {
  /** Stops the waiting. A run on a configured server goes on; without one the run is cancelled. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
  /** Told what takes long and is not the run itself, such as fetching a server. */
  readonly announce?: (message: string) => void;
}

/** A server, and the project that uses it. */
export type ProjectServer = ServerSettings & ProjectSettings;

/** A client and the settings that it was connected with. */
export interface ConnectedServer extends TemporalClient {
  readonly settings: ProjectServer;
  /** Whether giving up the waiting cancels the run, because the server or its worker ends with the waiting. */
  readonly cancels: boolean;
  /** Address of the web UI; undefined if it is not known. */
  readonly uiAddress?: string | undefined;
}

/** Whether runs go to a configured server, as opposed to one that ends with the command. */
export async function hasConfiguredServer(project: Project): Promise<boolean> {
  return (await configuredServer(project)) !== undefined;
}

/** A run that goes on after the call. */
export interface StartedRun extends RequestedRun {
  /** Its page in the web UI; null: `temporal.uiAddress` is not configured. */
  readonly url: string | null;
}

/** A run on a server, with its page in the server's web UI. */
export function withPage({ settings, uiAddress }: ConnectedServer, run: RequestedRun): StartedRun {
  const path = ['namespaces', settings.namespace, 'workflows', run.workflowId, run.runId].map(encodeURIComponent);
  return { ...run, url: uiAddress === undefined ? null : `${uiAddress}/${path.join('/')}` };
}

/** Starts a run on a server that goes on after the call. @throws as {@link onLastingServer} */
export function startRunOf(
  project: Project,
  what: string,
  start: (server: ConnectedServer) => Promise<RequestedRun>,
): Promise<StartedRun> {
  return onLastingServer(project, what, async (server) => withPage(server, await start(server)));
}

/**
 * Runs `work` with a client of a server that goes on after the call: the configured one, or else the project's local one while it runs
 * (`moraine dev`).
 *
 * @param what needs the server, such as `a backfill`
 * @throws `TEMPORAL_UNAVAILABLE` if there is none; what `work` throws
 */
export async function onLastingServer<T>(
  project: Project,
  what: string,
  work: (server: ConnectedServer) => Promise<T>,
): Promise<T> {
  const found = await onRunningServer(project, async (server) => ({ done: await work(server) }));
  if (found !== null) return found.done;
  throw new MoraineError('TEMPORAL_UNAVAILABLE', `No Temporal server is configured that ${what} could go on in.`, {
    remedy:
      'Set TEMPORAL_ADDRESS, or temporal.address in moraine.yaml, or run `moraine dev`; or wait for the end, which needs no server of yours.',
  });
}

/** Runs `work` with a client of a server. @throws `TEMPORAL_UNAVAILABLE`, and what `work` throws */
export async function onServer<T>(
  settings: ProjectServer,
  work: (server: ConnectedServer) => Promise<T>,
  options: Pick<RunOptions<never>, 'signal'> = {},
): Promise<T> {
  const { withTemporalClient } = await workers();
  return withTemporalClient(settings, (temporal) => work({ ...temporal, settings, cancels: false }), options);
}

/**
 * Runs `work` with a client of the configured server; with none configured, of an own server whose worker is in this process and which ends
 * with the work.
 *
 * @throws `TEMPORAL_UNAVAILABLE`, and what `work` throws
 */
export async function onTemporal<T>(
  project: Project,
  work: (server: ConnectedServer) => Promise<T>,
  options: Pick<RunOptions<never>, 'announce' | 'signal'> = {},
): Promise<T> {
  const settings = await configuredServer(project);
  if (settings !== undefined) return onServer(await ownedBy(project, settings), work, options);
  const { withLocalRun } = await workers();
  return withLocalRun(project, (run) => work({ ...run, cancels: true }), options);
}

/**
 * Runs `work` with a client of the configured server, or else of the project's local one, if that runs; starts none.
 *
 * @returns null without a server
 * @throws `TEMPORAL_UNAVAILABLE`, and what `work` throws
 */
export async function onRunningServer<T>(
  project: Project,
  work: (server: ConnectedServer) => Promise<T>,
  options: Pick<RunOptions<never>, 'signal'> = {},
): Promise<T | null> {
  const running = await findRunningServer(project);
  if (running === undefined) return null;
  try {
    const { settings, uiAddress } = running;
    return await onServer(await ownedBy(project, settings), (server) => work({ ...server, uiAddress }), options);
  } finally {
    await running.release();
  }
}

/** How a call waits for the project's server. */
export interface ServerOptions {
  /** Stops the waiting. What the server was asked for before stays. */
  readonly signal?: AbortSignal;
  /** Receives a sentence about anything slow, such as fetching a server, and a warning if the server ends with the call. */
  readonly announce?: (message: string) => void;
}

const ENDS =
  'warning: no Temporal server is configured, and the local one of this project ends now. Nothing fires or goes on until ' +
  '`moraine dev` runs.';

/**
 * Runs `work` with a client of the configured server, or else of the project's local one, which keeps schedules and past runs. If the
 * local one does not run, it is started for the length of the work.
 *
 * @param leavesWork whether something is to go on afterwards: a warning is announced if the local server ends with the call
 * @throws `TEMPORAL_UNAVAILABLE`, `CANCELLED`, and what `work` throws
 */
export async function onProjectServer<T>(
  project: Project,
  work: (server: ConnectedServer) => Promise<T>,
  { leavesWork = false, ...options }: ServerOptions & { readonly leavesWork?: boolean } = {},
): Promise<T> {
  const { resolveTemporalSettings, startOrJoinLocalServer, withAddress } = await workers();
  const settings = resolveTemporalSettings(project.config.temporal);
  const owner = await project.knownIdentity();
  const connected = (address: string): Promise<T> =>
    onServer(
      { ...withAddress(settings, address), project: owner },
      (server) => unlessAborted(work(server), options.signal),
      options,
    );
  if (settings.address !== undefined) return connected(settings.address);
  const { stateFolder } = project.config;
  const server = await startOrJoinLocalServer({ stateFolder, namespace: settings.namespace, ...options });
  try {
    const done = await connected(server.address);
    if (leavesWork && server.started) options.announce?.(ENDS);
    return done;
  } finally {
    await server.close();
  }
}

/** A server that runs, and is kept running until it is released. */
export interface RunningServer {
  readonly settings: ServerSettings;
  /** Address of the web UI; undefined if it is not known. */
  readonly uiAddress: string | undefined;
  release(): Promise<void>;
}

/** The configured server, or else the project's local one, if that runs; starts none. */
export async function findRunningServer(project: Project): Promise<RunningServer | undefined> {
  const configured = await configuredServer(project);
  const { uiAddress } = project.config.temporal;
  if (configured !== undefined) return { settings: configured, uiAddress, release: () => Promise.resolve() };
  const { joinLocalServer, resolveTemporalSettings, withAddress } = await workers();
  const local = await joinLocalServer(project.config.stateFolder);
  if (local === undefined) return undefined;
  const settings = withAddress(resolveTemporalSettings(project.config.temporal), local.address);
  return { settings, uiAddress: uiAddress ?? local.uiAddress, release: () => local.close() };
}

async function ownedBy(project: Project, settings: ServerSettings): Promise<ProjectServer> {
  return { ...settings, project: await project.identity() };
}

async function configuredServer({ config }: Project): Promise<ServerSettings | undefined> {
  const { resolveTemporalSettings, withAddress } = await workers();
  const settings = resolveTemporalSettings(config.temporal);
  return settings.address === undefined ? undefined : withAddress(settings, settings.address);
}
