/** The real worker as a process of its own. */
import type { ChildProcess } from 'node:child_process';
import { type CliOptions, startMoraine } from './cli.js';

export interface WorkerProcess {
  /** Resolves when it has ended. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  kill(signal: NodeJS.Signals): void;
  /** Its standard error so far. */
  errors(): string;
}

/** Runs `moraine` with arguments that make it a worker, in a project's folder; returns when it polls. */
export async function startWorkerProcess(
  folder: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  options: Pick<CliOptions, 'limits' | 'main'> = {},
): Promise<WorkerProcess> {
  const child = startMoraine(args, { ...options, cwd: folder, env: environment });
  const ended = new Promise<Awaited<WorkerProcess['ended']>>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  await untilPolling(child, ended, () => errors);
  return {
    ended,
    errors: () => errors,
    kill: (signal) => {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    },
  };
}

async function untilPolling(child: ChildProcess, ended: Promise<unknown>, errors: () => string): Promise<void> {
  const polling = new Promise<void>((resolve) => {
    child.stderr?.on('data', () => {
      if (errors().includes('polling task queue')) resolve();
    });
  });
  const failed = ended.then(() => {
    throw new Error(`the worker ended at once: ${errors()}`);
  });
  await Promise.race([polling, failed]);
  failed.catch(() => undefined);
}
