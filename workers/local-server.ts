/** The local Temporal server of a project: one for all processes that work in its state folder. */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { lock } from 'proper-lockfile';
import { z } from 'zod';
import { SEARCH_ATTRIBUTES } from '../activities/index.js';
import { MoraineError } from '../errors/index.js';
import { isServing } from './connection.js';
import { freePorts } from './free-ports.js';
import { holdSharedProcess, isSharedProcessAlive, type ProcessHold, startSharedProcess } from './shared-process.js';
import { findTemporalCli } from './temporal-cli.js';

/** A running local server that this process holds. It ends when the last process that holds it closes it or ends. */
export interface LocalServer {
  /** `127.0.0.1:port` of the gRPC endpoint. */
  readonly address: string;
  /** URL of the web UI. */
  readonly uiAddress: string;
  /** Whether this call started it, as opposed to joining one that another process had started. */
  readonly started: boolean;
  /** Lets go of it; if nobody else holds it, waits until it has ended. May be called twice. */
  close(): Promise<void>;
}

export interface LocalServerOptions {
  /** The project's state folder; it is created. Workflows survive in it from one start to the next. */
  readonly stateFolder: string;
  readonly namespace?: string;
  /** Told what takes long, one sentence each. */
  readonly announce?: (message: string) => void;
  readonly environment?: NodeJS.ProcessEnv;
}

const HEALTH_WAIT_MS = 30_000;
const SHUTDOWN_WAIT_MS = 15_000;
const LOCK_STALE_MS = 10_000;

const serverRecord = z.object({ address: z.string(), uiAddress: z.string() });
type ServerRecord = z.infer<typeof serverRecord>;

/** The files of one project's server. */
class ServerFolder {
  readonly path: string;
  constructor(stateFolder: string) {
    this.path = join(stateFolder, 'temporal');
  }
  get database(): string {
    return join(this.path, 'temporal.db');
  }
  get pipe(): string {
    return join(this.path, 'server.pipe');
  }
  get record(): string {
    return join(this.path, 'server.json');
  }
  get log(): string {
    return join(this.path, 'server.log');
  }
  get users(): string {
    return join(this.path, 'users');
  }
}

/**
 * Joins the project's running server, or finds a `temporal` binary and starts one, bound to 127.0.0.1 on free ports.
 * Two servers on one database would damage it, so this happens under a lock.
 *
 * @throws `TEMPORAL_UNAVAILABLE` if no binary is found or the server is not healthy within 30 s
 */
export async function startOrJoinLocalServer(options: LocalServerOptions): Promise<LocalServer> {
  const folder = new ServerFolder(options.stateFolder);
  await mkdir(folder.users, { recursive: true });
  const unlock = await lockFolder(folder);
  try {
    return (await joinRunning(folder)) ?? (await start(folder, options));
  } finally {
    await unlock();
  }
}

/** Joins the project's server if one runs; starts none. */
export async function joinLocalServer(stateFolder: string): Promise<LocalServer | undefined> {
  const folder = new ServerFolder(stateFolder);
  if ((await readRecord(folder)) === undefined) return undefined;
  const unlock = await lockFolder(folder);
  try {
    return await joinRunning(folder);
  } finally {
    await unlock();
  }
}

async function lockFolder(folder: ServerFolder): Promise<() => Promise<void>> {
  try {
    const waits = { retries: 240, factor: 1, minTimeout: 250, maxTimeout: 250 };
    return await lock(folder.path, { stale: LOCK_STALE_MS, retries: waits });
  } catch (error) {
    throw new MoraineError('TEMPORAL_UNAVAILABLE', `another process has held ${folder.path}.lock for a minute`, {
      details: { path: folder.path },
      cause: error,
    });
  }
}

async function joinRunning(folder: ServerFolder): Promise<LocalServer | undefined> {
  const record = await readRecord(folder);
  const hold = record === undefined ? undefined : holdSharedProcess(folder.pipe);
  if (record === undefined || hold === undefined) return undefined;
  if (await isServing(record.address, 5_000)) return holdServer(folder, record, hold, false);
  hold.release();
  return undefined;
}

