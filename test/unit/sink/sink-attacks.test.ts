/** What people, other programs and hosts do to an open sink, its table and its staged files: each record is there once, or the sink stops and says why. */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Engine } from '../../../engine/index.js';
import { MoraineError } from '../../../errors/index.js';
import type { IcebergSink, SinkCommit, SinkSnapshot } from '../../../sink/index.js';
import { Coordinator } from '../../../sink/protocol/coordinator.js';
import { failureOf, rejectionCode } from '../../support/error-code.js';
import { openSinkEngine, records, SinkWorld, span } from '../../support/sink-world.js';
import { FIXTURE_TABLE, IDENTIFIER } from '../../support/table-fixture.js';
import { upTo } from '../../support/up-to.js';

let engine: Engine;
let close: () => Promise<void>;
beforeAll(async () => {
  ({ engine, close } = await openSinkEngine());
});
afterAll(() => close());

const unavailable = () => new MoraineError('CATALOG_UNAVAILABLE', 'The catalog does not answer.');
const PROPERTY = 'moraine.sink.s';

async function currentId(world: SinkWorld): Promise<bigint> {
  return (await world.load()).metadata.currentSnapshotId ?? expect.unreachable();
}

async function setProperty(world: SinkWorld, value: string | null): Promise<void> {
  const update =
    value === null
      ? ({ action: 'remove-properties', removals: [PROPERTY] } as const)
      : ({ action: 'set-properties', updates: new Map([[PROPERTY, value]]) } as const);
  await world.fixture.catalog.commitTable(IDENTIFIER, { requirements: [], updates: [update] });
}

describe('a table', () => {
  test('that is dropped and created anew gets nothing of a sink that had the old one open', async () => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink();
    await sink.writer(0).writeBatch(...span('p', 0, 5));
    await sink.flush();
    await sink.writer(0).writeBatch(...span('p', 5, 8));
    const state = await sink.snapshot();
    await world.fixture.catalog.dropTable(IDENTIFIER);
    await world.fixture.catalog.createTable(IDENTIFIER, FIXTURE_TABLE);
    expect(await rejectionCode(sink.flush())).toBe('TABLE_REPLACED');
    expect(await rejectionCode(sink.writer(0).writeBatch(...span('p', 8, 9)))).toBe('TABLE_REPLACED');
    const next = await world.sink();
    expect(next.positions).toEqual(new Map());
    expect(await rejectionCode(next.restore(state))).toBe('INVALID_ARGUMENT');
    await next.writer(0).writeBatch(...span('p', 0, 2));
    await next.close();
    expect(await world.ids()).toEqual([0, 1]);
  });

  test('whose property of the sink somebody removes or damages is written on, or not at all', async () => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink();
    await sink.writer(0).writeBatch(...span('p', 0, 5));
    await sink.flush();
    await setProperty(world, null);
    // The summaries tell it.
    await world.appendForeign(100);
    await sink.writer(0).writeBatch(...span('p', 5, 7));
    await sink.flush();
    expect(await world.ids()).toEqual([...upTo(7), 100]);
    await setProperty(world, 'what is this');
    await sink.writer(0).writeBatch(...span('p', 7, 9));
    expect(await rejectionCode(sink.flush())).toBe('SINK_POSITION_UNKNOWN');
    expect(await rejectionCode(world.sink())).toBe('SINK_POSITION_UNKNOWN');
    expect(await world.ids()).toEqual([...upTo(7), 100]);
    await setProperty(world, null);
    expect((await world.sink()).positions).toEqual(new Map([['p', 7n]]));
  });

  test('that has lost the property and the snapshots of a sink takes nothing more of it', async () => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink();
    await sink.writer(0).writeBatch(...span('p', 0, 5));
    await sink.flush();
    await world.appendForeign(100);
    await world.expireAll();
    await setProperty(world, null);
    await sink.writer(0).writeBatch(...span('p', 5, 7));
    expect(await rejectionCode(sink.flush())).toBe('SINK_FENCED');
    expect(await world.ids()).toEqual([...upTo(5), 100]);
  });

  test('is shared by sinks of several names, one the beginning of the other', async () => {
    const world = await SinkWorld.open(engine);
    const [short, long] = [await world.sink({ name: 's' }), await world.sink({ name: 's.s' })];
    for (let i = 0; i < 3; i++) {
      await short.writer(0).writeBatch(...span('p', i * 2, i * 2 + 2));
      await long.writer(0).writeBatch(...span('p', 100 + i, 101 + i));
      await Promise.all([short.flush(), long.flush()]);
    }
    expect(await world.ids()).toEqual([...upTo(6), 100, 101, 102]);
    expect((await world.sink({ name: 's' })).positions).toEqual(new Map([['p', 6n]]));
    expect((await world.sink({ name: 's.s' })).positions).toEqual(new Map([['p', 103n]]));
  });

  test('that goes away from a snapshot and back to it, between a check and its commit, has nothing twice', async () => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink();
    await sink.writer(0).writeBatch(...span('p', 0, 3));
    const first = (await sink.flush()).snapshotId ?? expect.unreachable();
    await sink.writer(0).writeBatch(...span('p', 3, 5));
    await sink.flush();
    const checked = await currentId(world);
    await sink.writer(0).writeBatch(...span('p', 5, 7));
    world.faults.push(async (commit) => {
      await world.rollBack(first);
      await world.appendForeign(100);
      await world.rollBack(checked);
      return await commit();
    });
    await sink.flush();
    expect(await world.ids()).toEqual(upTo(7));
    expect((await world.sink()).positions).toEqual(new Map([['p', 7n]]));
  });

  test('that is rolled back behind all anchors has the positions of the snapshot’s own summary', async () => {
    const world = await SinkWorld.open(engine);
    const coordinator = await Coordinator.open(await world.load(), 's');
    const snapshots: bigint[] = [];
    for (let i = 0n; i < 40n; i++) {
      const ranges = [{ partition: 'p', from: i, to: i + 1n, isFirst: i === 0n }];
      snapshots.push(await coordinator.commit({ id: `batch-${i}`, ranges, manifests: [] }));
    }
    const anchors = JSON.parse((await world.load()).metadata.properties.get(PROPERTY) ?? '[]') as unknown[];
    expect(anchors).toHaveLength(32);
    await world.rollBack(snapshots[2] ?? expect.unreachable());
    expect((await Coordinator.open(await world.load(), 's')).positions).toEqual(new Map([['p', 3n]]));
    const stale = { id: 'batch-40', ranges: [{ partition: 'p', from: 40n, to: 41n, isFirst: false }], manifests: [] };
    expect(await rejectionCode(coordinator.commit(stale))).toBe('SINK_FENCED');
  });
});

