/** The HTTP service of a project on S3 with a REST catalog, which it reaches through proxies, and another writer, which does not. */
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { createMoraine, type Moraine } from '../../client/index.js';
import type { ConfigInput } from '../../config/index.js';
import { type Service, startService } from '../../service/index.js';
import { type FaultyProxy, startFaultyProxy } from './faulty-proxy.js';
import type { JsonAnswer } from './lab-service.js';
import type { RestServer } from './rest-server.js';
import type { S3Server } from './s3-server.js';
import { temporaryFolder } from './temp-folder.js';

/** A server that can be taken away: its requests are refused, never answered, or late. */
export interface Peer {
  /** Connections are cut from now on. */
  down(): void;
  /** Requests are not answered from now on, and those that came meanwhile never. */
  hang(): void;
  /** Each request, or each one to such a path, is answered so much later from now on. */
  slow(delayMs: number, path?: RegExp): void;
  up(): void;
}

export interface RemoteService {
  readonly service: Service;
  /** The project without proxies. */
  readonly other: Moraine;
  /** Has the project's `moraine.yaml`, without proxies, for further processes: the store's secret is LAKE_SECRET_KEY of their environment. */
  readonly folder: string;
  readonly store: Peer;
  readonly catalog: Peer;
  readonly get: (path: string) => Promise<RemoteAnswer>;
  readonly post: (path: string, body: unknown, headers?: Readonly<Record<string, string>>) => Promise<RemoteAnswer>;
}

export interface RemoteAnswer extends JsonAnswer {
  readonly headers: Headers;
}

/**
 * Starts it for the duration of a test, with a catalog of its own.
 * @param rest writes into `s3://lake/rest` of the store
 * @param define makes the tables and applies definitions, before the service starts
 */
export async function startRemoteService(
  servers: { readonly store: S3Server; readonly rest: RestServer },
  config: Pick<ConfigInput, 'online' | 'server' | 'temporal'>,
  define: (other: Moraine) => Promise<void>,
): Promise<RemoteService> {
  const { store, rest } = servers;
  const uri = new URL(rest.uriOf(`catalog-${randomUUID().slice(0, 8)}`));
  const [storeProxy, catalogProxy] = [await proxyOf(store.endpoint), await proxyOf(uri.origin)];
  const configOf = (endpoint: string, address: string): ConfigInput => ({
    catalogs: { lake: { type: 'rest', uri: address } },
    storage: { roots: ['s3://lake'], options: { ...store.options, 's3.endpoint': endpoint } },
    engine: { threads: 2 },
    ...config,
  });
  const open = async (own: ConfigInput): Promise<Moraine> => {
    const cwd = temporaryFolder();
    const moraine = await createMoraine({ config: own, cwd, fileFolders: [cwd] });
    onTestFinished(() => moraine.close());
    return moraine;
  };
  const direct = configOf(store.endpoint, uri.href);
  const folder = temporaryFolder();
  const text = JSON.stringify(direct).replaceAll(store.options['s3.secret-access-key'] ?? '', '${LAKE_SECRET_KEY}');
  writeFileSync(join(folder, 'moraine.yaml'), text);
  const other = await open(direct);
  await define(other);
  const { project } = await open(configOf(storeProxy.address, `${catalogProxy.address}${uri.pathname}`));
  const service = await startService({ project, version: '', log: { write: () => undefined } });
  const [storePeer, catalogPeer] = [peerOf(storeProxy), peerOf(catalogProxy)];
  onTestFinished(async () => {
    storePeer.up();
    catalogPeer.up();
    await service.close();
  });
  const ask = async (path: string, init: RequestInit): Promise<RemoteAnswer> => {
    const response = await fetch(`${service.url}${path}`, init);
    const { status, headers } = response;
    return { status, headers, body: (await response.json()) as RemoteAnswer['body'] };
  };
  return {
    ...{ service, other, folder, store: storePeer, catalog: catalogPeer },
    get: (path) => ask(path, {}),
    post: (path, body, headers = {}) =>
      ask(path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
      }),
  };
}

async function proxyOf(target: string): Promise<FaultyProxy> {
  const proxy = await startFaultyProxy(target, { remembers: false });
  onTestFinished(() => proxy.close());
  return proxy;
}

function peerOf(proxy: FaultyProxy): Peer {
  return {
    down: () => void (proxy.fateOf = () => 'drop'),
    hang: () => void (proxy.fateOf = () => new Promise<never>(() => undefined)),
    slow: (delayMs, path = /^/) =>
      void (proxy.fateOf = (seen) => (path.test(seen.path) ? sleep(delayMs, 'pass' as const) : 'pass')),
    up: () => void (proxy.fateOf = () => 'pass'),
  };
}