async function readRecord(folder: ServerFolder): Promise<ServerRecord | undefined> {
  try {
    return serverRecord.parse(JSON.parse(await readFile(folder.record, 'utf8')));
  } catch {
    return undefined; // never started, or its record was cut short: start anew
  }
}

async function start(folder: ServerFolder, options: LocalServerOptions): Promise<LocalServer> {
  // The last user may have gone a moment ago, and its server may still be closing the database.
  await waitForEnd(folder);
  if (isSharedProcessAlive(folder.pipe)) {
    throw new MoraineError('TEMPORAL_UNAVAILABLE', `an earlier Temporal server of ${folder.path} has not ended yet`);
  }
  const cli = await findTemporalCli(options);
  const [port = 0, uiPort = 0] = await freePorts(2);
  const address = `127.0.0.1:${port}`;
  await rm(folder.log, { force: true });
  const started = startSharedProcess(folder.pipe, folder.log, [
    cli.path,
    ...serverArguments(folder, port, uiPort, options.namespace ?? 'default'),
  ]);
  try {
    await waitUntilServing(folder, address, started.exited);
    const record = { address, uiAddress: `http://127.0.0.1:${uiPort}` };
    await writeFile(folder.record, `${JSON.stringify(record)}\n`);
    return await holdServer(folder, record, started, true);
  } catch (error) {
    started.release();
    await waitForEnd(folder);
    throw error;
  }
}

function serverArguments(folder: ServerFolder, port: number, uiPort: number, namespace: string): string[] {
  const searchAttributes = SEARCH_ATTRIBUTES.flatMap((name) => ['--search-attribute', `${name}=Keyword`]);
  return [
    ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port)],
    ...['--ui-ip', '127.0.0.1', '--ui-port', String(uiPort)],
    ...['--db-filename', folder.database, '--namespace', namespace, '--log-level', 'error', ...searchAttributes],
  ];
}

async function waitUntilServing(folder: ServerFolder, address: string, exited: Promise<void>): Promise<void> {
  const deadline = Date.now() + HEALTH_WAIT_MS;
  let ended = false;
  void exited.then(() => {
    ended = true;
  });
  while (!ended && Date.now() < deadline) {
    if (await isServing(address, 2_000)) return;
    await sleep(50);
  }
  const why = ended ? 'ended at once' : `was not healthy within ${HEALTH_WAIT_MS / 1000} s`;
  const log = (await readFile(folder.log, 'utf8').catch(() => '')).trim().split('\n').slice(-3).join(' | ');
  throw new MoraineError(
    'TEMPORAL_UNAVAILABLE',
    `the local Temporal server ${why}; its log ${folder.log} says: ${log}`,
  );
}

async function holdServer(
  folder: ServerFolder,
  record: ServerRecord,
  hold: ProcessHold,
  started: boolean,
): Promise<LocalServer> {
  const user = join(folder.users, `${process.pid}-${crypto.randomUUID()}`);
  await writeFile(user, '');
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    const unlock = await lockFolder(folder);
    try {
      await rm(user, { force: true });
      hold.release();
      if (!(await hasOtherUsers(folder))) await waitForEnd(folder);
    } finally {
      await unlock();
    }
  };
  return {
    address: record.address,
    uiAddress: record.uiAddress,
    started,
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

/** Whether a living process is registered as a user; entries of processes that were killed are removed. */
async function hasOtherUsers(folder: ServerFolder): Promise<boolean> {
  let others = false;
  for (const name of await readdir(folder.users)) {
    if (isProcessAlive(Number.parseInt(name, 10))) others = true;
    else await rm(join(folder.users, name), { force: true });
  }
  return others;
}

function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function waitForEnd(folder: ServerFolder): Promise<void> {
  const deadline = Date.now() + SHUTDOWN_WAIT_MS;
  while (isSharedProcessAlive(folder.pipe) && Date.now() < deadline) await sleep(20);
}
