/** What a reader that has seen nothing before knows of snapshots that have expired: names of answers and writes hold, names of rolled-back ones never do. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { materializeDirect } from '../../../materialization/index.js';
import { OnlineReader, type OnlineRequest, type SnapshotName } from '../../../online/index.js';
import { Lab } from '../../support/materialization-lab.js';

const ONLINE = { namespace: ['moraine_online'], name: 'readings' };
const MISSING = { code: 'SNAPSHOT_NOT_FOUND' };

let lab: Lab;
const readers: OnlineReader[] = [];
beforeEach(async () => {
  lab = await Lab.open();
  await lab.createSource();
  await lab.append([{ k: 1, at: 10, v: 10 }]);
  await materializeDirect(lab.deps, { view: 'readings' });
});
afterEach(async () => {
  for (const reader of readers.splice(0)) await reader.close();
  await lab.close();
});

/** A reader as of a process that has just started. */
function started(): OnlineReader {
  const reader = new OnlineReader({ ...lab.deps, readTimeoutMs: 60_000, queueTimeoutMs: 60_000 });
  readers.push(reader);
  return reader;
}

const read = (reader: OnlineReader, more: Partial<OnlineRequest> = {}) =>
  reader.getOnlineFeatures({ view: 'readings', entities: [{ k: 1 }], ...more });

/** The value that a reader finds in a state that has the snapshot. */
async function valueWith(reader: OnlineReader, wanted: SnapshotName | bigint | undefined): Promise<unknown> {
  if (wanted === undefined) throw new Error('No snapshot is named.');
  return (await read(reader, { minSnapshots: new Map([['readings', wanted]]) })).rows[0]?.[0]?.value;
}

const push = (v: number) => lab.pushRows([{ k: 1, at: 10 + v, v }]);

/** All but the current snapshot go, as by any engine. */
async function expireAll(): Promise<void> {
  const { snapshots, currentSnapshotId } = (await lab.online()).metadata;
  const snapshotIds = snapshots.map(({ snapshotId }) => snapshotId).filter((id) => id !== currentSnapshotId);
  await lab.update(ONLINE, [{ action: 'remove-snapshots', snapshotIds }]);
}

describe('a reader that has just started', () => {
  it('knows the snapshots that answers and writes name, after they have expired', async () => {
    const [answered] = (await read(started())).snapshots;
    const { metadata } = await lab.online();
    expect(answered).toEqual({
      view: 'readings',
      table: 'moraine_online.readings',
      snapshotId: metadata.currentSnapshotId,
      sequenceNumber: 1n,
      tableUuid: metadata.tableUuid,
    });
    const { minSnapshot } = await push(20);
    for (const v of [30, 40]) await push(v);
    await expireAll();
    expect(await valueWith(started(), answered)).toBe(40);
    expect(await valueWith(started(), minSnapshot)).toBe(40);
    // The parent of a kept snapshot is named there.
    const parent = (await lab.online()).metadata.snapshots[0]?.parentSnapshotId;
    expect(await valueWith(started(), parent)).toBe(40);
    await expect(valueWith(started(), answered?.snapshotId ?? 0n)).rejects.toMatchObject(MISSING);
    await expect(valueWith(started(), { ...answered, snapshotId: 77n, sequenceNumber: 5n })).rejects.toMatchObject(
      MISSING,
    );
  });

  it('does not take a rolled-back snapshot for an expired one, nor does one that has seen it', async () => {
    const witness = started();
    const kept = (await read(witness)).snapshots[0];
    const { minSnapshot: rolledBack } = await push(20);
    expect(await valueWith(witness, rolledBack)).toBe(20);
    await lab.rollback('online', kept?.snapshotId ?? 0n);
    for (const v of [30, 40]) await push(v);
    await expireAll();
    for (const reader of [started(), witness]) {
      expect(await valueWith(reader, kept)).toBe(40);
      await expect(valueWith(reader, rolledBack)).rejects.toMatchObject(MISSING);
      await expect(valueWith(reader, rolledBack.snapshotId ?? 0n)).rejects.toMatchObject(MISSING);
    }
    // The witness knows the number of the other by its id alone.
    expect(await valueWith(witness, kept?.snapshotId ?? 0n)).toBe(40);
  });

  it('does not take a snapshot of a table that was dropped for one of the table that was made anew', async () => {
    const [old] = (await read(started())).snapshots;
    await lab.catalog.dropTable(ONLINE);
    await materializeDirect(lab.deps, { view: 'readings' });
    await push(20);
    await expireAll();
    await expect(valueWith(started(), old)).rejects.toMatchObject(MISSING);
  });
});
