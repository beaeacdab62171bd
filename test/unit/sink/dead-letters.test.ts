/** Records that are no rows go to a dead-letter table, each once, with the batch that leaves them out. */
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Engine } from '../../../engine/index.js';
import { MoraineError } from '../../../errors/index.js';
import type { IcebergSink, SinkSnapshot } from '../../../sink/index.js';
import { leasesOf, loadTable } from '../../../tables/index.js';
import { rejectionCode } from '../../support/error-code.js';
import { type CommitFault, listed, openSinkEngine, records, SinkWorld } from '../../support/sink-world.js';

const DEAD = { namespace: ['ns'], name: 'dead' };
let engine: Engine;
let close: () => Promise<void>;
beforeAll(async () => {
  ({ engine, close } = await openSinkEngine());
});
afterAll(() => close());

const raws = async (world: SinkWorld): Promise<readonly string[]> =>
  (await world.rowsOf(DEAD, 'raw::VARCHAR')).map(([raw]) => String(raw));
const unavailable: CommitFault = () => Promise.reject(new MoraineError('STORAGE_UNAVAILABLE', 'down'));
const landsUnknown: CommitFault = async (commit) => {
  await commit();
  throw new MoraineError('COMMIT_STATE_UNKNOWN', 'The answer was lost.');
};
const getsLost: CommitFault = () => Promise.reject(new MoraineError('COMMIT_STATE_UNKNOWN', 'The request was lost.'));

test('a dead letter has the record, its place, its reason, its schema and an id of its own', async () => {
  const world = await SinkWorld.open(engine);
  const sink = await world.sink({ deadLetters: DEAD });
  await sink.writer(0).writeBatch(...listed('p', 10, 1, -2, 3));
  await sink.writer(0).writeBatch(records(-7));
  const before = Date.now();
  const { rows, rejected } = await sink.flush();
  expect([rows, rejected.length]).toEqual([2n, 2]);
  const { metadata } = await world.load();
  const columns =
    '"table", table_uuid, sink, source, position, reason, message, raw::VARCHAR, schema_id, replayed_at, id, epoch_ms(rejected_at), base_sequence, replayed_sequence, replayed_key';
  const [first = [], second = []] = await world.rowsOf(DEAD, columns);
  const common = ['ns.t', metadata.tableUuid, 's'];
  expect(first.slice(0, 10)).toEqual([...common, 'p', 11n, 'NEGATIVE', '-2', '-2', 0, null]);
  expect(second.slice(0, 10)).toEqual([...common, null, null, 'NEGATIVE', '-7', '-7', 0, null]);
  const place = `["${metadata.tableUuid}","s","p","11"]\n-2`;
  expect(first[10]).toBe(createHash('sha256').update(place).digest('hex').slice(0, 32));
  expect(Number(first[11])).toBeGreaterThanOrEqual(before);
  // The claim is the first snapshot.
  expect(first.slice(12)).toEqual([1n, null, null]);
  const leases = async () => leasesOf((await loadTable(world.catalog, world.fixture.io, DEAD)).metadata);
  expect((await leases()).map(({ kind }) => kind)).toEqual(['sink']);
  await sink.close();
  expect(await leases()).toEqual([]);
  expect(await world.ids()).toEqual([1, 3]);
});

test('the dead-letter table never shows a batch that the table has not, and staged files are under a lease', async () => {
  const world = await SinkWorld.open(engine);
  const sink = await world.sink({ deadLetters: DEAD });
  await sink.writer(0).writeBatch(...listed('p', 0, 1, -2));
  const seen: unknown[] = [];
  world.faults.push(async (commit) => {
    const { metadata, io } = await loadTable(world.catalog, world.fixture.io, DEAD);
    const [lease] = leasesOf(metadata);
    const staged = readdirSync(join(metadata.location, 'data'), { recursive: true }).map(String);
    seen.push(await raws(world), lease?.kind);
    seen.push(staged.some((file) => file.includes(lease?.filePrefixes[0] ?? '?')) && io === world.fixture.io);
    return await commit();
  });
  world.otherFaults.push(async (commit) => {
    seen.push(await world.ids());
    return await commit();
  });
  await sink.flush();
  expect(seen).toEqual([[], 'sink', true, [1]]);
  expect(await raws(world)).toEqual(['-2']);
});

