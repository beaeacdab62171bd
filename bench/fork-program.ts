/** Programs of a job in processes of their own, beside the one that measures. */
import { type ChildProcess, fork } from 'node:child_process';

/** Starts a program of a job; it sends messages, and its standard error is that of the bench. @param context what it gets */
export function forkProgram(job: string, program: string, context: unknown): ChildProcess {
  return fork(process.argv[1] ?? '', [job, program, JSON.stringify(context)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
}
