/** The sink on a real catalog: each record once, whatever happens to its process, its commits and its table. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Engine } from '../../../engine/index.js';
import { MoraineError } from '../../../errors/index.js';
import type { SinkSnapshot } from '../../../sink/index.js';
import { Coordinator } from '../../../sink/protocol/coordinator.js';
import { rejectionCode } from '../../support/error-code.js';
import { type CommitFault, listed, openSinkEngine, records, SinkWorld, span } from '../../support/sink-world.js';
import { upTo } from '../../support/up-to.js';

let engine: Engine;
let close: () => Promise<void>;
beforeAll(async () => {
  ({ engine, close } = await openSinkEngine());
});
afterAll(() => close());

const lost = () => new MoraineError('COMMIT_STATE_UNKNOWN', 'The answer was lost.');

describe('a batch', () => {
  test('is one snapshot over all writers with one file for each partition of the table', async () => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink({ numPartitions: 3 });
    for (let i = 0; i < 3; i++) await sink.writer(i).writeBatch(...span(`p${i}`, i * 10, i * 10 + 10));
    const commit = await sink.flush();
    expect(commit).toEqual({
      snapshotId: commit.snapshotId,
      rows: 30n,
      superseded: 0n,
      rejected: [],
      positions: new Map([
        ['p0', 10n],
        ['p1', 20n],
        ['p2', 30n],
      ]),
      delivery: 'exactly-once',
    });
    const { metadata } = await world.load();
    expect(metadata.snapshots).toHaveLength(2);
    const summary = await world.summaryOf(commit.snapshotId);
    expect([summary.get('added-data-files'), summary.get('added-records')]).toEqual(['3', '30']);
    expect(await world.ids()).toEqual(upTo(30));
    await sink.close();
  });

  test('is made by the number of records, and by the interval', async () => {
    const world = await SinkWorld.open(engine);
    const commits: bigint[] = [];
    let told = () => {};
    const next = () => new Promise<void>((resolve) => (told = resolve));
    const onCommit = ({ rows }: { rows: bigint }) => {
      commits.push(rows);
      told();
    };
    const sink = await world.sink({ batchSize: 5, batchIntervalMs: 20, onCommit });
    const first = next();
    await sink.writer(0).writeBatch(...span('p', 0, 5));
    await first;
    const second = next();
    await sink.writer(0).writeBatch(...span('p', 5, 7));
    await second;
    expect(commits).toEqual([5n, 2n]);
    await sink.close();
    expect(await world.ids()).toEqual(upTo(7));
  });

  test('is made by the number of records of all writers together', async () => {
    const world = await SinkWorld.open(engine);
    let told: (rows: bigint) => void = () => {};
    const committed = new Promise<bigint>((resolve) => (told = resolve));
    const sink = await world.sink({ batchSize: 5, numPartitions: 2, onCommit: ({ rows }) => told(rows) });
    await sink.writer(0).writeBatch(...span('p', 0, 3));
    await sink.writer(1).writeBatch(...span('q', 3, 5));
    expect(await committed).toBe(5n);
    expect(await world.ids()).toEqual(upTo(5));
    await sink.close();
    const { snapshots } = (await world.load()).metadata;
    expect(snapshots.map(({ summary }) => summary.get('added-records'))).toEqual([undefined, '5']);
  });

  test('is counted, from its first record to its commit', async () => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink();
    const idle = { bufferedRecords: 0, bufferedBytes: 0, pendingBatches: 0, committedRows: 0n, committedBatches: 0 };
    const nothing = { ...idle, rejected: {}, lastCommitMs: null, lastCommitAtMs: null };
    expect(sink.metrics()).toEqual(nothing);
    await sink.writer(0).writeBatch(...listed('p', 0, 1, -2, -3));
    const waiting = { ...nothing, bufferedRecords: 3, bufferedBytes: 30 };
    expect(sink.metrics()).toEqual(waiting);
    const seen: unknown[] = [];
    world.faults.push(
      () => Promise.reject(new MoraineError('STORAGE_UNAVAILABLE', 'down')),
      (commit) => {
        seen.push(sink.metrics());
        return commit();
      },
    );
    expect(await rejectionCode(sink.flush())).toBe('STORAGE_UNAVAILABLE');
    const failed = { ...waiting, pendingBatches: 1 };
    expect(sink.metrics()).toEqual(failed);
    await sink.writer(0).writeBatch(...listed('p', 3, 4));
    expect(sink.metrics()).toEqual({ ...failed, bufferedRecords: 4, bufferedBytes: 40 });
    const [beganMs, began] = [Date.now(), performance.now()];
    await sink.flush();
    const { lastCommitMs, lastCommitAtMs, ...counted } = sink.metrics();
    expect(seen).toEqual([{ ...failed, bufferedRecords: 4, bufferedBytes: 40, pendingBatches: 2 }]);
    expect(counted).toEqual({ ...idle, committedRows: 2n, committedBatches: 2, rejected: { NEGATIVE: 2 } });
    expect(lastCommitMs).toBeGreaterThan(0);
    expect(lastCommitMs).toBeLessThanOrEqual(performance.now() - began);
    expect(lastCommitAtMs).toBeGreaterThanOrEqual(beganMs);
    expect(lastCommitAtMs).toBeLessThanOrEqual(Date.now());
    await sink.close();
  });

  test('that is full while another is committed is committed after it, without waiting for more records', async () => {
    const world = await SinkWorld.open(engine);
    const commits: bigint[] = [];
    let toldAll = () => {};
    const all = new Promise<void>((resolve) => (toldAll = resolve));
    const onCommit = ({ rows }: { rows: bigint }) => {
      commits.push(rows);
      if (commits.length === 3) toldAll();
    };
    const sink = await world.sink({ batchSize: 5, batchIntervalMs: 20, onCommit });
    await sink.writer(0).writeBatch(...span('p', 0, 5));
    // By now the first batch has been taken out of the buffer.
    await new Promise(setImmediate);
    await sink.writer(0).writeBatch(...span('p', 5, 10));
    await new Promise(setImmediate);
    await sink.writer(0).writeBatch(...span('p', 10, 12));
    await all;
    expect(commits).toEqual([5n, 5n, 2n]);
    await sink.close();
  });

  test('counts rejected records and moves the position past them', async () => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink();
    await sink.writer(0).writeBatch(records(-1), { partition: 'p', from: 0n, to: 1n });
    const { rows, rejected, snapshotId } = await sink.flush();
    expect([rows, rejected.map(({ message }) => message)]).toEqual([0n, ['-1']]);
    expect((await world.summaryOf(snapshotId)).get('operation')).toBe('append');
    expect((await world.sink()).positions).toEqual(new Map([['p', 1n]]));
  });

  test('with records without positions says that they are delivered at least once', async () => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink();
    await sink.writer(0).writeBatch(...span('p', 0, 2));
    await sink.writer(0).writeBatch(records(7));
    expect((await sink.flush()).delivery).toBe('at-least-once');
    await sink.writer(0).writeBatch(...span('p', 2, 3));
    expect((await sink.flush()).delivery).toBe('exactly-once');
  });

  test('of many small pieces is read in several statements', async () => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink();
    for (let i = 0; i < 250; i++) await sink.writer(0).writeBatch(...span('p', i, i + 1));
    expect((await sink.flush()).rows).toBe(250n);
    expect(await world.ids()).toEqual(upTo(250));
  });

  test('waits for room in memory', async () => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink({ bufferBytes: 60 });
    for (let i = 0; i < 20; i++) await sink.writer(0).writeBatch(...span('p', i * 5, i * 5 + 5));
    await sink.close();
    expect(await world.ids()).toEqual(upTo(100));
    // One of each piece or two, never all of them at the end.
    expect((await world.load()).metadata.snapshots.length).toBeGreaterThan(10);
  });

  test('lands beside a foreign append in between, in one snapshot', async () => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink();
    await sink.writer(0).writeBatch(...span('p', 0, 5));
    world.faults.push(async (commit) => {
      await world.appendForeign(100);
      return commit();
    });
    await sink.flush();
    expect(await world.ids()).toEqual([...upTo(5), 100]);
    expect((await world.load()).metadata.snapshots).toHaveLength(3);
  });

  test('requires the snapshot that it was checked on, as claims do', async () => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink();
    await sink.writer(0).writeBatch(...span('p', 0, 5));
    await sink.flush();
    const [claim] = (await world.load()).metadata.snapshots;
    expect(world.requests.map(({ requirements }) => requirements[1])).toEqual([
      { type: 'assert-ref-snapshot-id', ref: 'main', snapshotId: null },
      { type: 'assert-ref-snapshot-id', ref: 'main', snapshotId: claim?.snapshotId },
    ]);
  });
});

describe('marks', () => {
  const marked = (from: number, to: number, mark?: string) =>
    [records(...upTo(to).slice(from)), { partition: 'p', from: BigInt(from), to: BigInt(to), mark }] as const;

  test('are committed with the positions that they were said of, and given back, also once the snapshot is gone', async () => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink();
    await sink.writer(0).writeBatch(...marked(0, 3, 'three'));
    await sink.writer(0).writeBatch(...marked(3, 5, 'five'));
    await sink.writer(0).writeBatch(...span('q', 5, 6));
    await sink.flush();
    await sink.writer(0).writeBatch(records(5, 6), { partition: 'p', from: 5n, to: 7n, mark: 'seven' });
    const checkpoint = JSON.parse(JSON.stringify(await sink.snapshot())) as SinkSnapshot;
    const next = await world.sink();
    expect(next.marks).toEqual(new Map([['p', 'five']]));
    await next.restore(checkpoint);
    expect(next.marks).toEqual(new Map([['p', 'seven']]));
    await world.appendForeign(100);
    await world.expireAll();
    const last = await world.sink();
    expect([last.marks, last.positions.get('p')]).toEqual([new Map([['p', 'seven']]), 7n]);
    // The source says nothing of the next position.
    await last.writer(0).writeBatch(records(7), { partition: 'p', from: 7n, to: 8n });
    await last.close();
    expect((await world.sink()).marks).toEqual(new Map());
  });

  test('are not kept beyond 200 characters', async () => {
    const sink = await (await SinkWorld.open(engine)).sink();
    const written = sink.writer(0).writeBatch(...marked(0, 1, 'x'.repeat(201)));
    await expect(written).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: 'The mark of "p" has 201 characters; 200 are kept.',
    });
    expect(await sink.writer(0).writeBatch(...marked(0, 1, 'x'.repeat(200)))).toBe(true);
  });
});

describe('positions', () => {
  test('drop ranges that an older checkpoint offers again', async () => {
    const world = await SinkWorld.open(engine);
    const first = await world.sink();
    await first.writer(0).writeBatch(...span('p', 0, 5));
    await first.writer(0).writeBatch(...span('p', 5, 10));
    await first.flush();
    const second = await world.sink();
    expect(second.positions).toEqual(new Map([['p', 10n]]));
    expect(await second.writer(0).writeBatch(...span('p', 0, 5))).toBe(false);
    expect(await second.writer(0).writeBatch(...span('p', 5, 10))).toBe(false);
    expect(await second.writer(0).writeBatch(...span('p', 10, 12))).toBe(true);
    await second.close();
    expect(await world.ids()).toEqual(upTo(12));
  });

  test.each([
    ['leave a gap', 11, 15],
    ['cover a part again', 8, 12],
  ])('refuse ranges that %s, with both positions', async (_, from, to) => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink();
    await sink.writer(0).writeBatch(...span('p', 0, 10));
    await sink.flush();
    const error: unknown = await sink
      .writer(0)
      .writeBatch(...span('p', from, to))
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'SINK_POSITION_MISMATCH',
      message: `Sink "s" was given positions ${from} to ${to} of "p", of which up to 10 is committed.`,
      details: { partition: 'p', from: `${from}`, committed: '10' },
    });
    await sink.close();
    expect(await world.ids()).toEqual(upTo(10));
  });

  test('of a table that was rolled back are those of its snapshot', async () => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink();
    await sink.writer(0).writeBatch(...span('p', 0, 5));
    const { snapshotId } = await sink.flush();
    await sink.writer(0).writeBatch(...span('p', 5, 9));
    await sink.flush();
    await world.rollBack(snapshotId ?? 0n);
    await sink.writer(0).writeBatch(...span('p', 9, 11));
    expect(await rejectionCode(sink.flush())).toBe('SINK_POSITION_MISMATCH');
    const next = await world.sink();
    expect([next.epoch, next.positions]).toEqual([2n, new Map([['p', 5n]])]);
    await next.writer(0).writeBatch(...span('p', 5, 11));
    await next.close();
    expect(await world.ids()).toEqual(upTo(11));
  });

  test('are checked again after a rollback between the check and the commit', async () => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink();
    await sink.writer(0).writeBatch(...span('p', 0, 5));
    const { snapshotId } = await sink.flush();
    await sink.writer(0).writeBatch(...span('p', 5, 9));
    await sink.flush();
    await sink.writer(0).writeBatch(...span('p', 9, 11));
    world.faults.push(async (commit) => {
      await world.rollBack(snapshotId ?? 0n);
      return commit();
    });
    expect(await rejectionCode(sink.flush())).toBe('SINK_POSITION_MISMATCH');
    expect(await world.ids()).toEqual(upTo(5));
  });

  test('survive a rollback of snapshots that have expired since', async () => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink();
    await sink.writer(0).writeBatch(...span('p', 0, 5));
    const { snapshotId } = await sink.flush();
    await sink.writer(0).writeBatch(...span('p', 5, 9));
    await sink.flush();
    await world.rollBack(snapshotId ?? 0n);
    await world.appendForeign(100);
    await world.expireAll();
    expect((await world.sink()).positions).toEqual(new Map([['p', 5n]]));
  });

  test('do not restart a partition that was rolled back', async () => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink();
    const claim = (await world.load()).metadata.currentSnapshotId;
    await sink.writer(0).writeBatch(...span('p', 0, 5));
    await sink.flush();
    await world.rollBack(claim ?? 0n);
    await sink.writer(0).writeBatch(...span('p', 5, 9));
    expect(await rejectionCode(sink.flush())).toBe('SINK_POSITION_MISMATCH');
    expect(await world.ids()).toEqual([]);
  });

  describe.each([
    ['0', 0],
    ['another position', 7],
  ])('of a partition that began at %s and was rolled back behind its first batch', (_, start) => {
    /** A sink is opened anew after the rollback. */
    async function rolledBack() {
      const world = await SinkWorld.open(engine);
      const sink = await world.sink();
      await sink.writer(0).writeBatch(...span('q', 100, 102));
      const { snapshotId } = await sink.flush();
      await sink.writer(0).writeBatch(...span('p', start, start + 5));
      await sink.close();
      await world.rollBack(snapshotId ?? 0n);
      return { world, start: BigInt(start) };
    }

    test('refuse, after a restart, a host that goes on from an offset of its own', async () => {
      const { world, start } = await rolledBack();
      const next = await world.sink();
      const written = next.writer(0).writeBatch(...span('p', Number(start) + 5, Number(start) + 9));
      await expect(written).rejects.toMatchObject({
        code: 'SINK_POSITION_MISMATCH',
        details: { partition: 'p', from: `${start + 5n}`, committed: `${start}` },
      });
      await next.close();
      expect(await world.ids()).toEqual([100, 101]);
    });

    test('are its beginning, also once the anchors, the snapshots and the sink have come and gone', async () => {
      const { world, start } = await rolledBack();
      for (let restart = 0; restart < 35; restart += 1) await Coordinator.open(await world.load(), 's');
      await world.appendForeign(200);
      await world.expireAll();
      const next = await world.sink();
      expect(next.positions).toEqual(
        new Map([
          ['p', start],
          ['q', 102n],
        ]),
      );
      await next.writer(0).writeBatch(...span('p', Number(start), Number(start) + 9));
      await next.close();
      expect((await world.ids()).filter((id) => id < 100)).toEqual(upTo(9).map((id) => id + Number(start)));
    });
  });

  test('survive the expiry of all snapshots of the sink', async () => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink();
    await sink.writer(0).writeBatch(...span('p', 0, 5));
    await sink.flush();
    await world.appendForeign(100);
    await world.appendForeign(101);
    await world.expireAll();
    const next = await world.sink();
    expect([next.epoch, next.positions]).toEqual([2n, new Map([['p', 5n]])]);
    await next.writer(0).writeBatch(...span('p', 5, 6));
    await next.flush();
    expect(await world.ids()).toEqual([...upTo(6), 100, 101]);
  });

  test('are not guessed once nothing tells the history', async () => {
    const world = await SinkWorld.open(engine, {
      properties: new Map([['write.metadata.previous-versions-max', '1']]),
    });
    const sink = await world.sink();
    await sink.writer(0).writeBatch(...span('p', 0, 5));
    await sink.flush();
    for (let count = 0; count < 3; count += 1) await world.commitForeign();
    await world.expireAll();
    await world.appendForeign(103);
    await world.expireAll();
    expect(await rejectionCode(world.sink())).toBe('SINK_POSITION_UNKNOWN');
  });

  test.each([
    ['the last one', false, 9n],
    ['the one before a rollback', true, 5n],
  ])('are those of %s where other commits of ours tell of it alone', async (_, isRolledBack, position) => {
    const world = await SinkWorld.open(engine, {
      properties: new Map([['write.metadata.previous-versions-max', '1']]),
    });
    const sink = await world.sink();
    await sink.writer(0).writeBatch(...span('p', 0, 5));
    const { snapshotId } = await sink.flush();
    await sink.writer(0).writeBatch(...span('p', 5, 9));
    await sink.flush();
    if (isRolledBack) await world.rollBack(snapshotId ?? 0n);
    for (const id of [100, 101, 102]) await world.appendForeign(id);
    await world.expireAll();
    await world.appendForeign(103);
    await world.expireAll();
    const next = await world.sink();
    expect(next.positions).toEqual(new Map([['p', position]]));
    await next.writer(0).writeBatch(...span('p', Number(position), 10));
    await next.flush();
    expect(await world.ids()).toEqual([...upTo(10), 100, 101, 102, 103]);
  });

  test('come from summaries where the table property is gone', async () => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink();
    await sink.writer(0).writeBatch(...span('p', 0, 5));
    await sink.flush();
    const updates = [{ action: 'remove-properties', removals: ['moraine.sink.s'] } as const];
    await world.fixture.catalog.commitTable((await world.load()).identifier, { requirements: [], updates });
    expect((await world.sink()).positions).toEqual(new Map([['p', 5n]]));
  });

  test('belong to a sink of one name', async () => {
    const world = await SinkWorld.open(engine);
    const [a, b] = [await world.sink({ name: 'a' }), await world.sink({ name: 'b' })];
    await a.writer(0).writeBatch(...span('p', 0, 5));
    await a.flush();
    await b.writer(0).writeBatch(...span('p', 5, 7));
    await b.flush();
    await a.writer(0).writeBatch(...span('p', 5, 6));
    await a.flush();
    expect([a.positions, b.positions]).toEqual([new Map([['p', 6n]]), new Map([['p', 7n]])]);
    expect(await world.ids()).toEqual([0, 1, 2, 3, 4, 5, 5, 6]);
  });
});