describe('a checkpoint', () => {
  const checkpoint = async (
    world: SinkWorld,
    more: (sink: Awaited<ReturnType<SinkWorld['sink']>>) => Promise<unknown>,
  ) => {
    const sink = await world.sink();
    await more(sink);
    return JSON.parse(JSON.stringify(await sink.snapshot())) as SinkSnapshot;
  };

  test.each(['data', 'metadata'])(
    'whose files of %s a sweep has taken is refused, and its records are read again',
    async (kind) => {
      const world = await SinkWorld.open(engine);
      const state = await checkpoint(world, (sink) => sink.writer(0).writeBatch(...span('p', 0, 5)));
      const folder = join(world.fixture.folder, 'warehouse', 'ns', 't', kind);
      const id = state.batches[0]?.id ?? expect.unreachable();
      const staged = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(({ name }) =>
        name.includes(id),
      );
      expect(staged.length).toBeGreaterThan(0);
      for (const { parentPath, name } of staged.slice(0, 1)) rmSync(join(parentPath, name));
      const next = await world.sink();
      expect(await rejectionCode(next.restore(state))).toBe('FILE_NOT_FOUND');
      const after = await world.sink();
      expect(after.positions).toEqual(new Map());
      await after.writer(0).writeBatch(...span('p', 0, 5));
      await after.close();
      expect(await world.ids()).toEqual(upTo(5));
    },
  );

  test('is given twice to one sink, and committed once', async () => {
    const world = await SinkWorld.open(engine);
    const state = await checkpoint(world, async (sink) => {
      await sink.writer(0).writeBatch(...span('p', 0, 5));
      await sink.snapshot();
      await sink.writer(0).writeBatch(records(50));
    });
    const next = await world.sink();
    expect([(await next.restore(state)).rows, (await next.restore(state)).rows]).toEqual([6n, 0n]);
    expect(await world.ids()).toEqual([...upTo(5), 50]);
  });

  test('with an empty range is recognised once it is committed', async () => {
    const world = await SinkWorld.open(engine);
    const state = await checkpoint(world, async (sink) => {
      await sink.writer(0).writeBatch(...span('p', 0, 5));
      await sink.writer(0).writeBatch(records(), { partition: 'q', from: 7n, to: 7n });
    });
    for (const rows of [5n, 0n]) expect((await (await world.sink()).restore(state)).rows).toBe(rows);
    // Nothing but an empty range and a record without a position: by its id.
    const loose = await checkpoint(world, async (sink) => {
      await sink.writer(0).writeBatch(records(50));
      await sink.writer(0).writeBatch(records(), { partition: 'q', from: 7n, to: 7n });
    });
    for (const rows of [1n, 0n]) expect((await (await world.sink()).restore(loose)).rows).toBe(rows);
    expect(await world.ids()).toEqual([...upTo(5), 50]);
  });

  test('that another epoch has finished is not committed by the one that took it', async () => {
    const world = await SinkWorld.open(engine);
    const old = await world.sink();
    await old.writer(0).writeBatch(...span('p', 0, 5));
    const state = await old.snapshot();
    const next = await world.sink();
    await next.restore(state);
    await next.writer(0).writeBatch(...span('p', 5, 6));
    await next.flush();
    expect(await rejectionCode(old.commit(state))).toBe('SINK_FENCED');
    // Its files are those of the table now.
    await old.close().catch(() => undefined);
    expect(await world.ids()).toEqual(upTo(6));
  });

  test('of another process does not hide what became of a batch whose outcome was unknown', async () => {
    const world = await SinkWorld.open(engine);
    const other = await checkpoint(world, (sink) => sink.writer(0).writeBatch(records(50)));
    const sink = await world.sink();
    await sink.writer(0).writeBatch(records(0, 1));
    let late = () => Promise.resolve<unknown>(undefined);
    world.faults.push((commit) => {
      late = commit;
      return Promise.reject(new MoraineError('COMMIT_STATE_UNKNOWN', 'The answer was lost.'));
    });
    world.faults.push(async () => {
      await late();
      throw unavailable();
    });
    expect(await rejectionCode(sink.flush())).toBe('CATALOG_UNAVAILABLE');
    await sink.commit(other);
    await sink.flush();
    expect(await world.ids()).toEqual([0, 1, 50]);
  });

  // Seed 92 of the simulation.
  test('that a rollback takes back does not let its partition begin anywhere', async () => {
    const world = await SinkWorld.open(engine);
    const state = await checkpoint(world, (sink) => sink.writer(0).writeBatch(...span('p', 0, 3)));
    const sink = await world.sink();
    const claim = await currentId(world);
    await sink.restore(state);
    await world.rollBack(claim);
    // Settling an unknown outcome shows the sink a table without the partition.
    await sink.writer(0).writeBatch(...span('q', 100, 102));
    world.faults.push(() => Promise.reject(new MoraineError('COMMIT_STATE_UNKNOWN', 'The answer was lost.')));
    await sink.flush();
    expect(sink.positions).toEqual(
      new Map([
        ['p', 0n],
        ['q', 102n],
      ]),
    );
    const written = sink.writer(0).writeBatch(...span('p', 3, 5));
    expect(await rejectionCode(written)).toBe('SINK_POSITION_MISMATCH');
    expect(await world.ids()).toEqual([100, 101]);
  });
});

