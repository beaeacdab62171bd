import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startOrJoinLocalServer } from '../../workers/index.js';
import { findTemporalCli } from '../../workers/server/temporal-cli.js';
import { projectRoot } from '../support/paths.js';
import { temporaryFolder } from '../support/temp-folder.js';

interface Started {
  readonly process: ChildProcess;
  readonly server: { address: string; uiAddress: string; started: boolean };
}

const exited = new WeakSet<ChildProcess>();

/** Starts a process that holds the local server of `stateFolder`. */
async function startHolder(stateFolder: string, ...args: string[]): Promise<Started> {
  const program = join(projectRoot, 'test/support/local-server-program.mjs');
  const child = spawn(process.execPath, [program, stateFolder, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
  child.once('exit', () => exited.add(child));
  onTestFinished(() => void (exited.has(child) || child.kill('SIGKILL')));
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return { process: child, server: JSON.parse(line) as Started['server'] };
}

/** Living processes whose command line names the state folder, and those of the server, which its watching shell leads; `except` is left out. */
function processesOf(stateFolder: string, except?: ChildProcess): { id: number; command: string }[] {
  const processes = execFileSync('ps', ['-eo', 'pid=,pgid=,args='], { encoding: 'utf8' })
    .split('\n')
    .flatMap((line) => {
      const [, id, group, command = ''] = /^ *(\d+) +(\d+) +(.*)$/.exec(line) ?? [];
      return id === undefined ? [] : [{ id: Number(id), group: Number(group), command }];
    });
  const named = processes.filter(({ command }) => command.includes(stateFolder));
  const shells = new Set(named.filter(({ command }) => command.startsWith('/bin/sh')).map(({ group }) => group));
  return processes
    .filter(({ id, group, command }) => (command.includes(stateFolder) || shells.has(group)) && id !== except?.pid)
    .map(({ id, command }) => ({ id, command }));
}

/** Waits until nothing of the server is left. The test's own time limit bounds the wait. */
async function serverEnded(stateFolder: string): Promise<void> {
  while (processesOf(stateFolder).length > 0) await sleep(50);
}

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

function killIfThere(id: number): void {
  try {
    process.kill(id, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}

async function answers(address: string): Promise<boolean> {
  const connection = await Connection.connect({ address });
  try {
    await connection.workflowService.describeNamespace({ namespace: 'default' });
    return true;
  } finally {
    await connection.close();
  }
}

describe('the local Temporal server', () => {
  test('a second user joins the running server, and it ends when the last one closes it', async () => {
    const stateFolder = temporaryFolder();
    const first = await startOrJoinLocalServer({ stateFolder });
    const second = await startOrJoinLocalServer({ stateFolder });
    expect(first.started).toBe(true);
    expect(second).toMatchObject({ started: false, address: first.address, uiAddress: first.uiAddress });
    await first.close();
    expect(await answers(second.address)).toBe(true);
    await second.close();
    expect(processesOf(stateFolder)).toEqual([]);
    expect(existsSync(join(stateFolder, 'temporal/server.pipe'))).toBe(false);
  });

  test('the web UI answers, and server and UI are bound to loopback only', async () => {
    const stateFolder = temporaryFolder();
    const server = await startOrJoinLocalServer({ stateFolder });
    onTestFinished(() => server.close());
    expect(server.address).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(server.uiAddress).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    const page = await fetch(server.uiAddress);
    expect(page.status).toBe(200);
  });

  test.each(['SIGKILL', 'SIGINT', 'SIGTERM'] as const)('it ends when its only user ends by %s', async (signal) => {
    const stateFolder = temporaryFolder();
    const holder = await startHolder(stateFolder);
    expect(await answers(holder.server.address)).toBe(true);
    expect(processesOf(stateFolder, holder.process).length).toBeGreaterThan(0);
    holder.process.kill(signal);
    await serverEnded(stateFolder);
  });

  test.each(['throw', 'exit'])('it ends when its only user ends by %s', async (how) => {
    const stateFolder = temporaryFolder();
    await startHolder(stateFolder, how);
    await serverEnded(stateFolder);
  });

  test('a user that joined keeps it alive when the one that started it is killed', async () => {
    const stateFolder = temporaryFolder();
    const starter = await startHolder(stateFolder);
    const joined = await startOrJoinLocalServer({ stateFolder });
    expect(joined).toMatchObject({ started: false, address: starter.server.address });
    starter.process.kill('SIGKILL');
    await once(starter.process, 'exit');
    expect(await answers(joined.address)).toBe(true);
    await joined.close();
    expect(processesOf(stateFolder)).toEqual([]);
  });

  test('two that start at the same time use one server', async () => {
    const stateFolder = temporaryFolder();
    const servers = await Promise.all([startHolder(stateFolder), startOrJoinLocalServer({ stateFolder })]);
    onTestFinished(() => servers[1].close());
    const [holder, own] = servers;
    expect(own.address).toBe(holder.server.address);
    expect([holder.server.started, own.started].filter(Boolean)).toEqual([true]);
  });

  test('a port that another process takes meanwhile is given up for others', async () => {
    const stateFolder = temporaryFolder();
    const { path } = await findTemporalCli({});
    // Takes the port of the first start before the server can.
    const wrapper = join(temporaryFolder(), 'temporal');
    const listen = 'require("net").createServer().listen(process.argv[1], "127.0.0.1", () => console.log("taken"))';
    const script = `#!/bin/sh
if [ "$1" = server ] && mkdir "$0.once" 2>/dev/null; then
  ( exec ${process.execPath} -e '${listen}; setTimeout(() => process.exit(), 5000)' "$6" ) > "$0.taken" &
  until grep -q taken "$0.taken"; do sleep 0.05; done
fi
exec ${path} "$@"
`;
    writeFileSync(wrapper, script, { mode: 0o755 });
    const environment = { ...process.env, TEMPORAL_CLI_PATH: wrapper };
    const server = await startOrJoinLocalServer({ stateFolder, environment });
    onTestFinished(() => server.close());
    expect(existsSync(`${wrapper}.once`)).toBe(true);
    expect(await answers(server.address)).toBe(true);
  });

  test('a server that gets no port for a moment is started again', async () => {
    const folder = temporaryFolder();
    const { path } = await findTemporalCli();
    const wrapper = join(folder, 'temporal');
    // What the server prints where all ports are in use, shortened.
    const reason = 'dial tcp 127.0.0.1:40002: connect: cannot assign requested address';
    const script = `#!/bin/sh
if [ "$1" = server ] && [ ! -e "$0.twice" ]; then
  if [ -e "$0.once" ]; then touch "$0.twice"; else touch "$0.once"; fi
  printf 'panic: failed assigning ephemeral port: failed to assign a free port: %s\\n' '${reason}'
  printf '%s\\n' '' 'goroutine 1 [running]:' 'devserver.MustGetFreePort({0x1, 0x2})' 'commands.Execute' 'main.main()'
  exit 2
fi
exec ${path} "$@"
`;
    writeFileSync(wrapper, script, { mode: 0o755 });
    const environment = { ...process.env, TEMPORAL_CLI_PATH: wrapper };
    const server = await startOrJoinLocalServer({ stateFolder: join(folder, 'state'), environment });
    onTestFinished(() => server.close());
    expect(existsSync(`${wrapper}.twice`)).toBe(true);
    expect(await answers(server.address)).toBe(true);
  });

  test('a server that breaks off is reported with its reason, not with the end of its stack', async () => {
    const folder = temporaryFolder();
    const wrapper = join(folder, 'temporal');
    const script = `#!/bin/sh\n[ "$1" = server ] || exit 0\nprintf '%s\\n' started 'panic: no luck' '' 'goroutine 1 [running]:' one two three\nexit 2\n`;
    writeFileSync(wrapper, script, { mode: 0o755 });
    const environment = { ...process.env, TEMPORAL_CLI_PATH: wrapper };
    const attempt = startOrJoinLocalServer({ stateFolder: join(folder, 'state'), environment });
    await expect(attempt).rejects.toThrow('says: panic: no luck |');
  });

  test('a server that was killed is replaced by a new one on the same database', async () => {
    const stateFolder = temporaryFolder();
    const first = await startOrJoinLocalServer({ stateFolder });
    const server = processesOf(stateFolder).find(({ command }) => !command.startsWith('/bin/sh'));
    process.kill(server?.id ?? Number.NaN, 'SIGKILL');
    // Until its end a killed process may still take a connection.
    while (processesOf(stateFolder).some(({ id }) => id === server?.id)) await sleep(5);
    const second = await startOrJoinLocalServer({ stateFolder });
    onTestFinished(() => second.close());
    expect(second.started).toBe(true);
    expect(await answers(second.address)).toBe(true);
    await first.close();
  });

  test('a server that is killed while it makes its database leaves nothing that blocks the next start', async () => {
    const stateFolder = temporaryFolder();
    const database = join(stateFolder, 'temporal/temporal.db');
    for (const bytes of [1, 100_000, 300_000]) {
      const starting = startOrJoinLocalServer({ stateFolder });
      const failed = starting.then(
        (server) => server.close(),
        () => undefined,
      );
      while (sizeOf(database) < bytes) await sleep(1);
      for (const { id } of processesOf(stateFolder)) killIfThere(id);
      await failed;
    }
    // The worst that a full disk leaves: an empty database, and one cut short.
    for (const left of ['', 'SQLite format 3']) {
      rmSync(database, { force: true });
      writeFileSync(database, left);
      writeFileSync(`${database}.unfinished`, '');
      const server = await startOrJoinLocalServer({ stateFolder });
      expect(await answers(server.address)).toBe(true);
      await server.close();
    }
    expect(existsSync(`${database}.unfinished`)).toBe(false);
  });

  test('a damaged database that was in use is kept, and the error says what to do', async () => {
    const stateFolder = temporaryFolder();
    const database = join(stateFolder, 'temporal/temporal.db');
    mkdirSync(join(stateFolder, 'temporal'));
    writeFileSync(database, 'this is no database at all, and long enough to be looked at as one: '.repeat(20));
    const attempt = startOrJoinLocalServer({ stateFolder });
    await expect(attempt).rejects.toMatchObject({
      code: 'TEMPORAL_UNAVAILABLE',
      message: expect.stringContaining(`move ${database} away`) as unknown,
    });
    renameSync(database, `${database}.old`);
    const server = await startOrJoinLocalServer({ stateFolder });
    await server.close();
  });

  test('paths with ?, #, ;, %, quotes and spaces', async () => {
    const stateFolder = join(temporaryFolder(), `a?b#c;d%41 e'f"g=1`);
    const server = await startOrJoinLocalServer({ stateFolder });
    expect(await answers(server.address)).toBe(true);
    await server.close();
    expect(readdirSync(join(stateFolder, 'temporal'))).toContain('temporal.db');
  });

  test('what is in the place of its state files, and a lock dated in the future, does not block a start', async () => {
    const stateFolder = temporaryFolder();
    const folder = join(stateFolder, 'temporal');
    mkdirSync(`${folder}.lock`, { recursive: true });
    const nextYear = Date.now() / 1000 + 365 * 86_400;
    utimesSync(`${folder}.lock`, nextYear, nextYear);
    mkdirSync(join(folder, 'server.log/x'), { recursive: true });
    mkdirSync(join(folder, 'server.pipe/x'), { recursive: true });
    mkdirSync(join(folder, 'lock.db/x'), { recursive: true });
    writeFileSync(join(folder, 'users'), '');
    writeFileSync(join(folder, 'server.json'), '{"address": 5, "uiAddress": []}');
    await (await startOrJoinLocalServer({ stateFolder })).close();
    rmSync(join(folder, 'server.json'));
    mkdirSync(join(folder, 'server.json/x'), { recursive: true });
    mkdirSync(join(folder, 'users/not-a-process'));
    writeFileSync(join(folder, 'lock.db'), 'garbage'.repeat(1000));
    utimesSync(join(folder, 'lock.db'), nextYear, nextYear);
    const server = await startOrJoinLocalServer({ stateFolder });
    expect(await answers(server.address)).toBe(true);
    await server.close();
    expect(processesOf(stateFolder)).toEqual([]);
  });

  test('a file in the place of its folder is named', async () => {
    const file = join(temporaryFolder(), 'state');
    writeFileSync(file, '');
    await expect(startOrJoinLocalServer({ stateFolder: file })).rejects.toMatchObject({
      code: 'STORAGE_UNAVAILABLE',
      message: `The folder ${file} cannot be made: a file is in its place or above it.`,
    });
  });

  test('its folder and files are for its user alone, those of earlier versions too', async () => {
    const stateFolder = join(temporaryFolder(), 'state');
    const folder = join(stateFolder, 'temporal');
    const modes = (): Record<string, string> =>
      Object.fromEntries(
        ['', 'temporal', ...readdirSync(folder).map((name) => `temporal/${name}`)].map((name) => {
          const status = statSync(join(stateFolder, name));
          return [name, `${status.isDirectory() ? 'folder' : 'file'} ${(status.mode & 0o777).toString(8)}`];
        }),
      );
    const expectPrivate = (): void => {
      for (const [name, mode] of Object.entries(modes())) expect(mode, name).toMatch(/^(folder 700|file 600)$/);
    };
    const server = await startOrJoinLocalServer({ stateFolder });
    expectPrivate();
    await server.close();
    expectPrivate();
    for (const name of ['', 'temporal', 'temporal/users']) chmodSync(join(stateFolder, name), 0o755);
    chmodSync(join(folder, 'temporal.db'), 0o644);
    chmodSync(join(folder, 'server.json'), 0o644);
    const again = await startOrJoinLocalServer({ stateFolder });
    onTestFinished(() => again.close());
    expectPrivate();
  });

  test('who holds it hears when it has ended', async () => {
    const stateFolder = temporaryFolder();
    const starter = await startOrJoinLocalServer({ stateFolder });
    const joined = await startOrJoinLocalServer({ stateFolder });
    for (const { id } of processesOf(stateFolder)) killIfThere(id);
    const message = expect.stringContaining('has ended') as unknown;
    await expect(starter.lost).rejects.toMatchObject({ code: 'TEMPORAL_UNAVAILABLE', message });
    await expect(joined.lost).rejects.toMatchObject({ code: 'TEMPORAL_UNAVAILABLE', message });
    await Promise.all([starter.close(), joined.close()]);
  });

  test('a binary that is no Temporal server is reported with the log', async () => {
    const environment = { ...process.env, TEMPORAL_CLI_PATH: '/bin/true' };
    const attempt = startOrJoinLocalServer({ stateFolder: temporaryFolder(), environment });
    await expect(attempt).rejects.toMatchObject({ code: 'TEMPORAL_UNAVAILABLE' });
  });
});