describe('two coordinators', () => {
  test('one is fenced, and none of its rows doubled', async () => {
    const world = await SinkWorld.open(engine);
    const old = await world.sink();
    await old.writer(0).writeBatch(...span('p', 0, 5));
    await old.flush();
    await old.writer(0).writeBatch(...span('p', 5, 9));
    const young = await world.sink();
    const folder = join((await world.load()).metadata.location, 'data');
    const files = () => readdirSync(folder, { recursive: true }).length;
    const before = files();
    await expect(old.flush()).rejects.toMatchObject({
      code: 'SINK_FENCED',
      details: { epoch: '1', newestEpoch: '2' },
    });
    // What it had staged is gone.
    expect(files()).toBe(before);
    expect(await rejectionCode(old.writer(0).writeBatch(...span('p', 9, 10)))).toBe('SINK_FENCED');
    await young.writer(0).writeBatch(...span('p', 5, 9));
    await young.flush();
    expect(await world.ids()).toEqual(upTo(9));
  });

  test('a batch that was sent before the claim of another one does not land after it', async () => {
    const world = await SinkWorld.open(engine);
    const old = await world.sink();
    await old.writer(0).writeBatch(...span('p', 0, 5));
    world.faults.push(async (commit) => {
      const young = await world.sink();
      await young.writer(0).writeBatch(...span('p', 0, 3));
      await young.flush();
      return commit();
    });
    expect(await rejectionCode(old.flush())).toBe('SINK_FENCED');
    expect(await world.ids()).toEqual(upTo(3));
  });
});

