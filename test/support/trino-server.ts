/** Trino on a free port of this machine, with Iceberg catalogs. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  isJsonArray,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  parseJson,
  stringifyJson,
} from '../../iceberg/index.js';
import { freePorts } from '../../workers/server/free-ports.js';
import { newerJava } from './java-server.js';
import { keptInCache } from './kept-in-cache.js';
import { cachedJar } from './maven.js';
import type { NessieServer } from './nessie-server.js';
import type { S3Server } from './s3-server.js';
import { guardSettings, passwordPlugin, type TrinoGuard } from './trino-guard.js';

const VERSION = '476';
const SERVER = {
  coordinates: `io.trino:trino-server-core:${VERSION}@tar.gz`,
  sha256: '0f388f9967c177ae70a47c099082fc95387f0c3cb96d8000d1d41fc3a5223158',
};
const ICEBERG = {
  coordinates: `io.trino:trino-iceberg:${VERSION}@zip`,
  sha256: '99edba5b491ed94d599aeb61e0794272d3569d8b563f3bb8569e8a49daa87b6c',
};
const JAVA = 24;

/** A running server. */
export interface TrinoServer {
  readonly address: string;
  /** The one over TLS, of a server with a guard. */
  readonly guardedAddress: string;
  /** Of its process. */
  readonly pid: number;
  /** The rows of a statement, as its client protocol gives them; whole numbers beyond 2^53 are exact. Throws what Trino says. */
  query(sql: string): Promise<readonly (readonly JsonValue[])[]>;
  close(): Promise<void>;
}

type Settings = Readonly<Record<string, string | number | boolean | undefined>>;

/** Settings of a catalog that is a branch of Nessie. */
export const onNessie = (nessie: NessieServer, branch: string): Settings => ({
  'iceberg.catalog.type': 'rest',
  'iceberg.rest-catalog.uri': `${nessie.address}/iceberg`,
  'iceberg.rest-catalog.prefix': branch,
});

/** Settings of a catalog in a PostgreSQL database, whose tables of names are there. */
export function onPostgres(uri: string, name: string, warehouse: string): Settings {
  const { username, password, host, pathname } = new URL(uri);
  return {
    'iceberg.catalog.type': 'jdbc',
    'iceberg.jdbc-catalog.catalog-name': name,
    'iceberg.jdbc-catalog.driver-class': 'org.postgresql.Driver',
    'iceberg.jdbc-catalog.connection-url': `jdbc:postgresql://${host}${pathname}`,
    'iceberg.jdbc-catalog.connection-user': username,
    'iceberg.jdbc-catalog.connection-password': password,
    'iceberg.jdbc-catalog.default-warehouse-dir': warehouse,
  };
}

export interface TrinoServerOptions {
  /** Of one that has ended, which this one takes the place of. */
  readonly port?: number;
  /** Memory of a query; 0.4 unless given. */
  readonly queryGigabytes?: number;
  /** Who may ask over TLS, on a port of its own. */
  readonly guard?: TrinoGuard | undefined;
}

/**
 * Starts Trino; the first call on a machine downloads it.
 * @param catalogs by name; statements are asked in `lake` unless they name another one
 */