test('a process that dies between the two commits leaves the second to the next one, which does it before anything else, once', async () => {
  const world = await SinkWorld.open(engine);
  const first = await world.sink({ deadLetters: DEAD });
  await first.writer(0).writeBatch(...listed('p', 0, 1, -2));
  world.otherFaults.push(unavailable);
  expect(await rejectionCode(first.flush())).toBe('STORAGE_UNAVAILABLE');
  expect([await world.ids(), await raws(world)]).toEqual([[1], []]);
  // It need not know of the dead-letter table.
  const second = await world.sink();
  expect(await raws(world)).toEqual(['-2']);
  // The one before is still alive, and tries again.
  expect(await rejectionCode(first.flush())).toBe('SINK_FENCED');
  expect(second.positions).toEqual(new Map([['p', 2n]]));
  await second.close();
  await (await world.sink({ deadLetters: DEAD })).close();
  expect([await world.ids(), await raws(world)]).toEqual([[1], ['-2']]);
});

test('the next batch waits until the dead letters of the one before are in', async () => {
  const world = await SinkWorld.open(engine);
  const sink = await world.sink({ deadLetters: DEAD });
  await sink.writer(0).writeBatch(...listed('p', 0, 1, -2));
  world.otherFaults.push(unavailable, unavailable);
  expect(await rejectionCode(sink.flush())).toBe('STORAGE_UNAVAILABLE');
  await sink.writer(0).writeBatch(...listed('p', 2, 3, -4));
  expect(await rejectionCode(sink.flush())).toBe('STORAGE_UNAVAILABLE');
  expect([await world.ids(), await raws(world)]).toEqual([[1], []]);
  const commit = await sink.flush();
  expect([commit.rows, commit.rejected.map(({ message }) => message)]).toEqual([2n, ['-2', '-4']]);
  expect([await world.ids(), await raws(world)]).toEqual([
    [1, 3],
    ['-2', '-4'],
  ]);
});

test.each([
  ['landed', landsUnknown],
  ['was lost', getsLost],
])('an outcome that is unknown and %s is settled by the next try', async (_, fault) => {
  const world = await SinkWorld.open(engine);
  const sink = await world.sink({ deadLetters: DEAD });
  await sink.writer(0).writeBatch(...listed('p', 0, 1, -2));
  world.otherFaults.push(fault);
  await sink.flush().catch(() => undefined);
  await sink.flush();
  await sink.writer(0).writeBatch(...listed('p', 2, -3));
  await sink.close();
  expect([await world.ids(), await raws(world)]).toEqual([[1], ['-2', '-3']]);
});

test('a checkpoint has the staged dead letters, and a restart from it commits them once', async () => {
  const world = await SinkWorld.open(engine);
  const first = await world.sink({ deadLetters: DEAD });
  await first.writer(0).writeBatch(...listed('p', 0, 1, -2));
  const state = JSON.parse(JSON.stringify(await first.snapshot())) as SinkSnapshot;
  expect([await world.ids(), await raws(world)]).toEqual([[], []]);
  for (let restart = 0; restart < 2; restart++) {
    const sink = await world.sink({ deadLetters: DEAD });
    await sink.restore(state);
    expect([await world.ids(), await raws(world)]).toEqual([[1], ['-2']]);
  }
});

