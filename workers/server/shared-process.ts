/**
 * A background process that lives exactly as long as some process uses it.
 *
 * Users hold a named pipe open for writing. A shell that reads from the pipe starts the program and ends it when the
 * last user is gone: closed, exited, crashed or killed, because the kernel closes the pipe in every case. So no signal
 * handler is needed, and nothing is left behind even after SIGKILL.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, constants, fstatSync, openSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** Our hold on the process; it keeps the process alive until released. */
export interface ProcessHold {
  /** Whether the process that is held still runs, as opposed to none or one that was started since. */
  isAlive(): boolean;
  release(): void;
}

/** A process that was just started. */
export interface StartedProcess extends ProcessHold {
  /** Resolves when the program has ended, for whatever reason. */
  readonly exited: Promise<void>;
}

/** Grace between SIGTERM and SIGKILL. */
const GRACE_S = 10;

/** `$1` is the pipe's path; the rest is the program. Descriptor 3 is the pipe's read end, 1 and 2 the log. What it makes is for this user alone. */
const WATCH = `
umask 077
pipe=$1; shift
"$@" </dev/null 3<&- &
program=$!
{ cat <&3 >/dev/null; kill -TERM "$program"; sleep ${GRACE_S}; kill -KILL "$program"; } 2>/dev/null &
wait "$program"
rm -f "$pipe"
trap '' TERM
kill -TERM 0
`;

/**
 * Starts `command` in its own process group (Ctrl-C in this terminal does not reach it) and in the pipe's folder.
 *
 * @param pipePath where the named pipe is made; whatever is there is replaced
 * @param logPath the program's output is appended here
 */
export function startSharedProcess(pipePath: string, logPath: string, command: readonly string[]): StartedProcess {
  rmSync(pipePath, { recursive: true, force: true });
  execFileSync('mkfifo', ['-m', '600', pipePath]);
  // Reading and writing at once never blocks; then the read end can be opened, and handed over, without waiting.
  const both = openSync(pipePath, constants.O_RDWR);
  const readEnd = openSync(pipePath, constants.O_RDONLY);
  const hold = openSync(pipePath, constants.O_WRONLY);
  const log = openSync(logPath, 'a', 0o600);
  let watcher: ChildProcess;
  try {
    const script = ['-c', WATCH, 'sh', pipePath, ...command];
    const stdio = ['ignore', log, log, readEnd] as const;
    watcher = spawn('/bin/sh', script, { detached: true, cwd: dirname(pipePath), stdio: [...stdio] });
  } finally {
    closeSync(both);
    closeSync(readEnd);
    closeSync(log);
  }
  watcher.unref();
  const exited = new Promise<void>((resolve) => {
    watcher.once('exit', () => resolve());
    watcher.once('error', () => resolve());
  });
  return { exited, ...holdOf(hold, pipePath) };
}

/** Joins the users of a process that another one started; undefined if it no longer runs. */
export function holdSharedProcess(pipePath: string): ProcessHold | undefined {
  try {
    // Without a reader, that is, without the watching shell, this fails instead of waiting for one.
    return holdOf(openSync(pipePath, constants.O_WRONLY | constants.O_NONBLOCK), pipePath);
  } catch {
    return undefined;
  }
}

/** Whether the process still runs: its watching shell keeps the pipe's read end open until the program has ended. */
export function isSharedProcessAlive(pipePath: string): boolean {
  const hold = holdSharedProcess(pipePath);
  hold?.release();
  return hold !== undefined;
}

function holdOf(descriptor: number, pipePath: string): ProcessHold {
  let open = true;
  return {
    isAlive: () => open && isPipe(descriptor, pipePath) && isSharedProcessAlive(pipePath),
    release: () => {
      if (open) closeSync(descriptor);
      open = false;
    },
  };
}

/** Each process has a pipe of its own, under the same name. */
function isPipe(descriptor: number, pipePath: string): boolean {
  const found = statSync(pipePath, { throwIfNoEntry: false });
  return found?.ino === fstatSync(descriptor).ino;
}
