/** Worker processes that are held to a share of a core each by a cgroup's quota (version 1 or 2), for which the bench has to be root. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../cli/main.js', import.meta.url));
const CGROUPS = '/sys/fs/cgroup';
const PERIOD_US = 100_000;
/** Of the clock in which the system counts the CPU of processes. */
const TICKS_PER_SECOND = 100;

/** A worker at work. */
export interface LimitedWorker {
  /** CPU of all its threads since it began. */
  cpuSeconds(): number;
  stop(): Promise<void>;
}

/**
 * Starts `moraine` as a worker in a project's folder, unlimited until it polls.
 * @param cores its share; absent: no limit
 */
export async function startLimitedWorker(
  folder: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  cores?: number,
): Promise<LimitedWorker> {
  const child = spawn(process.execPath, [CLI, 'worker', ...args], {
    cwd: folder,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  await untilPolling(child);
  const pid = child.pid ?? 0;
  const group = cores === undefined ? undefined : limit(pid, cores);
  return {
    cpuSeconds: () => cpuOf(pid),
    stop: async () => {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
      if (group !== undefined) await remove(group);
    },
  };
}

async function untilPolling(child: ChildProcess): Promise<void> {
  let errors = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (errors += text));
  while (!errors.includes('polling task queue')) {
    if (child.exitCode !== null) throw new Error(`the worker ended at once: ${errors}`);
    await sleep(20);
  }
}

/**
 * Puts this process, and what it starts from now on, before other work of the machine, so that what is not limited does not wait for that.
 * @returns undoes it
 */
export function comeFirst(): () => Promise<void> {
  const group = limit(process.pid);
  return async () => {
    writeFileSync(join(group, '..', 'cgroup.procs'), String(process.pid));
    await remove(group);
  };
}

/**
 * Puts a process with all its threads into a group of its own, which comes before other work of the machine: it gets its share whatever
 * else there is to do.
 * @param cores its limit; absent: none
 * @returns the group's folder
 */
function limit(pid: number, cores?: number): string {
  const isFirst = existsSync(join(CGROUPS, 'cpu'));
  const group = join(CGROUPS, ...(isFirst ? ['cpu'] : []), `moraine-bench-${pid}`);
  const quotaUs = cores === undefined ? undefined : Math.round(cores * PERIOD_US);
  try {
    mkdirSync(group);
    writeFileSync(join(group, isFirst ? 'cpu.shares' : 'cpu.weight'), isFirst ? '100000' : '10000');
    if (quotaUs !== undefined && isFirst) {
      writeFileSync(join(group, 'cpu.cfs_period_us'), String(PERIOD_US));
      writeFileSync(join(group, 'cpu.cfs_quota_us'), String(quotaUs));
    } else if (quotaUs !== undefined) writeFileSync(join(group, 'cpu.max'), `${quotaUs} ${PERIOD_US}`);
    writeFileSync(join(group, 'cgroup.procs'), String(pid));
  } catch (cause) {
    throw new Error(`no quota for process ${pid}: the job needs root and cgroups with the controller cpu`, { cause });
  }
  return group;
}

/** A group can be removed when its last thread has gone. */
async function remove(group: string): Promise<void> {
  for (let tries = 0; tries < 50; tries++) {
    try {
      rmdirSync(group);
      return;
    } catch {
      await sleep(50);
    }
  }
}

/** CPU of all threads of a process since it began, in seconds. */
export function cpuOf(pid: number): number {
  // Behind the name, which may have spaces: user and system time are the 14th and 15th fields of all.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}
