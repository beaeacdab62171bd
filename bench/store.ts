/** A real S3 server for the jobs that read and write objects, as near or as far away as they want. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openProject, type Project } from '../project/index.js';
import { freePorts } from '../workers/server/free-ports.js';
import { userCacheFolder } from '../workers/server/user-cache.js';
import { BUCKETS } from './world.js';

const VERSION = 'v1.8.0';
const KEYS = { 's3.access-key-id': 'bench', 's3.secret-access-key': 'bench-secret' } as const;
export const BUCKET = 'bench';

/** A running server. */
export interface BenchStore {
  readonly endpoint: string;
  /** The server's process. */
  readonly pid: number;
  readonly options: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/**
 * Starts versitygw on the objects that it kept in a folder before. It is compiled once, by `go install`.
 * @param latencyMs how much later each request arrives than it was sent
 */
export async function startStore(folder: string, latencyMs = 0): Promise<BenchStore> {
  mkdirSync(join(folder, 'store', BUCKET), { recursive: true });
  const [port = 0] = await freePorts(1);
  const server = spawn(
    versitygw(),
    ['--quiet', '--keep-alive', '--port', `127.0.0.1:${port}`, 'posix', join(folder, 'store')],
    {
      stdio: 'ignore',
      env: { ...process.env, ROOT_ACCESS_KEY: KEYS['s3.access-key-id'], ROOT_SECRET_KEY: KEYS['s3.secret-access-key'] },
    },
  );
  while ((await fetch(`http://127.0.0.1:${port}`).catch(() => undefined)) === undefined) await sleep(50);
  const distance = latencyMs === 0 ? undefined : await startDistance(port, latencyMs);
  const endpoint = `http://127.0.0.1:${distance?.port ?? port}`;
  return {
    endpoint,
    pid: server.pid ?? 0,
    options: { 's3.endpoint': endpoint, 's3.region': 'us-east-1', ...KEYS },
    close: async () => {
      distance?.close();
      const ended = once(server, 'exit');
      server.kill('SIGKILL');
      await ended;
    },
  };
}

function versitygw(): string {
  const folder = join(userCacheFolder(), `versitygw-${VERSION}`);
  if (!existsSync(folder)) {
    const staging = `${folder}.${process.pid}`;
    const what = `github.com/versity/versitygw/cmd/versitygw@${VERSION}`;
    execFileSync('go', ['install', what], { env: { ...process.env, GOBIN: staging, CGO_ENABLED: '0' } });
    renameSync(staging, folder);
  }
  return join(folder, 'versitygw');
}

/** Hands on what comes after a while; what comes back is not held up. */
async function startDistance(to: number, latencyMs: number): Promise<{ readonly port: number; close(): void }> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(to, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        near.destroy();
        far.destroy();
      });
    }
    near.on('data', (chunk) => setTimeout(() => far.write(chunk), latencyMs));
    far.pipe(near);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/**
 * Opens a project whose tables are in the store, with a SQLite catalog.
 * @param cacheFolder where fetched files are kept
 * @param online buckets of online tables
 */
export async function openStoreProject(
  folder: string,
  store: BenchStore,
  cacheFolder: string,
  online: { readonly buckets?: number } = {},
): Promise<Project> {
  return openProject({ cwd: folder, config: storeConfig(folder, store, cacheFolder, online) });
}

/** The same as what `moraine.yaml` has, for processes of their own. */
export function storeConfig(
  folder: string,
  store: BenchStore,
  cacheFolder: string,
  online: { readonly buckets?: number } = {},
) {
  return {
    catalog: 'store',
    catalogs: {
      store: { type: 'sql' as const, uri: `sqlite:///${folder}/store.db`, warehouse: `s3://${BUCKET}/warehouse` },
    },
    storage: { options: store.options, cache: { directory: cacheFolder } },
    engine: { memoryLimit: '4GB', threads: 2 },
    online: { buckets: BUCKETS, ...online },
  };
}