test('a batch waits for what a batch of a checkpoint has left whose request arrived after it was given up', async () => {
  const world = await SinkWorld.open(engine);
  const first = await world.sink({ deadLetters: DEAD });
  await first.writer(0).writeBatch(...listed('p', 0, 1, -2));
  const state = await first.snapshot();
  const second = await world.sink({ deadLetters: DEAD });
  let late: () => Promise<unknown> = () => Promise.reject(new Error('nothing was sent'));
  world.faults.push(
    (commit) => {
      late = commit;
      return Promise.reject(new MoraineError('COMMIT_STATE_UNKNOWN', 'The answer was lost.'));
    },
    // The claim that is to settle it.
    async () => {
      await late();
      throw new MoraineError('STORAGE_UNAVAILABLE', 'down');
    },
  );
  expect(await rejectionCode(second.restore(state))).toBe('STORAGE_UNAVAILABLE');
  expect([await world.ids(), await raws(world)]).toEqual([[1], []]);
  const seen: unknown[] = [];
  world.otherFaults.push(async (commit) => {
    seen.push(await world.ids());
    return await commit();
  });
  await second.writer(0).writeBatch(records(3));
  await second.flush();
  expect(seen).toEqual([[1]]);
  expect([await world.ids(), await raws(world)]).toEqual([[1, 3], ['-2']]);
});

test('a record that is read again after the table was rolled back has the same id', async () => {
  const world = await SinkWorld.open(engine);
  const sink = await world.sink({ deadLetters: DEAD });
  await sink.writer(0).writeBatch(...listed('p', 0, 1));
  const { snapshotId } = await sink.flush();
  await sink.writer(0).writeBatch(...listed('p', 1, 2, -3));
  await sink.close();
  await world.rollBack(snapshotId ?? 0n);
  const next = await world.sink({ deadLetters: DEAD });
  expect(next.positions).toEqual(new Map([['p', 1n]]));
  await next.writer(0).writeBatch(...listed('p', 1, 2, -3));
  await next.close();
  expect(await raws(world)).toEqual(['-3', '-3']);
  expect(new Set((await world.rowsOf(DEAD, 'id')).flat()).size).toBe(1);
});

test('a dead-letter table that is gone stops the sink, unless its dead letters are given up', async () => {
  const world = await SinkWorld.open(engine);
  const first = await world.sink({ deadLetters: DEAD });
  await first.writer(0).writeBatch(...listed('p', 0, 1, -2));
  world.otherFaults.push(unavailable);
  expect(await rejectionCode(first.flush())).toBe('STORAGE_UNAVAILABLE');
  await world.catalog.dropTable(DEAD);
  expect(await rejectionCode(world.sink())).toBe('SINK_TABLE_LOST');
  expect(await rejectionCode(world.sink({ deadLetters: DEAD }))).toBe('SINK_TABLE_LOST');
  const sink = await world.sink({ deadLetters: DEAD, abandonLost: true });
  await sink.writer(0).writeBatch(...listed('p', 2, -5));
  await sink.close();
  expect([await world.ids(), await raws(world)]).toEqual([[1], ['-5']]);
});

test.each([true, false])(
  'a dead-letter table that is dropped while the sink runs is lost as one that was dropped before (abandonLost: %s)',
  async (abandonLost) => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink({ deadLetters: DEAD, abandonLost });
    await sink.writer(0).writeBatch(...listed('p', 0, 1, -2));
    await sink.flush();
    await sink.writer(0).writeBatch(...listed('p', 2, 3, -4));
    world.faults.push(async (commit) => {
      await world.catalog.dropTable(DEAD);
      return await commit();
    });
    if (!abandonLost) {
      expect(await rejectionCode(sink.flush())).toBe('SINK_TABLE_LOST');
      return;
    }
    await sink.flush();
    await sink.writer(0).writeBatch(...listed('p', 4, 5, -6));
    await sink.close();
    expect([await world.ids(), await raws(world)]).toEqual([[1, 3, 5], ['-6']]);
  },
);

