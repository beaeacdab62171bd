import type { Project } from '../project/index.js';
import {
  connectClient,
  resolveTemporalSettings,
  startOrJoinLocalServer,
  type TemporalClient,
  withAddress,
} from '../workers/index.js';
import type { CommandContext } from './context.js';

/** Runs `work` with a client of the configured server, or else of the project's local one, which keeps past runs. */
export async function withTemporal<T>(
  context: CommandContext,
  project: Project,
  work: (temporal: TemporalClient) => Promise<T>,
): Promise<T> {
  const settings = resolveTemporalSettings(project.config.temporal);
  if (settings.address !== undefined) return withClient(withAddress(settings, settings.address), work);
  const { stateFolder } = project.config;
  const server = await startOrJoinLocalServer({ stateFolder, namespace: settings.namespace, announce: context.note });
  try {
    return await withClient(withAddress(settings, server.address), work);
  } finally {
    await server.close();
  }
}

async function withClient<T>(
  settings: ReturnType<typeof withAddress>,
  work: (temporal: TemporalClient) => Promise<T>,
): Promise<T> {
  const temporal = await connectClient(settings);
  try {
    return await work(temporal);
  } finally {
    await temporal.close();
  }
}
