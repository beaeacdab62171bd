import { throwIfAborted, unlessAborted } from '../../processes/index.js';
import type { Project } from '../../project/index.js';
import { type ServerSettings, type TemporalClient, withAddress, withTemporalClient } from '../clients/connection.js';
import { type ProjectSettings, resolveTemporalSettings } from '../temporal-settings.js';
import type { WorkflowSource } from '../worker/bundle.js';
import { runWorker } from '../worker/run-worker.js';
import { type LocalServer, startOrJoinLocalServer } from './local-server.js';

/** Parts of a local run: a server, a worker of this process, and a client. */
export interface LocalRun extends TemporalClient {
  readonly settings: ServerSettings & ProjectSettings;
  /** The local server; undefined if one is configured. */
  readonly server: LocalServer | undefined;
}

export interface LocalRunOptions {
  readonly announce?: (message: string) => void;
  readonly warn?: (message: string) => void;
  /** Ends the start of server and worker; `work` has to heed it itself. */
  readonly signal?: AbortSignal;
  readonly workflows?: WorkflowSource;
}

/**
 * Runs `work` with an own worker in this process, on the configured server or else on the project's local one, and takes
 * both down afterwards whatever happens: the body of one-off runs, `moraine dev` and the demo.
 *
 * @throws `TEMPORAL_UNAVAILABLE`, `CANCELLED`, and what `work` throws
 */
export async function withLocalRun<T>(
  project: Project,
  work: (run: LocalRun) => Promise<T>,
  options: LocalRunOptions = {},
): Promise<T> {
  const configured = resolveTemporalSettings(project.config.temporal);
  const server =
    configured.address === undefined
      ? await startOrJoinLocalServer({
          stateFolder: project.config.stateFolder,
          namespace: configured.namespace,
          ...(options.announce === undefined ? {} : { announce: options.announce }),
          signal: options.signal,
        })
      : undefined;
  try {
    const settings = withAddress(configured, server?.address ?? configured.address ?? '');
    const run = async (temporal: TemporalClient): Promise<T> => {
      const owned = { ...settings, project: await project.identity() };
      return work({ ...temporal, settings: owned, server });
    };
    return await withWorker(project, settings, { ...options, lost: server?.lost ?? never() }, run);
  } finally {
    await server?.close();
  }
}

const never = (): Promise<never> => new Promise(() => {});

function withWorker<T>(
  project: Project,
  settings: ServerSettings,
  { signal, lost, ...options }: LocalRunOptions & { readonly lost: Promise<never> },
  work: (temporal: TemporalClient) => Promise<T>,
): Promise<T> {
  const workOfWorker = async (temporal: TemporalClient): Promise<T> => {
    throwIfAborted(signal);
    const stop = new AbortController();
    let onReady = (): void => {};
    const ready = new Promise<void>((resolve) => {
      onReady = resolve;
    });
    const worker = runWorker({
      ...options,
      settings,
      project,
      signal: stop.signal,
      onReady,
      nativeLog: 'errors',
    });
    // A worker or server that ends by itself has failed: whatever waits for it must hear that.
    const failed = Promise.race([worker.then(never), lost]);
    failed.catch(() => undefined);
    try {
      await unlessAborted(Promise.race([ready, failed]), signal);
      return await Promise.race([work(temporal), failed]);
    } finally {
      stop.abort();
      await worker.catch(() => {});
    }
  };
  return withTemporalClient(settings, workOfWorker, { signal });
}