describe('an unknown outcome', () => {
  /** The answer is lost, and the commit lands at once, at the next claim, or never. */
  const landing: Readonly<Record<string, () => CommitFault[]>> = {
    'landed before the claim': () => [
      async (commit) => {
        await commit();
        throw lost();
      },
    ],
    'lands beside the claim': () => {
      let late = () => Promise.resolve<unknown>(undefined);
      return [
        async (commit) => {
          late = commit;
          throw lost();
        },
        async (commit) => {
          await late();
          return commit();
        },
      ];
    },
    'comes after the claim': () => {
      let late = () => Promise.resolve<unknown>(undefined);
      return [
        async (commit) => {
          late = commit;
          throw lost();
        },
        async (commit) => {
          const claimed = await commit();
          await expect(late()).rejects.toMatchObject({ code: 'COMMIT_CONFLICT' });
          return claimed;
        },
      ];
    },
    'never lands': () => [() => Promise.reject(lost())],
  };

  test.each(Object.keys(landing))('of a batch that %s is settled', async (when) => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink();
    await sink.writer(0).writeBatch(...span('p', 0, 5));
    world.faults.push(...(landing[when]?.() ?? []));
    const { rows, positions } = await sink.flush();
    expect([rows, positions]).toEqual([5n, new Map([['p', 5n]])]);
    await sink.writer(0).writeBatch(...span('p', 5, 6));
    await sink.close();
    expect(await world.ids()).toEqual(upTo(6));
  });

  test.each(Object.keys(landing))('of a claim that %s is settled', async (when) => {
    const world = await SinkWorld.open(engine);
    world.faults.push(...(landing[when]?.() ?? []));
    const sink = await world.sink();
    await sink.writer(0).writeBatch(...span('p', 0, 5));
    await sink.flush();
    expect(await world.ids()).toEqual(upTo(5));
  });

  test('that the next owner meets is one owner’s', async () => {
    const world = await SinkWorld.open(engine);
    const old = await world.sink();
    await old.writer(0).writeBatch(...span('p', 0, 5));
    let late = () => Promise.resolve<unknown>(undefined);
    world.faults.push(async (commit) => {
      late = commit;
      const young = await world.sink();
      await young.writer(0).writeBatch(...span('p', 0, 5));
      await young.flush();
      throw lost();
    });
    expect(await rejectionCode(old.flush())).toBe('SINK_FENCED');
    await expect(late()).rejects.toMatchObject({ code: 'COMMIT_CONFLICT' });
    expect(await world.ids()).toEqual(upTo(5));
  });

  test('leaves the staged files where they are', async () => {
    const world = await SinkWorld.open(engine);
    const old = await world.sink();
    await old.writer(0).writeBatch(...span('p', 0, 5));
    world.faults.push(async (commit) => {
      await commit();
      await world.sink();
      throw new MoraineError('CATALOG_UNAVAILABLE', 'The catalog does not answer.');
    });
    // Told that it did not land though it did: whoever deleted files by that would lose rows.
    await old.flush().catch(() => undefined);
    await old.close().catch(() => undefined);
    // Reading opens them.
    expect(await world.ids()).toEqual(upTo(5));
  });
});

