/** A table that moves from catalog to catalog, and what must hold after each move. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { createMoraine, type Moraine } from '../../index.js';
import { commitUpdates } from '../../tables/index.js';
import { failureOf } from './error-code.js';
import { expectIntact } from './intact-table.js';
import { digestOf } from './machines.js';
import { python } from './python.js';
import type { S3Server } from './s3-server.js';
import { temporaryFolder } from './temp-folder.js';

/** A catalog that tables move to and from. */
export interface MovingPlace {
  /** As in `moraine.yaml`. */
  readonly config: object;
  /** Properties by which PyIceberg opens it. */
  readonly python: Readonly<Record<string, string>>;
}

/** What a move keeps. */
async function stateOf(moraine: Moraine, name: string) {
  const table = await moraine.project.loadTable(name);
  await expectIntact(table);
  const { tableUuid, refs, lastSequenceNumber, currentSnapshotId, snapshots } = table.metadata;
  const kept = [];
  for (const { snapshotId, sequenceNumber, parentSnapshotId, timestampMs } of snapshots) {
    const digest = await digestOf(moraine.project, table, snapshotId);
    kept.push({ snapshotId, sequenceNumber, parentSnapshotId, timestampMs, digest });
  }
  return { tableUuid, refs, lastSequenceNumber, currentSnapshotId, snapshots: kept };
}

/** A table with deletes, a branch and a tag moves from a folder through every place, one after the other, and back to a folder. */
export async function expectMovesThrough(s3: S3Server, places: Readonly<Record<string, MovingPlace>>): Promise<void> {
  const folder = temporaryFolder();
  const config = {
    catalog: 'local',
    catalogs: {
      local: { uri: 'local.db', warehouse: 'warehouse' },
      ...Object.fromEntries(Object.entries(places).map(([name, place]) => [name, place.config])),
      back: { uri: 'back.db', warehouse: 'back' },
    },
    storage: { roots: ['warehouse', 'back', 's3://lake'], options: s3.options },
    engine: { threads: 1 },
  };
  const moraine = await createMoraine({ cwd: folder, config, fileFolders: [folder] } as never);
  onTestFinished(() => moraine.close());
  const append = async (name: string, ids: readonly number[]): Promise<unknown> => {
    const file = join(folder, 'rows.csv');
    writeFileSync(file, `id,part\n${ids.map((id) => `${id},p${id % 3}\n`).join('')}`);
    return await moraine.appendFile(name, file, { create: true, partition: 'part' });
  };
  await append('local/shop.t', [1, 2, 3, 4, 5, 6]);
  await append('local/shop.t', [7, 8, 9]);
  await moraine.deleteRows('local/shop.t', 'id = 2 OR id = 9');
  await commitUpdates(await moraine.project.loadTable('local/shop.t'), ({ refs, snapshots }) => {
    const [first, second] = snapshots.map(({ snapshotId }) => snapshotId);
    if (first === undefined || second === undefined || refs.has('first')) return null;
    return [
      { action: 'set-snapshot-ref', refName: 'first', ref: { type: 'tag', snapshotId: first } },
      { action: 'set-snapshot-ref', refName: 'side', ref: { type: 'branch', snapshotId: second } },
    ];
  });
  const before = await stateOf(moraine, 'local/shop.t');
  const ids = [
    [1, 2, 3, 4, 5, 6],
    [1, 2, 3, 4, 5, 6, 7, 8, 9],
    [1, 3, 4, 5, 6, 7, 8],
  ];
  const read = Object.fromEntries(before.snapshots.map(({ snapshotId }, index) => [String(snapshotId), ids[index]]));
  let from = 'local';
  for (const to of [...Object.keys(places), 'back']) {
    await moraine.moveTable(`${from}/shop.t`, { to });
    expect(await stateOf(moraine, `${to}/shop.t`)).toEqual(before);
    const properties = places[to]?.python;
    if (properties !== undefined) {
      const theirs = await python('read_snapshots.py', JSON.stringify({ ...properties, ...s3.options }), 'shop.t');
      expect(theirs, `PyIceberg on ${to}`).toEqual(read);
    }
    const refused = await failureOf(append(`${from}/shop.t`, [100]));
    expect([refused.code, refused.message]).toEqual(['TABLE_MOVED', expect.stringContaining(`${to}/shop.t`)]);
    from = to;
  }
  await append('back/shop.t', [10]);
  expect((await moraine.project.loadTable('back/shop.t')).metadata.lastSequenceNumber).toBe(4n);
}
