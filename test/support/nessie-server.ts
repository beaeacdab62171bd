/** Nessie on a free port of this machine; it keeps its log in memory, and tables in a bucket. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts } from '../../workers/server/free-ports.js';
import { newerJava } from './java-server.js';
import { cachedJar } from './maven.js';
import type { S3Server } from './s3-server.js';

export const NESSIE = {
  coordinates: 'org.projectnessie.nessie:nessie-quarkus:0.99.0:runner',
  sha256: 'ce9fa33e2878bf5ea3981876b9e6204cabc0362b3dd82326b10e47271a78c417',
};
const JAVA = 21;

/** A running server. */
export interface NessieServer {
  readonly address: string;
  /** The address of the Iceberg catalog of a branch. */
  uriOf(branch: string): string;
  /** Makes a branch or tag: an empty one, or one that begins where `from`, a name or `name@hash`, is. */
  makeReference(name: string, from?: string, type?: 'BRANCH' | 'TAG'): Promise<void>;
  /** A request to Nessie's own API. Throws unless it succeeds. */
  call(method: string, path: string, body?: unknown): Promise<Record<string, unknown>>;
  close(): Promise<void>;
}

/** How clients come by access to the store, beside credentials of their own. */
export type ClientAccess = 'none' | 'signing' | 'sessions';

/**
 * @param warehouse `s3://BUCKET/FOLDER` of the store
 * @param access what it gives to clients: signatures of requests, or credentials of a session that the store makes
 */
export async function startNessie(
  s3: S3Server,
  warehouse: string,
  access: ClientAccess = 'none',
): Promise<NessieServer> {
  const [java, jar] = [newerJava(JAVA), await cachedJar(NESSIE)];
  const [port = 0, management = 0] = await freePorts(2);
  const store = 'nessie.catalog.service.s3.default-options';
  const settings = {
    'quarkus.http.host': '127.0.0.1',
    'quarkus.http.port': port,
    'quarkus.management.host': '127.0.0.1',
    'quarkus.management.port': management,
    'nessie.version.store.type': 'IN_MEMORY',
    'nessie.catalog.default-warehouse': 'lake',
    'nessie.catalog.warehouses.lake.location': warehouse,
    [`${store}.endpoint`]: s3.endpoint,
    [`${store}.region`]: 'us-east-1',
    [`${store}.path-style-access`]: true,
    [`${store}.request-signing-enabled`]: access === 'signing',
    ...(access === 'sessions'
      ? {
          [`${store}.client-iam.enabled`]: true,
          // A store that is not AWS has no roles, and does not look at this.
          [`${store}.client-iam.assume-role`]: 'arn:aws:iam::000000000000:role/clients',
          [`${store}.sts-endpoint`]: s3.endpoint,
        }
      : {}),
    [`${store}.access-key`]: 'urn:nessie-secret:quarkus:s3keys',
    's3keys.name': s3.options['s3.access-key-id'],
    's3keys.secret': s3.options['s3.secret-access-key'],
  };
  const properties = Object.entries(settings).map(([name, value]) => `-D${name}=${value}`);
  const server = spawn(java, ['-Xmx700m', ...properties, '-jar', jar], { stdio: 'ignore' });
  const address = `http://127.0.0.1:${port}`;
  while (!(await answers(`${address}/iceberg/v1/config`))) {
    if (server.exitCode !== null) throw new Error(`Nessie ended with code ${server.exitCode}`);
    await sleep(200);
  }
  const call = async (method: string, path: string, body?: unknown): Promise<Record<string, unknown>> => {
    const response = await fetch(`${address}/api/v2/${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
  };
  const { noAncestorHash } = await call('GET', 'config');
  return {
    address,
    uriOf: (branch) => `${address}/iceberg/${encodeURIComponent(branch)}`,
    call,
    makeReference: async (name, from, type = 'BRANCH') => {
      const [source = 'main', hash] = (from ?? `main@${String(noAncestorHash)}`).split('@');
      const found = hash ?? (await call('GET', `trees/${encodeURIComponent(source)}`))['reference'];
      const at = typeof found === 'string' ? found : (found as { hash: string }).hash;
      const query = `name=${encodeURIComponent(name)}&type=${type}`;
      await call('POST', `trees?${query}`, { type: 'BRANCH', name: source, hash: at });
    },
    close: async () => {
      const ended = once(server, 'exit');
      server.kill('SIGKILL');
      await ended;
    },
  };
}

async function answers(url: string): Promise<boolean> {
  return await fetch(url).then(
    ({ ok }) => ok,
    () => false,
  );
}