describe('a checkpoint', () => {
  const written = async (world: SinkWorld): Promise<SinkSnapshot> => {
    const sink = await world.sink();
    await sink.writer(0).writeBatch(...span('p', 0, 5));
    await sink.snapshot();
    await sink.writer(0).writeBatch(...span('p', 5, 8));
    const state = await sink.snapshot();
    expect(state.batches.map(({ ranges }) => ranges[0]?.to)).toEqual(['5', '8']);
    return JSON.parse(JSON.stringify(state)) as SinkSnapshot;
  };

  test('is invisible before its commit, which is made once', async () => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink();
    await sink.writer(0).writeBatch(...span('p', 0, 5));
    const state = await sink.snapshot();
    expect(await world.ids()).toEqual([]);
    expect((await sink.commit(state)).rows).toBe(5n);
    expect(await sink.commit(state)).toMatchObject({ rows: 0n, snapshotId: null });
    expect(await world.ids()).toEqual(upTo(5));
  });

  test('is finished by the process after', async () => {
    const world = await SinkWorld.open(engine);
    const state = await written(world);
    const next = await world.sink();
    expect(next.positions).toEqual(new Map());
    expect((await next.restore(state)).rows).toBe(8n);
    expect(next.positions).toEqual(new Map([['p', 8n]]));
    await next.writer(0).writeBatch(...span('p', 8, 9));
    await next.close();
    expect(await world.ids()).toEqual(upTo(9));
    const third = await world.sink();
    expect((await third.restore(state)).rows).toBe(0n);
    expect(await world.ids()).toEqual(upTo(9));
  });

  test('without positions is committed once', async () => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink();
    await sink.writer(0).writeBatch(records(0, 1));
    const state = await sink.snapshot();
    const next = await world.sink();
    await next.restore(state);
    await next.writer(0).writeBatch(records(2));
    await next.flush();
    await (await world.sink()).restore(state);
    expect(await world.ids()).toEqual([0, 1, 2]);
  });

  test('that a fenced process had staged is the next one’s to finish', async () => {
    const world = await SinkWorld.open(engine);
    const old = await world.sink();
    await old.writer(0).writeBatch(...span('p', 0, 5));
    const state = await old.snapshot();
    const next = await world.sink();
    expect(await rejectionCode(old.commit(state))).toBe('SINK_FENCED');
    await next.restore(state);
    expect(await world.ids()).toEqual(upTo(5));
  });

  test('whose batch has one range that is committed and another that is not stops with both positions', async () => {
    const world = await SinkWorld.open(engine);
    const first = await world.sink();
    await first.writer(0).writeBatch(...listed('p', 0, 1, 2));
    await first.writer(0).writeBatch(...listed('q', 0, 3));
    const state = await first.snapshot();
    // A host that reads one of both partitions again, without its checkpoint.
    const second = await world.sink();
    await second.writer(0).writeBatch(...listed('p', 0, 1, 2));
    await second.close();
    const third = await world.sink();
    const error: unknown = await third.restore(state).catch((thrown: unknown) => thrown);
    const details = { sink: 's', partition: 'p', from: '0', committed: '2' };
    expect(error).toMatchObject({ code: 'SINK_POSITION_MISMATCH', details });
    expect(await world.ids()).toEqual([1, 2]);
  });

  test('of an unknown version, or with unknown work, is refused', async () => {
    const world = await SinkWorld.open(engine);
    const state = await written(world);
    const restored = async (change: (state: SinkSnapshot) => unknown) =>
      (await world.sink()).restore(change(state) as SinkSnapshot);
    await expect(restored((each) => ({ ...each, version: 2 }))).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: 'The sink state has the unknown version 2.',
    });
    const pending = [{ kind: 'send' }];
    const unknown = restored((each) => ({ ...each, batches: each.batches.map((batch) => ({ ...batch, pending })) }));
    await expect(unknown).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: 'The sink state has work in other tables that is not understood.',
    });
    expect(await world.ids()).toEqual([]);
  });

  test('of another sink or after a first record is refused', async () => {
    const world = await SinkWorld.open(engine);
    const state = await written(world);
    const other = await world.sink({ name: 'other' });
    const { sink: name, tableUuid } = state;
    await expect(other.restore(state)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: `The state is of sink "${name}" and table ${tableUuid}, not of "other" and ${tableUuid}.`,
    });
    const own = await world.sink();
    await own.writer(0).writeBatch(...span('p', 0, 1));
    await expect(own.restore(state)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: 'A sink is restored before anything is written to it.',
    });
  });
});

