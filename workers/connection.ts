import { Client, Connection } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { MoraineError } from '../errors/index.js';
import { dataConverter } from './data-converter.js';
import type { TemporalSettings } from './temporal-settings.js';
import { tracingIfConfigured } from './tracing-if-configured.js';

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
  close(): Promise<void>;
}

/** @throws `TEMPORAL_UNAVAILABLE` if the server does not answer within 10 s */
export async function connectClient(settings: ServerSettings): Promise<TemporalClient> {
  try {
    const connection = await Connection.connect({
      ...clientOptions(settings),
      connectTimeout: '10 seconds',
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
      close: async () => {
        await tracing?.flush();
        await connection.close();
      },
    };
  } catch (error) {
    throw unavailable(settings.address, error);
  }
}

/** Runs `work` with a client that is closed afterwards. @throws as {@link connectClient}, and what `work` throws */
export async function withTemporalClient<T>(
  settings: ServerSettings,
  work: (temporal: TemporalClient) => Promise<T>,
): Promise<T> {
  const temporal = await connectClient(settings);
  try {
    return await work(temporal);
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

function clientOptions(settings: ServerSettings): Parameters<typeof Connection.connect>[0] & object {
  const { apiKey, tls, metadata } = settings.connection;
  return {
    address: settings.address,
    ...(apiKey === undefined || typeof apiKey !== 'string' ? {} : { apiKey }),
    ...(tls === undefined ? {} : { tls }),
    ...(metadata === undefined ? {} : { metadata }),
  };
}

function unavailable(address: string, cause: unknown): MoraineError {
  return new MoraineError('TEMPORAL_UNAVAILABLE', `the Temporal server at ${address} does not answer`, {
    details: { address },
    cause,
  });
}

/** Whether a server at `address` answers, its namespaces included. */
export async function isServing(address: string, withinMs: number): Promise<boolean> {
  let connection: Connection | undefined;
  try {
    const opened = await Connection.connect({ address, connectTimeout: withinMs });
    connection = opened;
    await opened.withDeadline(Date.now() + withinMs, () => opened.workflowService.listNamespaces({}));
    return true;
  } catch {
    return false;
  } finally {
    await connection?.close();
  }
}
