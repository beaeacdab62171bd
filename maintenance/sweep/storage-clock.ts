/** The present, as it is safe to count ages from. */
import { randomUUID } from 'node:crypto';
import { metadataFolder } from '../../catalogs/index.js';
import type { Table } from '../../tables/index.js';

/** Begins the name of the file whose time tells the storage's. */
export const CLOCK_PREFIX = '.moraine-clock-';

/**
 * The earlier of this machine's clock and the storage's, in milliseconds since the epoch: where they differ, files and snapshots
 * count as younger than they may be, never as older. The storage is asked by means of a small file that is deleted again.
 */
export async function safeNowMs(table: Table, hostNowMs: bigint): Promise<bigint> {
  const location = `${metadataFolder(table.metadata)}/${CLOCK_PREFIX}${randomUUID()}`;
  await table.io.create(location, new Uint8Array());
  try {
    const { appearedMs } = await table.io.stat(location);
    const storageMs = BigInt(Math.floor(appearedMs));
    return storageMs < hostNowMs ? storageMs : hostNowMs;
  } finally {
    await table.io.delete(location);
  }
}