test.each([
  [false, null],
  // Neither the anchors nor the snapshots of the dead-letter table know of it any more.
  [true, 'SINK_FENCED'],
])(
  'a process that was stopped between the two commits does not do the second again, however much another has done since (expired: %s)',
  async (isExpired, code) => {
    const world = await SinkWorld.open(engine);
    const first = await world.sink({ deadLetters: DEAD });
    await first.writer(0).writeBatch(...listed('p', 0, 1, -1));
    let second: IcebergSink | undefined;
    world.faults.push(async (commit) => {
      const committed = await commit();
      second = await world.sink({ deadLetters: DEAD });
      // More than its table has anchors for.
      for (let id = 2; id < 36; id += 1) {
        await second.writer(0).writeBatch(...listed('p', id, -id));
        await second.flush();
      }
      const { metadata } = await loadTable(world.fixture.catalog, world.fixture.io, DEAD);
      const snapshotIds = metadata.snapshots.map(({ snapshotId }) => snapshotId).slice(0, -1);
      const updates = isExpired ? [{ action: 'remove-snapshots', snapshotIds } as const] : [];
      await world.fixture.catalog.commitTable(DEAD, { requirements: [], updates });
      return committed;
    });
    const flushed = first.flush();
    if (code === null) await flushed;
    else expect(await rejectionCode(flushed)).toBe(code);
    await first
      .writer(0)
      .writeBatch(...listed('p', 2, -99))
      .catch(() => undefined);
    expect(await rejectionCode(first.flush())).toBe('SINK_FENCED');
    await second?.writer(0).writeBatch(...listed('p', 36, -36));
    await second?.close();
    const ids = Array.from({ length: 36 }, (_, index) => `-${index + 1}`);
    expect(await raws(world)).toEqual(ids.sort());
  },
);

test('who has the sink goes on when one who has lost it claims the dead-letter table after him', async () => {
  const world = await SinkWorld.open(engine);
  const first = await world.sink({ deadLetters: DEAD });
  await first.writer(0).writeBatch(...listed('p', 0, 1, -1));
  let second: IcebergSink | undefined;
  world.otherClaimFaults.push(async (commit) => {
    second = await world.sink({ deadLetters: DEAD });
    return await commit();
  });
  expect(await rejectionCode(first.flush())).toBe('SINK_FENCED');
  await second?.writer(0).writeBatch(...listed('p', 2, -2));
  await second?.close();
  expect([await world.ids(), await raws(world)]).toEqual([[1], ['-1', '-2']]);
});

/** Rolls the dead-letter table back to its first snapshot, a claim. @returns the files that it had */
async function rollBackLetters(world: SinkWorld): Promise<readonly string[]> {
  const table = await loadTable(world.fixture.catalog, world.fixture.io, DEAD);
  const [claim] = table.metadata.snapshots;
  const ref = { type: 'branch', snapshotId: claim?.snapshotId ?? 0n } as const;
  const updates = [{ action: 'set-snapshot-ref', refName: 'main', ref } as const];
  await world.fixture.catalog.commitTable(DEAD, { requirements: [], updates });
  return await world.paths(table);
}

test('dead letters that were rolled back with their batch come back with it, in files of their own', async () => {
  const world = await SinkWorld.open(engine);
  const first = await world.sink({ deadLetters: DEAD });
  const claim = (await world.load()).metadata.currentSnapshotId ?? 0n;
  await first.writer(0).writeBatch(...listed('p', 0, 1, -2));
  const state = JSON.parse(JSON.stringify(await first.snapshot())) as SinkSnapshot;
  await first.commit(state);
  await first.close();
  expect([await world.ids(), await raws(world)]).toEqual([[1], ['-2']]);
  const before = await rollBackLetters(world);
  await world.rollBack(claim);
  expect([await world.ids(), await raws(world)]).toEqual([[], []]);
  for (let restart = 0; restart < 2; restart += 1) {
    const sink = await world.sink({ deadLetters: DEAD });
    await sink.restore(state);
    await sink.close();
    expect([await world.ids(), await raws(world)]).toEqual([[1], ['-2']]);
  }
  const after = await world.paths(await loadTable(world.fixture.catalog, world.fixture.io, DEAD));
  expect([before.length, after.length, after.filter((path) => before.includes(path))]).toEqual([1, 1, []]);
});