test('a closed sink takes nothing', async () => {
  const world = await SinkWorld.open(engine);
  const sink = await world.sink();
  await sink.close();
  expect(await rejectionCode(sink.writer(0).writeBatch(...span('p', 0, 1)))).toBe('CLOSED');
});

test('a writer that a sink has not is named', async () => {
  const world = await SinkWorld.open(engine);
  const sink = await world.sink({ numPartitions: 2 });
  expect(() => sink.writer(2)).toThrow('There is no writer 2: numPartitions is 2.');
  await sink.close();
});

test('options out of their range are refused', async () => {
  const world = await SinkWorld.open(engine);
  const refusals = [
    [{ name: 'a b' }, `The sink's name is "a b"; it must be 1 to 100 letters, digits, '-', '_' and '.'.`],
    [{ batchSize: 0 }, 'batchSize is 0; it must be a whole number above 0.'],
    [{ batchSize: 1.5 }, 'batchSize is 1.5; it must be a whole number above 0.'],
    [{ batchIntervalMs: 0 }, 'batchIntervalMs is 0; it must be from 1 to 2^31.'],
    [{ batchIntervalMs: 2 ** 31 }, 'batchIntervalMs is 2147483648; it must be from 1 to 2^31.'],
    [{ numPartitions: 0 }, 'numPartitions is 0; it must be from 1 to 1024.'],
    [{ numPartitions: 1025 }, 'numPartitions is 1025; it must be from 1 to 1024.'],
    [{ bufferBytes: NaN }, 'bufferBytes is NaN; it must be a whole number above 0.'],
  ] as const;
  for (const [options, message] of refusals)
    await expect(world.sink(options)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', message });
});
