import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startOrJoinLocalServer } from '../../workers/index.js';
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

/** Living processes whose command line names the state folder; `except` is left out. */
function processesOf(stateFolder: string, except?: ChildProcess): { id: number; command: string }[] {
  const lines = execFileSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' }).split('\n');
  return lines
    .filter((line) => line.includes(stateFolder))
    .map((line) => ({ id: Number.parseInt(line, 10), command: line.trim().replace(/^\d+ +/, '') }))
    .filter(({ id }) => id !== except?.pid);
}

/** Waits until nothing of the server is left. The test's own time limit bounds the wait. */
async function serverEnded(stateFolder: string): Promise<void> {
  while (processesOf(stateFolder).length > 0) await sleep(50);
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

  test('a server that was killed is replaced by a new one on the same database', async () => {
    const stateFolder = temporaryFolder();
    const first = await startOrJoinLocalServer({ stateFolder });
    const server = processesOf(stateFolder).find(({ command }) => !command.startsWith('/bin/sh'));
    process.kill(server?.id ?? Number.NaN, 'SIGKILL');
    const second = await startOrJoinLocalServer({ stateFolder });
    onTestFinished(() => second.close());
    expect(second.started).toBe(true);
    expect(await answers(second.address)).toBe(true);
    await first.close();
  });

  test('a binary that is no Temporal server is reported with the log', async () => {
    const environment = { ...process.env, TEMPORAL_CLI_PATH: '/bin/true' };
    const attempt = startOrJoinLocalServer({ stateFolder: temporaryFolder(), environment });
    await expect(attempt).rejects.toMatchObject({ code: 'TEMPORAL_UNAVAILABLE' });
  });
});
