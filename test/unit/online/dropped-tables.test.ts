import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { materializeDirect } from '../../../materialization/index.js';
import { OnlineReader, type OnlineRequest, type OnlineResponse } from '../../../online/index.js';
import { planFiles, selectSnapshot } from '../../../tables/index.js';
import { Lab } from '../../support/materialization-lab.js';

const NOW = { nowUs: 1_000_000_000_000n, readTimeoutMs: 60_000 };
const STALENESS_MS = 500;
const KEYS = [1, 2, 3];

let lab: Lab;
let reader: OnlineReader;
beforeEach(async () => {
  lab = await Lab.open();
  await lab.createSource();
  // Several commits: the sequence numbers of the table that is made anew are smaller.
  for (const k of KEYS) {
    await lab.append([{ k, at: 10, v: k * 10 }]);
    await materializeDirect(lab.deps, { view: 'readings' });
  }
  reader = new OnlineReader({ ...lab.deps, queueTimeoutMs: 60_000 });
});
afterEach(async () => {
  await reader.close();
  await lab.close();
});

function read(more: Partial<OnlineRequest> = {}): Promise<OnlineResponse> {
  return reader.getOnlineFeatures({ view: 'readings', entities: KEYS.map((k) => ({ k })), ...NOW, ...more });
}
const found = ({ rows }: OnlineResponse) => rows.map(([value]) => [value?.status, value?.value]);

const OLD = [
  ['PRESENT', 10],
  ['PRESENT', 20],
  ['PRESENT', 30],
];
/** What {@link remake} leaves. */
const NEW = [
  ['PRESENT', 11],
  ['NOT_FOUND', null],
  ['PRESENT', 30],
];

async function drop(): Promise<void> {
  await lab.catalog.dropTable((await lab.online()).identifier);
}

/** Drops the table with its files. */
async function purge(): Promise<void> {
  const online = await lab.online();
  const { files } = await planFiles(online, selectSnapshot(online.metadata));
  await drop();
  await lab.io.delete(...files.map(({ file }) => file.filePath));
}

/** Makes the table anew, of other rows in another number of buckets. */
async function remake(): Promise<void> {
  await lab.deleteWhere('k = 2');
  await lab.append([{ k: 1, at: 20, v: 11 }]);
  lab.view = { ...lab.view, onlineBuckets: 8 };
  await materializeDirect(lab.deps, { view: 'readings' });
}

const MISSING = { code: 'TABLE_NOT_FOUND', message: expect.stringContaining("'readings'") as unknown };

describe('a table that is dropped under an open reader', () => {
  it('is answered from decoded rows for as long as a read allows, and then an error', async () => {
    const first = await read();
    expect(found(first)).toEqual(OLD);
    await drop();
    const droppedAtMs = performance.now();
    expect(found(await read({ maxStalenessMs: 600_000 }))).toEqual(OLD);
    for (;;) {
      const askedAtMs = performance.now();
      const answer = await read({ maxStalenessMs: STALENESS_MS }).catch((error: unknown) => error);
      if (answer instanceof Error) {
        expect(answer).toMatchObject(MISSING);
        break;
      }
      // The table was there when it was looked at, which was before it was dropped.
      expect(askedAtMs - droppedAtMs).toBeLessThanOrEqual(STALENESS_MS);
      expect(found(answer as OnlineResponse)).toEqual(OLD);
      expect((answer as OnlineResponse).snapshots).toEqual(first.snapshots);
    }
    await expect(read({ maxStalenessMs: STALENESS_MS })).rejects.toMatchObject(MISSING);
    await expect(read()).rejects.toMatchObject(MISSING);
  });

  it('is read when it is made anew under the same name', async () => {
    const old = (await read()).snapshots;
    await drop();
    await expect(read()).rejects.toMatchObject(MISSING);
    await remake();
    const { metadata } = await lab.online();
    const answer = await read();
    expect(found(answer)).toEqual(NEW);
    expect(answer.snapshots).toEqual([
      { ...old[0], snapshotId: metadata.currentSnapshotId, sequenceNumber: 1n, tableUuid: metadata.tableUuid },
    ]);
    expect(found(await read({ maxStalenessMs: STALENESS_MS }))).toEqual(NEW);
    const minSnapshots = new Map([['readings', old[0]?.snapshotId ?? 0n]]);
    await expect(read({ minSnapshots })).rejects.toMatchObject({ code: 'SNAPSHOT_NOT_FOUND' });
  });

  it('and made anew before anybody looks is never read as a mixture of both', async () => {
    const old = (await read()).snapshots;
    await drop();
    await remake();
    for (let isNew = false; !isNew; ) {
      const answer = await read({ maxStalenessMs: 60_000 });
      isNew = answer.snapshots[0]?.snapshotId !== old[0]?.snapshotId;
      expect(found(answer)).toEqual(isNew ? NEW : OLD);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(found(await read())).toEqual(NEW);
  });

  it('with its files is missing for entities that are not decoded, too', async () => {
    const [first] = KEYS.map((k) => [{ k }]);
    await read({ entities: first ?? [], maxStalenessMs: 600_000 });
    await purge();
    // One of them is of another bucket, whose file is gone.
    await expect(read({ maxStalenessMs: 600_000 })).rejects.toMatchObject(MISSING);
  });

  it('and made anew is read where files of before are gone with it', async () => {
    await read({ entities: [{ k: 1 }], maxStalenessMs: 600_000 });
    await purge();
    await remake();
    for (let isWritten = false; !isWritten; ) {
      const answer = await read({ maxStalenessMs: 600_000 });
      // A look may have found the table before its first commit.
      isWritten = answer.snapshots[0]?.snapshotId !== null;
      if (isWritten) expect(found(answer)).toEqual(NEW);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  });
});
