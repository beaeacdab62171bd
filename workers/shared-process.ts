/**
 * A background process that lives exactly as long as some process uses it.
 *
 * Users hold a named pipe open for writing. A shell that reads from the pipe starts the program and ends it when the
 * last user is gone: closed, exited, crashed or killed, because the kernel closes the pipe in every case. So no signal
 * handler is needed, and nothing is left behind even after SIGKILL.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, constants, openSync, rmSync } from 'node:fs';

/** Our hold on the process; it keeps the process alive until released. */
export interface ProcessHold {
  release(): void;
}

/** A process that was just started. */
export interface StartedProcess extends ProcessHold {
  /** Resolves when the program has ended, for whatever reason. */
  readonly exited: Promise<void>;
}

/** Grace between SIGTERM and SIGKILL. */
const GRACE_S = 10;

/** `$1` is the pipe's path; the rest is the program. Descriptor 3 is the pipe's read end, 1 and 2 the log. */
const WATCH = `
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
 * Starts `command` in its own process group (Ctrl-C in this terminal does not reach it).
 *
 * @param pipePath where the named pipe is made; whatever is there is replaced
 * @param logPath the program's output is appended here
 */
export function startSharedProcess(pipePath: string, logPath: string, command: readonly string[]): StartedProcess {
  rmSync(pipePath, { force: true });
  execFileSync('mkfifo', ['-m', '600', pipePath]);
  // Reading and writing at once never blocks; then the read end can be opened, and handed over, without waiting.
  const hold = openSync(pipePath, constants.O_RDWR);
  const readEnd = openSync(pipePath, constants.O_RDONLY);
  const log = openSync(logPath, 'a');
  let watcher: ChildProcess;
  try {
    const script = ['-c', WATCH, 'sh', pipePath, ...command];
    watcher = spawn('/bin/sh', script, { detached: true, stdio: ['ignore', log, log, readEnd] });
  } finally {
    closeSync(readEnd);
    closeSync(log);
  }
  watcher.unref();
  const exited = new Promise<void>((resolve) => {
    watcher.once('exit', () => resolve());
    watcher.once('error', () => resolve());
  });
  return { exited, release: releaseOnce(hold) };
}

/** Joins the users of a process that another one started; undefined if it no longer runs. */
export function holdSharedProcess(pipePath: string): ProcessHold | undefined {
  try {
    // Without a reader, that is, without the watching shell, this fails instead of waiting for one.
    return { release: releaseOnce(openSync(pipePath, constants.O_WRONLY | constants.O_NONBLOCK)) };
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

function releaseOnce(descriptor: number): () => void {
  let open = true;
  return () => {
    if (open) closeSync(descriptor);
    open = false;
  };
}
