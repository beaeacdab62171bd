/** Time, waiting and jitter, behind one interface so that a simulation can drive them. */
import { setTimeout as wait } from 'node:timers/promises';

export interface Clock {
  /** Milliseconds since 1970; may jump. */
  nowMs(): number;
  /** Milliseconds since some start; never goes back. */
  monotonicMs(): number;
  /** @param signal ends the wait, which then fails; clocks of simulations may pass over it */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** At least 0, below 1: the jitter of waits. */
  random(): number;
}

export const SYSTEM_CLOCK: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: async (ms, signal) => {
    await wait(ms, undefined, signal === undefined ? {} : { signal });
  },
  random: () => Math.random(),
};
