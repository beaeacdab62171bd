/** The local Temporal server of a project: one for all processes that work in its state folder. */
import { existsSync } from 'node:fs';
import { lstat, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { SEARCH_ATTRIBUTES } from '../../activities/index.js';
import { MoraineError } from '../../errors/index.js';
import {
  type FileLock,
  makePrivateFolder,
  pause,
  tightenMode,
  tryLockFile,
  unlessAborted,
} from '../../processes/index.js';
import { isServing } from '../clients/connection.js';
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
  /** Never resolves; rejects with `TEMPORAL_UNAVAILABLE` when the server has ended although it is held. */
  readonly lost: Promise<never>;
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
  /** Ends the waiting for a server, and the server that this call started. */
  readonly signal?: AbortSignal | undefined;
}

const HEALTH_WAIT_MS = 30_000;
const SHUTDOWN_WAIT_MS = 15_000;
const LOCK_WAIT_MS = 60_000;
const LOCK_RETRY_MS = 100;
/** A server is started this often, each time on other ports, while it does not get one of them. */
const PORT_ATTEMPTS = 5;
/** Pause before the second attempt, and so much longer before each further one. The machine may have no port left for a moment: closed connections hold theirs for a while. */
const PORT_PAUSE_MS = 1_000;
/** Interval between checks that a held server still runs. */
const WATCH_INTERVAL_MS = 500;

const serverRecord = z.object({ address: z.string(), uiAddress: z.string() });
type ServerRecord = z.infer<typeof serverRecord>;

/** Its name alone is given to the server, which runs in its folder: the server takes a path for a URI, where `?`, `#` and `%` mean something else. */
const DATABASE = 'temporal.db';
const COMPANIONS = ['', '-journal', '-wal', '-shm'];

/** The files of one project's server. */
class ServerFolder {
  readonly path: string;
  constructor(stateFolder: string) {
    this.path = join(resolve(stateFolder), 'temporal');
  }
  get lock(): string {
    return join(this.path, 'lock.db');
  }
  get database(): string {
    return join(this.path, DATABASE);
  }
  /** There while a server makes its database: no run has been in it yet. */
  get unfinished(): string {
    return join(this.path, `${DATABASE}.unfinished`);
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
 * @throws `TEMPORAL_UNAVAILABLE` if no binary is found or the server is not healthy within 30 s; `CANCELLED`
 */
export async function startOrJoinLocalServer(options: LocalServerOptions): Promise<LocalServer> {
  const folder = new ServerFolder(options.stateFolder);
  await makePrivateFolder(options.stateFolder);
  await makePrivateFolder(folder.path);
  const lock = await lockFolder(folder, options.signal);
  try {
    await tightenFiles(folder);
    return (await joinRunning(folder)) ?? (await start(folder, options));
  } finally {
    lock.release();
  }
}

/** Joins the project's server if one runs; starts none. */
export async function joinLocalServer(stateFolder: string): Promise<LocalServer | undefined> {
  const folder = new ServerFolder(stateFolder);
  if ((await readRecord(folder)) === undefined) return undefined;
  const lock = await lockFolder(folder);
  try {
    return await joinRunning(folder);
  } finally {
    lock.release();
  }
}

async function lockFolder(folder: ServerFolder, signal?: AbortSignal): Promise<FileLock> {
  const deadlineMs = performance.now() + LOCK_WAIT_MS;
  for (;;) {
    const lock = await tryLockFile(folder.lock);
    if (lock !== undefined) return lock;
    if (performance.now() > deadlineMs) break;
    await pause(LOCK_RETRY_MS, signal);
  }
  const message = `Another process has been starting or ending the Temporal server of ${folder.path} for ${LOCK_WAIT_MS / 1000} s.`;
  throw new MoraineError('TEMPORAL_UNAVAILABLE', message, { details: { path: folder.path } });
}

/** Databases and logs of earlier versions could be read by everybody; folders in the place of files are removed. */
async function tightenFiles(folder: ServerFolder): Promise<void> {
  const users = await lstat(folder.users).catch(() => undefined);
  if (users?.isDirectory() === false) await rm(folder.users);
  await makePrivateFolder(folder.users);
  const databases = COMPANIONS.map((suffix) => `${folder.database}${suffix}`);
  for (const path of [...databases, folder.record]) await tightenMode(path).catch(() => undefined);
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
  const { path } = await findTemporalCli(options);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOnFreePorts(folder, resolve(path), options);
    } catch (error) {
      if (attempt === PORT_ATTEMPTS || !lacksPort(await readLog(folder))) throw error;
      await pause(PORT_PAUSE_MS * attempt, options.signal);
    }
  }
}

/**
 * Whether the server ended because it got no port: between the choice of one and its use another process may take it.
 * The server chooses further ports by itself; if that fails it panics, and a stack follows the reason in its log.
 */
function lacksPort(log: string): boolean {
  return /address already in use|cannot assign requested address|free port|ephemeral port/i.test(log);
}

