import type { Project } from '../project/index.js';
import {
  resolveTemporalSettings,
  startOrJoinLocalServer,
  type TemporalClient,
  withAddress,
  withTemporalClient,
} from '../workers/index.js';
import type { CommandContext } from './context.js';

/** Runs `work` with a client of the configured server, or else of the project's local one, which keeps past runs. */
export async function withTemporal<T>(
  context: CommandContext,
  project: Project,
  work: (temporal: TemporalClient) => Promise<T>,
): Promise<T> {
  const settings = resolveTemporalSettings(project.config.temporal);
  if (settings.address !== undefined) return withTemporalClient(withAddress(settings, settings.address), work);
  const { stateFolder } = project.config;
  const server = await startOrJoinLocalServer({ stateFolder, namespace: settings.namespace, announce: context.note });
  try {
    return await withTemporalClient(withAddress(settings, server.address), work);
  } finally {
    await server.close();
  }
}
