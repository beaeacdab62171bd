/** The REST catalog of Java's Iceberg library, on a free port of this machine. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePorts } from '../../workers/server/free-ports.js';
import { cachedJar, jarsOf } from './maven.js';
import { projectRoot } from './paths.js';

/** A running server. */
export interface RestServer {
  /** The address of the catalog of a name, which is made when it is first asked for. */
  uriOf(name: string): string;
  close(): Promise<void>;
}

/**
 * Starts a server without tables; the first call on a machine downloads it.
 * @param folder below which it puts tables
 * @param properties of its catalogs, for example another FileIO
 */
export async function startRestServer(
  folder: string,
  properties: Readonly<Record<string, string>> = {},
): Promise<RestServer> {
  const jars: string[] = [];
  for (const jar of jarsOf(join(projectRoot, 'test/interop/jars-rest.txt'))) jars.push(await cachedJar(jar));
  const [port = 0] = await freePorts(1);
  const program = join(projectRoot, 'test/interop/programs/RestCatalog.java');
  const settings = Object.entries(properties).map(([name, value]) => `${name}=${value}`);
  const server = spawn('java', ['-cp', jars.join(delimiter), program, String(port), folder, ...settings], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await listening(server);
  return {
    uriOf: (name) => `http://127.0.0.1:${port}/${name}`,
    close: async () => {
      const ended = once(server, 'exit');
      server.stdin?.end();
      await ended;
    },
  };
}

async function listening(server: ChildProcess): Promise<void> {
  if (server.stdout !== null) for await (const line of createInterface(server.stdout)) if (line === 'listening') return;
  throw new Error(`the REST catalog ended with code ${server.exitCode}`);
}
