import { Client, type Connection } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { isMoraineError } from '../../errors/index.js';
import { unlessAborted } from '../../processes/index.js';
import { tracingIfConfigured } from '../observability/tracing-if-configured.js';
import { dataConverter } from '../payloads/data-converter.js';
import type { TemporalSettings } from '../temporal-settings.js';
import { openConnection } from './closable-connection.js';
import { serverError, unavailable } from './server-error.js';

/** Settings whose address is known: configured, or that of a local server. */
export interface ServerSettings extends TemporalSettings {
  readonly address: string;
}

/** `settings`, with the address of a server that was started for them. */
export function withAddress(settings: TemporalSettings, address: string): ServerSettings {
  return { ...settings, address, connection: { ...settings.connection, address } };
}

/** A client and the connection that it owns. */
export interface TemporalClient {
  readonly client: Client;
  readonly connection: Connection;
  /** Aborted when the client's work is no longer wanted. */
  readonly signal?: AbortSignal | undefined;
  close(): Promise<void>;
}

export interface ConnectOptions {
  readonly signal?: AbortSignal | undefined;
}

/** @throws `TEMPORAL_UNAVAILABLE` if the server does not answer within 10 s; `TEMPORAL_REFUSED` if it refuses the client; `CANCELLED` */
export async function connectClient(
  settings: ServerSettings,
  { signal }: ConnectOptions = {},
): Promise<TemporalClient> {
  try {
    const connecting = openConnection({ ...clientOptions(settings), connectTimeout: '10 seconds' });
    const connection = await unlessAborted(connecting, signal).catch((error: unknown) => {
      void connecting.then((late) => late.close()).catch(() => undefined);
      throw error;
    });
    const tracing = await tracingIfConfigured();
    return {
      client: new Client({
        connection,
        namespace: settings.namespace,
        ...dataConverter(settings.encryptionKeys),
        ...(tracing === undefined ? {} : { interceptors: tracing.client }),
      }),
      connection,
      signal,
      close: async () => {
        await tracing?.flush();
        await connection.close();
      },
    };
  } catch (error) {
    if (isMoraineError(error, 'CANCELLED')) throw error;
    const told = serverError(settings, error);
    throw isMoraineError(told) ? told : unavailable(settings.address, error);
  }
}

/**
 * Runs `work` with a client that is closed afterwards.
 * @throws as {@link connectClient}, also when the server stops answering later, or does not know the namespace; and what `work` throws
 */
export async function withTemporalClient<T>(
  settings: ServerSettings,
  work: (temporal: TemporalClient) => Promise<T>,
  options: ConnectOptions = {},
): Promise<T> {
  const temporal = await connectClient(settings, options);
  try {
    return await work(temporal);
  } catch (error) {
    throw serverError(settings, error);
  } finally {
    await temporal.close();
  }
}

/** @throws `TEMPORAL_UNAVAILABLE` if the server does not answer */
export async function connectWorker(settings: ServerSettings): Promise<NativeConnection> {
  try {
    return await NativeConnection.connect(settings.connection);
  } catch (error) {
    throw unavailable(settings.address, error);
  }
}

function clientOptions(settings: ServerSettings): Parameters<typeof openConnection>[0] {
  const { apiKey, tls, metadata } = settings.connection;
  return {
    address: settings.address,
    ...(apiKey === undefined || typeof apiKey !== 'string' ? {} : { apiKey }),
    ...(tls === undefined ? {} : { tls }),
    ...(metadata === undefined ? {} : { metadata }),
  };
}

/** Whether a server at `address` answers, its namespaces included. */
export async function isServing(address: string, withinMs: number): Promise<boolean> {
  let connection: Connection | undefined;
  try {
    const opened = await openConnection({ address, connectTimeout: withinMs });
    connection = opened;
    await opened.withDeadline(Date.now() + withinMs, () => opened.workflowService.listNamespaces({}));
    return true;
  } catch {
    return false;
  } finally {
    await connection?.close();
  }
}
