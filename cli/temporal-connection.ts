import { unlessAborted } from '../processes/index.js';
import type { Project } from '../project/index.js';
import {
  type RunPlace,
  resolveTemporalSettings,
  startOrJoinLocalServer,
  type TemporalClient,
  withAddress,
  withTemporalClient,
} from '../workers/index.js';
import type { CommandContext } from './context.js';

const ENDS =
  'warning: no Temporal server is configured, and the local one of this project ends with this command. Nothing fires or goes on until ' +
  '`moraine dev` runs.';

/** The project's identity, if it has one, and its task queue. */
export async function runPlace(project: Project): Promise<RunPlace> {
  const { taskQueue } = resolveTemporalSettings(project.config.temporal);
  return { project: await project.knownIdentity(), taskQueue };
}

/**
 * Runs `work` with a client of the configured server, or else of the project's local one, which keeps past runs.
 *
 * @param leavesWork whether something is to go on afterwards: people are told if the local server ends with the command
 */
export async function withTemporal<T>(
  context: CommandContext,
  project: Project,
  work: (temporal: TemporalClient) => Promise<T>,
  { leavesWork = false }: { readonly leavesWork?: boolean } = {},
): Promise<T> {
  const settings = resolveTemporalSettings(project.config.temporal);
  const { signal } = context;
  const workUnlessAborted = (temporal: TemporalClient): Promise<T> => unlessAborted(work(temporal), signal);
  if (settings.address !== undefined) {
    return withTemporalClient(withAddress(settings, settings.address), workUnlessAborted, { signal });
  }
  const { stateFolder } = project.config;
  const { namespace } = settings;
  const server = await startOrJoinLocalServer({ stateFolder, namespace, announce: context.note, signal });
  try {
    const done = await withTemporalClient(withAddress(settings, server.address), workUnlessAborted, { signal });
    if (leavesWork && server.started) context.note(ENDS);
    return done;
  } finally {
    await server.close();
  }
}