test.each([
  ['of the last batch', []],
  ['of a batch before others', [-3, -4]],
])('dead letters %s that were rolled back with it come back with it in the same process', async (_, more) => {
  const world = await SinkWorld.open(engine);
  const sink = await world.sink({ deadLetters: DEAD });
  const claim = (await world.load()).metadata.currentSnapshotId ?? 0n;
  await sink.writer(0).writeBatch(...listed('p', 0, 1, -2));
  const state = await sink.snapshot();
  await sink.commit(state);
  for (const [index, id] of more.entries()) {
    await sink.writer(0).writeBatch(...listed('p', 2 + index, id));
    await sink.flush();
  }
  const before = await rollBackLetters(world);
  await world.rollBack(claim);
  // Of a record without a position nobody can say that it was committed: the sink meets the rollback with it.
  await sink.writer(0).writeBatch(records(9));
  await sink.flush();
  expect([await world.ids(), await raws(world)]).toEqual([[9], []]);
  for (let again = 0; again < 2; again += 1) {
    await sink.commit(state);
    expect([await world.ids(), await raws(world)]).toEqual([[1, 9], ['-2']]);
  }
  const after = await world.paths(await loadTable(world.fixture.catalog, world.fixture.io, DEAD));
  expect([after.length, after.filter((path) => before.includes(path))]).toEqual([1, []]);
  await sink.writer(0).writeBatch(...listed('q', 0, 3, -5));
  await sink.close();
  expect([await world.ids(), await raws(world)]).toEqual([
    [1, 3, 9],
    ['-2', '-5'],
  ]);
});

test('dead letters of the last batch that were rolled back come back when the sink is opened', async () => {
  const world = await SinkWorld.open(engine);
  const first = await world.sink({ deadLetters: DEAD });
  for (const [at, id] of [-1, -2].entries()) {
    await first.writer(0).writeBatch(...listed('p', at, id));
    await first.flush();
  }
  await rollBackLetters(world);
  const second = await world.sink({ deadLetters: DEAD });
  expect(await raws(world)).toEqual(['-2']);
  await second.writer(0).writeBatch(...listed('p', 2, -3));
  await second.close();
  expect(await raws(world)).toEqual(['-2', '-3']);
});

test.each([
  ['by sequence numbers', () => Promise.resolve()],
  // It knows no ancestors, and says of none that it has them.
  ['by its own last commit alone', (world: SinkWorld) => world.commitForeign(DEAD)],
])(
  'a sink that was idle while others filled its dead-letter table, which another program expires, knows what it has there %s',
  async (_, happens) => {
    const world = await SinkWorld.open(engine);
    const idle = await world.sink({ deadLetters: DEAD });
    await idle.writer(0).writeBatch(...listed('p', 0, 1, -2));
    await idle.close();
    const busy = await world.sink({ deadLetters: DEAD, name: 'busy' });
    await happens(world);
    // More than the table keeps metadata files of.
    for (let id = 10; id < 18; id += 1) {
      await busy.writer(0).writeBatch(...listed('q', id - 10, -id));
      await busy.flush();
      await world.expireAll(DEAD);
    }
    await busy.close();
    const others = Array.from({ length: 8 }, (__, index) => `-${index + 10}`);
    const again = await world.sink({ deadLetters: DEAD });
    expect(await raws(world)).toEqual([...others, '-2'].sort());
    await again.writer(0).writeBatch(...listed('p', 2, 3, -4));
    await again.close();
    const last = await world.sink({ deadLetters: DEAD });
    await last.close();
    expect([await world.ids(), await raws(world)]).toEqual([[1, 3], [...others, '-2', '-4'].sort()]);
  },
);

test('another table is not taken for a dead-letter table', async () => {
  const world = await SinkWorld.open(engine);
  expect(await rejectionCode(world.sink({ deadLetters: { namespace: ['ns'], name: 't' } }))).toBe('INVALID_ARGUMENT');
});