describe('batches of 1,000 partitions, of whose states a table keeps two', () => {
  test('that were rolled back are committed again with files of their own', async () => {
    const world = await SinkWorld.open(engine);
    const name = 'a source partition with a long name '.repeat(4);
    const write = async (sink: IcebergSink, from: number) => {
      for (let index = 0; index < 1_000; index += 1)
        await sink
          .writer(0)
          .writeBatch(...span(`${name}${index}`, ...(index < 2 ? ([from, from + 2] as const) : ([0, 0] as const))));
      return await sink.snapshot();
    };
    const sink = await world.sink();
    const claim = await currentId(world);
    await write(sink, 0);
    const state = JSON.parse(JSON.stringify(await write(sink, 2))) as SinkSnapshot;
    await sink.commit(state);
    const rolledBack = await world.paths();
    expect([rolledBack.length, await world.ids()]).toEqual([4, [0, 0, 1, 1, 2, 2, 3, 3]]);
    await world.rollBack(claim);
    await (await world.sink()).restore(state);
    const paths = await world.paths();
    expect(paths.filter((path) => rolledBack.includes(path))).toEqual([]);
    expect([paths.length, await world.ids()]).toEqual([4, [0, 0, 1, 1, 2, 2, 3, 3]]);
  });
});

describe('a host', () => {
  test('is told of every commit, also of those before one that fails', async () => {
    const world = await SinkWorld.open(engine);
    const told: Pick<SinkCommit, 'rows' | 'positions'>[] = [];
    const sink = await world.sink({ onCommit: ({ rows, positions }) => void told.push({ rows, positions }) });
    await sink.writer(0).writeBatch(...span('p', 0, 5));
    await sink.snapshot();
    await sink.writer(0).writeBatch(...span('p', 5, 7));
    world.faults.push((commit) => commit());
    world.faults.push(() => Promise.reject(unavailable()));
    expect(await rejectionCode(sink.flush())).toBe('CATALOG_UNAVAILABLE');
    expect(told).toEqual([{ rows: 5n, positions: new Map([['p', 5n]]) }]);
    expect((await sink.flush()).rows).toBe(2n);
    expect(told).toHaveLength(2);
    expect(await world.ids()).toEqual(upTo(7));
  });

  test('closes a sink while a flush is in flight and a writer waits: what was taken is there', async () => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink({ batchSize: 5, numPartitions: 2 });
    await sink.writer(0).writeBatch(...span('p', 0, 5));
    const waiting = sink.writer(1).writeBatch(...span('q', 100, 103));
    const flushes = [sink.flush(), sink.flush()];
    const closed = sink.close();
    const taken = await waiting.catch((error: unknown) => error);
    await Promise.all([...flushes, closed]);
    expect(await rejectionCode(sink.writer(0).writeBatch(...span('p', 5, 6)))).toBe('CLOSED');
    const rows = await world.ids();
    expect(rows).toEqual(taken === true ? [...upTo(5), 100, 101, 102] : upTo(5));
    if (taken !== true) expect(taken).toMatchObject({ code: 'CLOSED' });
    expect((await world.sink()).positions.get('p')).toBe(5n);
  });

  test('gives the ranges of a partition to several writers in turn', async () => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink({ numPartitions: 3 });
    for (let i = 0; i < 9; i++) await sink.writer(i % 3).writeBatch(...span('p', i * 2, i * 2 + 2));
    expect(await sink.writer(2).writeBatch(...span('p', 4, 8))).toBe(false);
    const skipped = await failureOf(sink.writer(1).writeBatch(...span('p', 20, 22)));
    expect([skipped.code, skipped.details]).toEqual([
      'SINK_POSITION_MISMATCH',
      { sink: 's', partition: 'p', from: '20', committed: '18' },
    ]);
    await sink.writer(0).writeBatch(...span('p', 18, 20));
    await sink.close();
    expect(await world.ids()).toEqual(upTo(20));
  });

  test.each(['__proto__', 'constructor', '', 'dé\u0000"\\', '😀'])('names a partition %j', async (partition) => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink();
    const [batch, range] = span(partition, 0, 3);
    await sink.writer(0).writeBatch(batch, { ...range, mark: partition });
    const state = JSON.parse(JSON.stringify(await sink.snapshot())) as SinkSnapshot;
    const next = await world.sink();
    await next.restore(state);
    const last = await world.sink();
    expect([last.positions, last.marks]).toEqual([new Map([[partition, 3n]]), new Map([[partition, partition]])]);
    expect((await last.restore(state)).rows).toBe(0n);
    expect(await world.ids()).toEqual(upTo(3));
  });
});
