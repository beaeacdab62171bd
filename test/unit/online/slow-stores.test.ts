/** Reads while the rows of newer snapshots take long to be read and decoded. Time passes in leaps; the work waits until it is let through. */
import { queryObjects } from 'node:v8';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MoraineError } from '../../../errors/index.js';
import { materializeDirect } from '../../../materialization/index.js';
import { OnlineReader, type OnlineRequest } from '../../../online/index.js';
import { DecodedTable } from '../../../online/parts/decoded-table.js';
import { failureOf } from '../../support/error-code.js';
import { type Gate, gated } from '../../support/gated-engine.js';
import { Lab } from '../../support/materialization-lab.js';
import { replacing } from '../../support/replacing.js';

let lab: Lab;
let reader: OnlineReader;
let gate: Gate;
let skippedMs = 0;
beforeEach(async () => {
  const now = performance.now.bind(performance);
  skippedMs = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => now() + skippedMs);
  lab = await Lab.open();
  await lab.createSource();
  gate = gated(lab.deps.engine);
  reader = new OnlineReader({ ...lab.deps, engine: gate.engine, queueTimeoutMs: 60_000 });
});
afterEach(async () => {
  gate.open();
  await reader.close();
  await lab.close();
  vi.restoreAllMocks();
});

/** The value of key 1 becomes another. */
async function commit(at: number, v: number): Promise<void> {
  await lab.append([{ k: 1, at, v }]);
  await materializeDirect(lab.deps, { view: 'readings' });
}

async function read(more: Partial<OnlineRequest> = {}): Promise<[value: unknown, stalenessMs: number]> {
  const request = { view: 'readings', entities: [{ k: 1 }], nowUs: 1_000_000_000_000n, readTimeoutMs: 60_000 };
  const { rows, stalenessMs } = await reader.getOnlineFeatures({ ...request, maxStalenessMs: 60_000, ...more });
  return [rows[0]?.[0]?.value, stalenessMs];
}

/** Sees what the table is now, without its rows. */
const look = () => read({ entities: [], maxStalenessMs: 0 });

it('a read fails with what to do once nothing that is new enough for it is decoded', async () => {
  await commit(10, 10);
  expect((await read())[0]).toBe(10);
  gate.close();
  await commit(20, 20);
  await look();
  expect((await read({ readTimeoutMs: 50 }))[0]).toBe(10);
  skippedMs += 61_000;
  await look();
  const failure = (await failureOf(read({ readTimeoutMs: 50 }))) as Error;
  expect(failure).toMatchObject({
    code: 'STORAGE_UNAVAILABLE',
    retryable: true,
    remedy:
      'Check how fast the storage answers and whether this machine keeps up, and try again; or allow a longer maxStalenessMs.',
    cause: { code: 'TIMED_OUT' },
  });
  const { location } = (await lab.online()).metadata;
  expect(failure.message.replace(/\d+ ms old, and/, 'N ms old, and')).toBe(
    `The decoded rows of feature view 'readings' are N ms old, and may be 60000 ms old (maxStalenessMs). Newer ones at ${location} are being read and did not come within 50 ms (readTimeoutMs).`,
  );
  // Who allows no staleness has asked for rows that have to be read, and gave no time for it.
  expect(await failureOf(read({ maxStalenessMs: 0, readTimeoutMs: 50 }))).toMatchObject({ code: 'TIMED_OUT' });
  // Who allows more is answered.
  expect((await read({ maxStalenessMs: 120_000, readTimeoutMs: 50 }))[0]).toBe(10);
  gate.open();
  expect((await read())[0]).toBe(20);
});

it('reads of one snapshot after the other do not keep what is prepared from being served', async () => {
  const OTHER = 4;
  await lab.append([{ k: OTHER, at: 10, v: 10 }]);
  await commit(10, 10);
  const both = { entities: [{ k: 1 }, { k: OTHER }] };
  await read(both);
  gate.close();
  for (let at = 11; at < 25; at += 1) {
    // In a bucket that no read asks for.
    await lab.append([{ k: OTHER, at, v: at }]);
    await materializeDirect(lab.deps, { view: 'readings' });
    await commit(at, at);
    const { currentSnapshotId } = (await lab.online()).metadata;
    const minSnapshots = new Map([['readings', currentSnapshotId ?? 0n]]);
    // The row has to be read before it is answered, and does not come in time.
    const failure = await failureOf(read({ maxStalenessMs: 0, minSnapshots, signal: AbortSignal.timeout(50) }));
    expect(failure).toMatchObject({ code: 'CANCELLED' });
    if (at > 13) gate.letOne();
  }
  expect((await read(both))[0]).toBeGreaterThan(13);
});