export async function startTrino(
  s3: Pick<S3Server, 'endpoint' | 'options'>,
  catalogs: Readonly<Record<string, Settings>>,
  { port: taken, queryGigabytes = 0.4, guard }: TrinoServerOptions = {},
): Promise<TrinoServer> {
  const folder = mkdtempSync(join(tmpdir(), 'moraine-trino-'));
  const java = newerJava(JAVA);
  const installed = await trinoInstallation();
  mkdirSync(join(folder, 'plugin'));
  symlinkSync(join(installed, `plugin/trino-iceberg-${VERSION}`), join(folder, 'plugin/iceberg'));
  if (guard !== undefined) symlinkSync(await passwordPlugin(), join(folder, 'plugin/passwords'));
  const [free = 0, guardedPort = 0] = await freePorts(2);
  const port = taken ?? free;
  const queryMegabytes = Math.round(queryGigabytes * 1000);
  const address = `http://127.0.0.1:${port}`;
  const write = (name: string, settings: Settings): void => {
    const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}\n`);
    writeFileSync(join(folder, name), lines.join(''));
  };
  mkdirSync(join(folder, 'etc/catalog'), { recursive: true });
  write('etc/config.properties', {
    coordinator: true,
    'node-scheduler.include-coordinator': true,
    'http-server.http.port': port,
    'discovery.uri': address,
    'query.max-memory': `${queryMegabytes}MB`,
    'query.max-memory-per-node': `${queryMegabytes}MB`,
    'memory.heap-headroom-per-node': '200MB',
    ...(guard === undefined ? {} : guardSettings(guard, folder, guardedPort)),
  });
  const store = {
    'connector.name': 'iceberg',
    'fs.native-s3.enabled': true,
    's3.endpoint': s3.endpoint,
    's3.region': 'us-east-1',
    's3.path-style-access': true,
    's3.aws-access-key': s3.options['s3.access-key-id'],
    's3.aws-secret-key': s3.options['s3.secret-access-key'],
  };
  for (const [name, catalog] of Object.entries(catalogs))
    write(`etc/catalog/${name}.properties`, { ...store, ...catalog });
  const settings = {
    config: 'etc/config.properties',
    'node.environment': 'test',
    'node.id': 'test',
    'node.data-dir': join(folder, 'data'),
    'node.bind-ip': '127.0.0.1',
    'node.internal-address': '127.0.0.1',
    'plugin.dir': join(folder, 'plugin'),
  };
  const properties = Object.entries(settings).map(([name, value]) => `-D${name}=${value}`);
  const place = ['-cp', join(installed, 'lib/*'), 'io.trino.server.TrinoServer'];
  const server = spawn(java, [`-Xmx${queryMegabytes + 1100}m`, ...properties, ...place], {
    cwd: folder,
    stdio: 'ignore',
  });
  while (!(await isReady(address))) {
    if (server.exitCode !== null) throw new Error(`Trino ended with code ${server.exitCode}`);
    await sleep(500);
  }
  return {
    address,
    guardedAddress: `https://127.0.0.1:${guardedPort}`,
    pid: server.pid ?? 0,
    query: (sql) => queryTrino(address, sql),
    close: async () => {
      const ended = once(server, 'exit');
      server.kill('SIGKILL');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The folder of the server and its Iceberg connector, unpacked; the first call on a machine downloads them. */
export async function trinoInstallation(): Promise<string> {
  const [server, iceberg] = [await cachedJar(SERVER), await cachedJar(ICEBERG)];
  return keptInCache(`trino-${VERSION}`, (staging) => {
    const name = `trino-server-core-${VERSION}`;
    execFileSync('tar', ['xzf', server, '-C', staging, '--strip-components=1', `${name}/lib`]);
    execFileSync('python3', ['-m', 'zipfile', '-e', iceberg, join(staging, 'plugin')]);
  });
}

async function isReady(address: string): Promise<boolean> {
  return await fetch(`${address}/v1/info`).then(
    async (response) => ((await response.json()) as { readonly starting: boolean }).starting === false,
    () => false,
  );
}

/** Source: Trino documentation, "Client REST API". */
export async function queryTrino(address: string, sql: string): Promise<readonly (readonly JsonValue[])[]> {
  const rows: JsonValue[][] = [];
  const headers = {
    'x-trino-user': 'test',
    'x-trino-catalog': 'lake',
    'x-trino-time-zone': 'UTC',
    // Without it times have three digits after the point.
    'x-trino-client-capabilities': 'PARAMETRIC_DATETIME',
  };
  let answer = await objectOf(fetch(`${address}/v1/statement`, { method: 'POST', headers, body: sql }));
  for (;;) {
    const { data, error, nextUri } = answer;
    if (isJsonObject(error)) throw new Error(`Trino says ${stringifyJson(error)} to ${sql}`);
    if (data !== undefined && isJsonArray(data)) for (const row of data) if (isJsonArray(row)) rows.push([...row]);
    if (typeof nextUri !== 'string') return rows;
    answer = await objectOf(fetch(nextUri));
  }
}

async function objectOf(response: Promise<Response>): Promise<JsonObject> {
  const value = parseJson(await (await response).text());
  if (!isJsonObject(value)) throw new Error('Trino answered with something else than an object');
  return value;
}
