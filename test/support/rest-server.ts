/** The REST catalog of Java's Iceberg library, on a free port of this machine. */
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { freePorts } from '../../workers/server/free-ports.js';
import { startJavaServer } from './java-server.js';
import type { S3Server } from './s3-server.js';

/** A running server. */
export interface RestServer {
  /** The address of the catalog of a name, which is made when it is first asked for. */
  uriOf(name: string): string;
  close(): Promise<void>;
}

/**
 * Starts a server without tables; the first call on a machine downloads it.
 * @param folder below which it puts tables
 * @param properties of its catalogs, for example another FileIO; `access-file` names a file of what it gives with each table
 */
export async function startRestServer(
  folder: string,
  properties: Readonly<Record<string, string>> = {},
): Promise<RestServer> {
  const [port = 0] = await freePorts(1);
  const settings = Object.entries(properties).map(([name, value]) => `${name}=${value}`);
  const args = [String(port), folder, ...settings];
  const { process, close } = await startJavaServer('jars-rest.txt', 'RestCatalog.java', args);
  await listening(process);
  return { uriOf: (name) => `http://127.0.0.1:${port}/${name}`, close };
}

/** Properties by which it writes to a store. */
export const s3OfRest = ({ endpoint, options }: Pick<S3Server, 'endpoint' | 'options'>) => ({
  'io-impl': 'org.apache.iceberg.aws.s3.S3FileIO',
  'client.region': 'us-east-1',
  's3.endpoint': endpoint,
  's3.path-style-access': 'true',
  's3.access-key-id': options['s3.access-key-id'] ?? '',
  's3.secret-access-key': options['s3.secret-access-key'] ?? '',
});

async function listening(server: ChildProcess): Promise<void> {
  if (server.stdout !== null) for await (const line of createInterface(server.stdout)) if (line === 'listening') return;
  throw new Error(`the REST catalog ended with code ${server.exitCode}`);
}