it('snapshots that others overtake before their rows are decoded are not kept', async () => {
  await commit(10, 10);
  expect((await read())[0]).toBe(10);
  // Tests before this one may have left some.
  const kept = queryObjects(DecodedTable, { format: 'count' });
  gate.close();
  for (let at = 11; at < 20; at += 1) {
    await commit(at, at);
    await look();
  }
  // The served one, the one whose rows are being decoded, the newest, and one that the last look has just passed.
  expect(queryObjects(DecodedTable, { format: 'count' }) - kept).toBeLessThanOrEqual(3);
  gate.open();
  expect((await read({ maxStalenessMs: 0 }))[0]).toBe(19);
});

it('a snapshot that is decoded while there are newer ones is as old as the last look that found it', async () => {
  await commit(10, 10);
  expect((await read())[0]).toBe(10);
  skippedMs += 30_000;
  gate.close();
  await commit(20, 20);
  await look();
  skippedMs += 20_000;
  await commit(30, 30);
  await look();
  gate.letOne();
  await expect.poll(async () => (await read({ readTimeoutMs: 50 }))[0], { timeout: 20_000 }).toBe(20);
  skippedMs += 30_000;
  await look();
  // The first snapshot would be 80 s old.
  const [value, stalenessMs] = await read({ readTimeoutMs: 50 });
  expect([value, Math.floor(stalenessMs / 10_000)]).toEqual([20, 5]);
  gate.open();
  await expect.poll(async () => (await read())[0], { timeout: 20_000 }).toBe(30);
});

it('a commit of this process is read at once, also while the first look of all is under way that began before it', async () => {
  await commit(10, 10);
  const found = lab.deps.catalog;
  let [isSeen, letThrough] = [(): void => undefined, (): void => undefined];
  const seen = new Promise<void>((resolve) => (isSeen = resolve));
  const through = new Promise<void>((resolve) => (letThrough = resolve));
  const catalog = replacing(found, () => ({
    loadTable: async (identifier) => {
      const loaded = await found.loadTable(identifier);
      isSeen();
      await through;
      return loaded;
    },
  }));
  await reader.close();
  reader = new OnlineReader({ ...lab.deps, catalog });
  const first = read();
  await seen;
  await commit(20, 20);
  await reader.committed('readings', await lab.online());
  letThrough();
  expect((await first)[0]).toBe(10);
  expect((await read())[0]).toBe(20);
});

describe('while the files of a new snapshot cannot be read', () => {
  const unreadable = () => gate.fail(new MoraineError('STORAGE_UNAVAILABLE', 'The store is gone.'));

  it('what is decoded answers until it is too old, and the new rows as soon as they can be read', async () => {
    await commit(10, 10);
    await read();
    unreadable();
    await commit(20, 20);
    for (let looks = 0; looks < 3; looks += 1) {
      await look();
      expect((await read())[0]).toBe(10);
    }
    skippedMs += 61_000;
    await look();
    expect(await failureOf(read())).toMatchObject({ code: 'STORAGE_UNAVAILABLE', message: 'The store is gone.' });
    gate.fail(undefined);
    expect((await read())[0]).toBe(20);
    await look();
    await expect.poll(() => reader.openViews[0]?.files, { timeout: 20_000 }).toBe(2);
  });

  it('an acknowledged commit of this process is in what is read, or the read fails', async () => {
    await commit(10, 10);
    await read();
    unreadable();
    await commit(20, 20);
    await reader.committed('readings', await lab.online());
    for (let looks = 0; looks < 3; looks += 1) {
      expect(await failureOf(read())).toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
      await look();
    }
    gate.fail(undefined);
    expect((await read())[0]).toBe(20);
  });

  it('a file that will never be readable holds up no other', async () => {
    await commit(10, 10);
    await read();
    gate.fail(new MoraineError('DATA_FILE_CORRUPT', 'The file is damaged.'));
    await commit(20, 20);
    await look();
    await expect.poll(() => failureOf(read()), { timeout: 20_000 }).toMatchObject({ code: 'DATA_FILE_CORRUPT' });
  });
});
