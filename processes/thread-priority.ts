/** Priorities of the threads of this process. Linux gives each thread one of its own; elsewhere a process has one, and nothing is done here. */
import { readdirSync } from 'node:fs';
import { constants, setPriority } from 'node:os';

const TASKS = '/proc/self/task';

/** Ids of the threads that this process has now; none where the system does not tell. */
export function threadIds(): readonly number[] {
  try {
    return readdirSync(TASKS).map(Number);
  } catch {
    return [];
  }
}

/**
 * Lets threads run only when those of normal priority leave them time, about a tenth of it where all want to run. Threads that they
 * start are like them. A thread that has ended meanwhile is passed over.
 * Source: setpriority(2), "C library/kernel differences": on Linux the call is about one thread.
 */
export function runBehind(threads: readonly number[]): void {
  for (const id of threads) {
    try {
      setPriority(id, constants.priority.PRIORITY_BELOW_NORMAL);
    } catch {
      // It has ended, or the system does not let us.
    }
  }
}
