/** What is asked of object stores, counted for whoever wants to know: a query, a step, a command. */
import { AsyncLocalStorage } from 'node:async_hooks';

/** What was asked of a store. */
export interface Traffic {
  /** With those that were sent again. */
  requests: number;
  /** Bytes of the bodies of objects. */
  readBytes: number;
  writtenBytes: number;
}

export const noTraffic = (): Traffic => ({ requests: 0, readBytes: 0, writtenBytes: 0 });

const meters = new AsyncLocalStorage<readonly Traffic[]>();

/**
 * Runs work and adds to `traffic` what it, and all that it starts, asks of stores. Measured work may be part of other measured work. A file
 * that several wait for counts for the one who asked first.
 */
export async function measureTraffic<T>(traffic: Traffic, work: () => Promise<T>): Promise<T> {
  return await meters.run([...(meters.getStore() ?? []), traffic], work);
}

/** Counts for the store itself and for all who measure. */
export function countTraffic(ofStore: Traffic, what: keyof Traffic, amount: number): void {
  for (const traffic of [ofStore, ...(meters.getStore() ?? [])]) traffic[what] += amount;
}
