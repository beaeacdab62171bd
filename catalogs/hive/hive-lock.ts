/** The lock of a table in a Hive metastore, which Java, Spark and PyIceberg take for their commits, too. */
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { MoraineError } from '../../errors/index.js';
import { HiveFailure } from './hive-failure.js';
import type { Metastore } from './metastore.js';

/** Half a minute of silence is far from what a metastore allows (five minutes unless configured otherwise). */
const HEARTBEAT_MS = 30_000;
const WAITS = { firstMs: 50, mostMs: 5000, allMs: 180_000 };

/** A lock that is held. */
export interface HeldLock {
  /** Asks the metastore whether it is held still. @throws HiveFailure if it is not, or nobody knows */
  readonly confirm: () => Promise<void>;
  /** Does not give it back: the metastore takes it back once it has been silent for long enough. */
  readonly leave: () => void;
}

/**
 * Does something with a table locked. The lock is kept alive meanwhile, and given back at the end; of a process that dies the metastore
 * takes it back in time.
 * @throws MoraineError `CATALOG_UNAVAILABLE` if others keep the lock for three minutes
 */
export async function withLock<T>(
  metastore: Metastore,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  act: (held: HeldLock) => Promise<T>,
): Promise<T> {
  const { id, state } = await metastore.lock(namespace, name, hostname());
  let beat: NodeJS.Timeout | undefined;
  let isLeft = false;
  try {
    if (state !== 'acquired') await acquired(metastore, id, `${namespace}.${name}`);
    beat = setInterval(() => void metastore.heartbeat(id).catch(() => undefined), HEARTBEAT_MS);
    return await act({
      confirm: () => metastore.heartbeat(id),
      leave: () => {
        isLeft = true;
      },
    });
  } finally {
    clearInterval(beat);
    // If this fails, the lock ends by itself.
    if (!isLeft) await metastore.unlock(id).catch(() => undefined);
  }
}

async function acquired(metastore: Metastore, id: bigint, table: string): Promise<void> {
  const end = performance.now() + WAITS.allMs;
  for (let waitMs = WAITS.firstMs; performance.now() < end; waitMs = Math.min(waitMs * 1.5, WAITS.mostMs)) {
    await sleep(waitMs * (0.75 + Math.random() / 2));
    const state = await metastore.checkLock(id);
    if (state === 'acquired') return;
    if (state === 'gone')
      throw new HiveFailure('refused', `the lock of ${table} was taken back while it was waited for`);
  }
  const message = `Table ${table} stays locked in the Hive metastore by another writer. Try again later, or look for its lock with SHOW LOCKS in Hive.`;
  throw new MoraineError('CATALOG_UNAVAILABLE', message);
}