async function startOnFreePorts(folder: ServerFolder, path: string, options: LocalServerOptions): Promise<LocalServer> {
  const [port = 0, uiPort = 0] = await freePorts(2);
  const address = `127.0.0.1:${port}`;
  await rm(folder.log, { recursive: true, force: true });
  await removeUnfinishedDatabase(folder);
  const started = startSharedProcess(folder.pipe, folder.log, [
    path,
    ...serverArguments(port, uiPort, options.namespace ?? 'default'),
  ]);
  try {
    await waitUntilServing(folder, address, started.exited, options.signal);
    await rm(folder.unfinished, { force: true });
    const record = { address, uiAddress: `http://127.0.0.1:${uiPort}` };
    await rm(folder.record, { recursive: true, force: true });
    await writeFile(folder.record, `${JSON.stringify(record)}\n`, { mode: 0o600 });
    return await holdServer(folder, record, started, true);
  } catch (error) {
    started.release();
    await waitForEnd(folder);
    throw error;
  }
}

/** A database that a server was killed over while it made it would keep every later one from starting. Nothing was ever in it. */
async function removeUnfinishedDatabase(folder: ServerFolder): Promise<void> {
  if (existsSync(folder.unfinished)) {
    for (const suffix of COMPANIONS) await rm(`${folder.database}${suffix}`, { force: true });
  }
  if (!existsSync(folder.database)) await writeFile(folder.unfinished, '', { mode: 0o600 });
}

function serverArguments(port: number, uiPort: number, namespace: string): string[] {
  const searchAttributes = SEARCH_ATTRIBUTES.flatMap((name) => ['--search-attribute', `${name}=Keyword`]);
  return [
    ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port)],
    ...['--ui-ip', '127.0.0.1', '--ui-port', String(uiPort)],
    ...['--db-filename', DATABASE, '--namespace', namespace, '--log-level', 'error', ...searchAttributes],
  ];
}

async function waitUntilServing(
  folder: ServerFolder,
  address: string,
  exited: Promise<void>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const deadline = Date.now() + HEALTH_WAIT_MS;
  let ended = false;
  void exited.then(() => {
    ended = true;
  });
  while (!ended && Date.now() < deadline) {
    if (await unlessAborted(isServing(address, 2_000), signal)) return;
    await pause(50, signal);
  }
  const why = ended ? 'ended at once' : `was not healthy within ${HEALTH_WAIT_MS / 1000} s`;
  const message = `The local Temporal server ${why}; its log ${folder.log} says: ${await endOfLog(folder)}`;
  throw new MoraineError('TEMPORAL_UNAVAILABLE', `${message}${adviceOf(folder)}`);
}

function readLog(folder: ServerFolder): Promise<string> {
  return readFile(folder.log, 'utf8').catch(() => '');
}

/** What the log ends with: the last lines, or those at which the server broke off, which a long stack follows. */
async function endOfLog(folder: ServerFolder): Promise<string> {
  const lines = (await readLog(folder)).trim().split('\n');
  const broke = lines.findLastIndex((line) => /^(panic|fatal error|error): /i.test(line));
  const told = broke < 0 ? lines.slice(-3) : lines.slice(broke, broke + 3);
  return told.filter((line) => line !== '').join(' | ') || 'nothing.';
}

/** A database that was there before may be the reason. One that was being made is made anew by the next start. */
function adviceOf(folder: ServerFolder): string {
  if (existsSync(folder.unfinished)) return '';
  return `\nIf its database is damaged, move ${folder.database} away: the next start makes a new one. Features are not in it; past runs, and schedules that no view declares, are.`;
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
  const watch = watchServer(folder, hold);
  const close = async (): Promise<void> => {
    watch.stop();
    const lock = await lockFolder(folder);
    try {
      await rm(user, { force: true });
      hold.release();
      if (!(await hasOtherUsers(folder))) await waitForEnd(folder);
    } finally {
      lock.release();
    }
  };
  return {
    address: record.address,
    uiAddress: record.uiAddress,
    started,
    lost: watch.lost,
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

/** Looks now and then whether the server still runs. */
function watchServer(folder: ServerFolder, hold: ProcessHold): { readonly lost: Promise<never>; stop(): void } {
  let timer: NodeJS.Timeout | undefined;
  const lost = new Promise<never>((_, reject) => {
    timer = setInterval(() => {
      if (hold.isAlive()) return;
      clearInterval(timer);
      void endOfLog(folder).then((log) => {
        const message = `The local Temporal server has ended; its log ${folder.log} says: ${log}`;
        reject(new MoraineError('TEMPORAL_UNAVAILABLE', message));
      });
    }, WATCH_INTERVAL_MS).unref();
  });
  lost.catch(() => undefined);
  return { lost, stop: () => clearInterval(timer) };
}

/** Whether a living process is registered as a user; entries of processes that were killed are removed. */
async function hasOtherUsers(folder: ServerFolder): Promise<boolean> {
  let others = false;
  for (const name of await readdir(folder.users)) {
    if (isProcessAlive(Number.parseInt(name, 10))) others = true;
    else await rm(join(folder.users, name), { recursive: true, force: true });
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
