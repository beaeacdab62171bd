/** Writers that take checkpoints of their own: what each of them stages is a part of one batch, also for a process that has another number of writers. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Engine } from '../../../engine/index.js';
import { MoraineError } from '../../../errors/index.js';
import { currentSchema, currentSnapshot, parsePartitionSpec } from '../../../iceberg/index.js';
import type { IcebergSink, SinkCommit, SinkRecords, WriterSnapshot } from '../../../sink/index.js';
import { Coordinator } from '../../../sink/protocol/coordinator.js';
import { loadTable, readSnapshotManifests } from '../../../tables/index.js';
import { rejectionCode } from '../../support/error-code.js';
import { listed, openSinkEngine, records, SinkWorld, span } from '../../support/sink-world.js';
import { IDENTIFIER } from '../../support/table-fixture.js';
import { upTo } from '../../support/up-to.js';

const DEAD = { namespace: ['ns'], name: 'dead' };
let engine: Engine;
let close: () => Promise<void>;
beforeAll(async () => {
  ({ engine, close } = await openSinkEngine());
});
afterAll(() => close());

const kept = (state: WriterSnapshot) => JSON.parse(JSON.stringify(state)) as WriterSnapshot;

/** The checkpoint of all writers, one after the other, as a host keeps it. */
async function checkpoint(sink: IcebergSink): Promise<readonly WriterSnapshot[]> {
  const states = [];
  for (const writer of sink.writers) states.push(kept(await writer.snapshot()));
  return states;
}

/** Gives states back, each through the next writer in turn. @returns what the sink answered */
async function giveBack(sink: IcebergSink, states: readonly WriterSnapshot[]): Promise<readonly (SinkCommit | null)[]> {
  const answers = [];
  for (const [index, state] of states.entries())
    answers.push(await sink.writer(index % sink.writers.length).restore(kept(state)));
  return answers;
}

/** A sink whose three writers have staged ten records each. */
async function staged(world: SinkWorld, options: Parameters<SinkWorld['sink']>[0] = {}) {
  const sink = await world.sink({ numPartitions: 3, ...options });
  for (let i = 0; i < 3; i++) await sink.writer(i).writeBatch(...span(`p${i}`, i * 10, i * 10 + 10));
  const [first, second, third] = await checkpoint(sink);
  if (first === undefined || second === undefined || third === undefined) throw new Error('a writer gave no state');
  return { sink, states: [first, second, third] as const };
}

const snapshotsOf = async (world: SinkWorld): Promise<number> => (await world.load()).metadata.snapshots.length;

describe('a checkpoint writer by writer', () => {
  test('has of each writer what it has staged, and is one batch with one file for each writer and partition', async () => {
    const world = await SinkWorld.open(engine);
    const { sink, states } = await staged(world);
    expect(states.map(({ writer, writers }) => [writer, writers])).toEqual([
      ['part-0', 3],
      ['part-1', 3],
      ['part-2', 3],
    ]);
    expect(states.map(({ batches }) => batches.map(({ ranges }) => ranges.map((range) => range.partition)))).toEqual([
      [['p0']],
      [['p1']],
      [['p2']],
    ]);
    expect([await world.ids(), await snapshotsOf(world), sink.metrics().bufferedRecords]).toEqual([[], 1, 30]);
    const commit = await sink.commit(states);
    expect([commit.rows, commit.delivery, await world.ids(), await snapshotsOf(world)]).toEqual([
      30n,
      'exactly-once',
      upTo(30),
      2,
    ]);
    const summary = await world.summaryOf(commit.snapshotId);
    expect([summary.get('added-data-files'), summary.get('added-records')]).toEqual(['9', '30']);
    const { metadata, io } = await world.load();
    expect(await readSnapshotManifests(io, currentSnapshot(metadata))).toHaveLength(1);
    expect(await sink.commit(states)).toMatchObject({ rows: 0n, snapshotId: null });
    expect(sink.metrics().bufferedRecords).toBe(0);
    await sink.close();
  });

  test('leaves what a writer takes after its own to the next batch', async () => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink({ numPartitions: 2 });
    await sink.writer(0).writeBatch(...span('p', 0, 5));
    const first = await sink.writer(0).snapshot();
    await sink.writer(0).writeBatch(...span('p', 5, 8));
    await sink.writer(1).writeBatch(...span('q', 10, 12));
    const second = await sink.writer(1).snapshot();
    await sink.commit([second, first]);
    expect(await world.ids()).toEqual([...upTo(5), 10, 11]);
    await sink.close();
    expect(await world.ids()).toEqual([...upTo(8), 10, 11]);
  });

  test('that a writer begins before others have ended theirs is the next one, and both are committed in their order', async () => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink({ numPartitions: 3 });
    const states: WriterSnapshot[] = [];
    const write = async (writer: number, ...of: Parameters<typeof span>) => {
      await sink.writer(writer).writeBatch(...span(...of));
      states.push(kept(await sink.writer(writer).snapshot()));
    };
    await write(0, 'p', 0, 5);
    await write(1, 'q', 100, 105);
    await write(1, 'q', 105, 107);
    await write(0, 'p', 5, 8);
    expect(states.map(({ batches }) => batches.length)).toEqual([1, 1, 2, 2]);
    const next = await world.sink();
    await next.restore([...states].reverse());
    expect(next.positions).toEqual(
      new Map([
        ['p', 8n],
        ['q', 107n],
      ]),
    );
    expect(await world.ids()).toEqual([...upTo(8), 100, 101, 102, 103, 104, 105, 106]);
    // Two claims, and two batches.
    expect(await snapshotsOf(world)).toBe(4);
  });

  test('is committed in the order in which it was staged, though the writers have parts of different batches', async () => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink({ numPartitions: 2 });
    await sink.writer(0).writeBatch(...span('p', 0, 2));
    await checkpoint(sink);
    await sink.writer(1).writeBatch(...span('q', 10, 12));
    await checkpoint(sink);
    await sink.writer(0).writeBatch(...span('p', 2, 4));
    await sink.writer(1).writeBatch(...span('q', 12, 14));
    const states = await checkpoint(sink);
    expect(states.map(({ batches }) => batches.length)).toEqual([2, 2]);
    expect((await (await world.sink()).restore(states)).rows).toBe(8n);
    expect(await world.ids()).toEqual([0, 1, 2, 3, 10, 11, 12, 13]);
    // Two claims, and three batches.
    expect(await snapshotsOf(world)).toBe(5);
  });

  test('is ended by a flush, which commits what was staged and what was not', async () => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink({ numPartitions: 2 });
    await sink.writer(0).writeBatch(...span('p', 0, 5));
    const state = await sink.writer(0).snapshot();
    await sink.writer(1).writeBatch(...span('q', 10, 12));
    expect((await sink.flush()).rows).toBe(7n);
    expect((await (await world.sink()).restore(state)).rows).toBe(0n);
    expect(await world.ids()).toEqual([...upTo(5), 10, 11]);
  });

  test('has the records of a source partition that several writers wrote in the part of the first', async () => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink({ numPartitions: 2 });
    await sink.writer(1).writeBatch(...span('p', 0, 2));
    await sink.writer(0).writeBatch(...span('p', 2, 5));
    const first = kept(await sink.writer(0).snapshot());
    expect(first.batches).toEqual([]);
    await sink.writer(0).writeBatch(...span('p', 5, 6));
    const second = kept(await sink.writer(1).snapshot());
    await sink.writer(0).writeBatch(...span('p', 6, 8));
    expect((await (await world.sink()).restore([first, second])).rows).toBe(6n);
    expect(await world.ids()).toEqual(upTo(6));
  });

  test('joins ranges of one partition that two writers have staged', async () => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink({ numPartitions: 2 });
    await sink.writer(0).writeBatch(...span('p', 0, 2));
    const first = kept(await sink.writer(0).snapshot());
    await sink.writer(1).writeBatch(...span('p', 2, 5));
    const second = kept(await sink.writer(1).snapshot());
    const next = await world.sink();
    expect([(await next.restore([second, first])).rows, next.positions.get('p')]).toEqual([5n, 5n]);
    expect(await snapshotsOf(world)).toBe(3);
  });

  test('that could not be staged has what is written until it can be', async () => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink({ numPartitions: 2 });
    let isDown = true;
    const [good, range] = span('p', 0, 3);
    const open: SinkRecords['open'] = (...args) =>
      isDown ? Promise.reject(new MoraineError('STORAGE_UNAVAILABLE', 'down')) : good.open(...args);
    await sink.writer(0).writeBatch({ ...good, open }, range);
    expect(await rejectionCode(sink.writer(0).snapshot())).toBe('STORAGE_UNAVAILABLE');
    isDown = false;
    await sink.writer(0).writeBatch(...span('p', 3, 5));
    const states = await checkpoint(sink);
    expect((await (await world.sink()).restore(states)).rows).toBe(5n);
    expect(await world.ids()).toEqual(upTo(5));
  });

  test('of a sink that upserts is refused, and the sink goes on', async () => {
    const world = await SinkWorld.open(engine);
    const { states } = await staged(world);
    const upsert = { key: ['id'], order: 'amount' };
    const sink = await world.sink({ upsert });
    await sink.writer(0).writeBatch(...span('p', 0, 2));
    await expect(sink.writer(0).snapshot()).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message:
        'Writers of a sink that upserts take no checkpoints of their own, since the records of one key may be those of several: take that of the sink.',
    });
    expect((await sink.flush()).rows).toBe(2n);
    await expect((await world.sink({ upsert })).restore(states)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message:
        'The state has parts of batches that several writers have staged without regard to keys. Finish them with a sink that does not upsert.',
    });
  });
});

describe('a restart from the states of writers', () => {
  test.each([1, 2, 3, 5])('finishes their batch once with %d writers', async (numPartitions) => {
    const world = await SinkWorld.open(engine);
    const { states } = await staged(world);
    const next = await world.sink({ numPartitions });
    const answers = await giveBack(next, states);
    expect(answers.map((answer) => answer?.rows)).toEqual([undefined, undefined, 30n]);
    expect(next.positions).toEqual(
      new Map([
        ['p0', 10n],
        ['p1', 20n],
        ['p2', 30n],
      ]),
    );
    await next.writer(0).writeBatch(...span('p2', 30, 32));
    await next.close();
    expect(await world.ids()).toEqual(upTo(32));
    const again = await giveBack(await world.sink({ numPartitions }), [...states].reverse());
    expect(again.at(-1)).toMatchObject({ rows: 0n, snapshotId: null });
    expect(await world.ids()).toEqual(upTo(32));
    // Three claims, and two batches.
    expect(await snapshotsOf(world)).toBe(5);
  });

  test('commits each part once if only some were given back before records were written', async () => {
    const world = await SinkWorld.open(engine);
    const { states } = await staged(world);
    const [first, ...others] = states;
    const next = await world.sink({ numPartitions: 2 });
    expect(await next.writer(0).restore(first)).toBeNull();
    expect(await next.writer(0).writeBatch(...span('p0', 10, 12))).toBe(true);
    expect(await rejectionCode(next.writer(1).restore(others[0]))).toBe('INVALID_ARGUMENT');
    expect(await world.ids()).toEqual(upTo(10));
    await next.close();
    // The rest in a batch of its own.
    expect((await (await world.sink()).restore(states)).rows).toBe(20n);
    expect(await world.ids()).toEqual([...upTo(12), ...upTo(30).slice(10)].sort((a, b) => a - b));
  });

  test('waits for the states of all writers, each of which counts once', async () => {
    const world = await SinkWorld.open(engine);
    const { states } = await staged(world);
    const [first, second, third] = states;
    const answers = await giveBack(await world.sink(), [first, first, second, first, third]);
    expect(answers.map((answer) => answer?.rows)).toEqual([undefined, undefined, undefined, undefined, 30n]);
  });

  test('may be tried again after an error that may come right', async () => {
    const world = await SinkWorld.open(engine);
    const { states } = await staged(world);
    const next = await world.sink({ numPartitions: 2 });
    world.faults.push(() => Promise.reject(new MoraineError('CATALOG_UNAVAILABLE', 'down')));
    const [first, second, third] = states;
    for (const state of [first, second]) await next.writer(0).restore(state);
    expect(await rejectionCode(next.writer(1).restore(third))).toBe('CATALOG_UNAVAILABLE');
    expect(await next.writer(1).restore(third)).toMatchObject({ rows: 30n });
    expect(await world.ids()).toEqual(upTo(30));
  });

  test('finds a batch whose commit had no answer', async () => {
    const world = await SinkWorld.open(engine);
    const { sink, states } = await staged(world);
    world.faults.push(async (commit) => {
      await commit();
      throw new MoraineError('CATALOG_UNAVAILABLE', 'The catalog does not answer.');
    });
    expect(await rejectionCode(sink.commit(states))).toBe('CATALOG_UNAVAILABLE');
    const answers = await giveBack(await world.sink({ numPartitions: 2 }), states);
    expect(answers.at(-1)).toMatchObject({ rows: 0n, snapshotId: null });
    expect(await world.ids()).toEqual(upTo(30));
  });

  test('finishes records without positions once, and says how they are delivered', async () => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink({ numPartitions: 2 });
    await sink.writer(0).writeBatch(records(0, 1));
    await sink.writer(1).writeBatch(records(2));
    const states = await checkpoint(sink);
    const restored = async () => (await giveBack(await world.sink(), states)).at(-1);
    expect(await restored()).toMatchObject({ rows: 3n, delivery: 'at-least-once' });
    expect(await restored()).toMatchObject({ rows: 0n, delivery: 'exactly-once' });
    expect(await world.ids()).toEqual([0, 1, 2]);
  });

  test('finds records without positions in a batch that has those of other writers, whose states are from after its commit', async () => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink({ numPartitions: 2 });
    await sink.writer(0).writeBatch(records(0, 1));
    await sink.writer(1).writeBatch(...span('q', 10, 12));
    const before = kept(await sink.writer(0).snapshot());
    await sink.writer(1).snapshot();
    await sink.flush();
    const after = kept(await sink.writer(1).snapshot());
    expect([before.batches.length, after.batches.length]).toEqual([1, 0]);
    const answers = await giveBack(await world.sink(), [before, after]);
    expect(answers.at(-1)).toMatchObject({ rows: 0n, snapshotId: null });
    expect(await world.ids()).toEqual([0, 1, 10, 11]);
  });

  test.each([0, 1])(
    'commits what was not given back before, of parts with and without positions, after part %d was committed alone',
    async (given) => {
      const world = await SinkWorld.open(engine);
      const sink = await world.sink({ numPartitions: 2 });
      await sink.writer(0).writeBatch(records(0, 1));
      await sink.writer(1).writeBatch(...span('q', 10, 12));
      const states = await checkpoint(sink);
      const next = await world.sink();
      const state = states[given];
      if (state === undefined) throw new Error('a writer gave no state');
      expect(await next.writer(0).restore(state)).toBeNull();
      await next.flush();
      expect(await world.ids()).toEqual(given === 0 ? [0, 1] : [10, 11]);
      expect((await (await world.sink()).restore(states)).rows).toBe(2n);
      expect((await (await world.sink()).restore(states)).rows).toBe(0n);
      expect(await world.ids()).toEqual([0, 1, 10, 11]);
    },
  );

  test('stages a batch anew without a part that a newer state of the table has', async () => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink({ numPartitions: 2 });
    await sink.writer(0).writeBatch(records(0, 1));
    await sink.writer(1).writeBatch(records(2));
    const states = await checkpoint(sink);
    const next = await world.sink();
    const claimed = await world.load();
    expect(await next.writer(0).restore(states[0] as WriterSnapshot)).toBeNull();
    await next.flush();
    const taken = vi.spyOn(Coordinator.prototype, 'committedOf').mockImplementationOnce(function (this: Coordinator) {
      // The state that it asks is older than the one that the commit meets.
      this.take(claimed);
      return Promise.resolve(new Set());
    });
    try {
      expect((await next.commit(states)).rows).toBe(1n);
    } finally {
      taken.mockRestore();
    }
    expect(await world.ids()).toEqual([0, 1, 2]);
  });

  test('copies the files of a part whose batch was rolled back', async () => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink({ numPartitions: 2 });
    const claim = (await world.load()).metadata.currentSnapshotId;
    await sink.writer(0).writeBatch(...span('p', 0, 2));
    await sink.writer(1).writeBatch(...span('q', 10, 12));
    const states = await checkpoint(sink);
    await sink.commit(states);
    const rolledBack = await world.paths();
    await world.rollBack(claim ?? 0n);
    const next = await world.sink();
    await next.restore(states[0] as WriterSnapshot);
    expect(await world.ids()).toEqual([0, 1]);
    expect((await world.paths()).filter((path) => rolledBack.includes(path))).toEqual([]);
  });

  test('refuses the state of another sink', async () => {
    const world = await SinkWorld.open(engine);
    const { states } = await staged(world);
    const other = await world.sink({ name: 'other' });
    expect(await rejectionCode(other.writer(0).restore(states[0]))).toBe('INVALID_ARGUMENT');
  });

  test('commits the dead letters of all parts once, in one commit', async () => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink({ numPartitions: 3, deadLetters: DEAD });
    await sink.writer(0).writeBatch(...listed('p', 0, 1, -2));
    await sink.writer(1).writeBatch(...listed('q', 0, -3, 4));
    await sink.writer(2).writeBatch(...listed('r', 0, 5));
    const states = await checkpoint(sink);
    for (const rows of [3n, 0n]) {
      const next = await world.sink({ deadLetters: DEAD });
      expect((await next.restore(states)).rows).toBe(rows);
      await next.close();
      const letters = await world.rowsOf(DEAD, 'source, position, raw::VARCHAR');
      expect(letters).toEqual([
        ['p', 1n, '-2'],
        ['q', 0n, '-3'],
      ]);
    }
    const { metadata } = await loadTable(world.catalog, world.fixture.io, DEAD);
    // The claim of the first, and one commit.
    expect(metadata.snapshots).toHaveLength(2);
    expect(await world.ids()).toEqual([1, 4, 5]);
  });

  test('commits parts of several partition specs and schemas in one snapshot', async () => {
    const world = await SinkWorld.open(engine);
    const sink = await world.sink({ numPartitions: 2 });
    await sink.writer(0).writeBatch(...span('p', 0, 6));
    const first = kept(await sink.writer(0).snapshot());
    const { metadata } = await world.load();
    const spec = { ...parsePartitionSpec('bucket[2](id)', currentSchema(metadata)), specId: 1 };
    await world.catalog.commitTable(IDENTIFIER, {
      requirements: [],
      updates: [
        { action: 'add-spec', spec: { ...spec, fields: spec.fields.map((field) => ({ ...field, fieldId: 1001 })) } },
        { action: 'set-default-spec', specId: 1 },
      ],
    });
    await sink.writer(1).writeBatch(...span('q', 10, 13));
    // What a sink knows of its table is at most a second old.
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const second = kept(await sink.writer(1).snapshot());
    expect((await (await world.sink()).restore([first, second])).rows).toBe(9n);
    const { metadata: after, io } = await world.load();
    const manifests = await readSnapshotManifests(io, currentSnapshot(after));
    expect(manifests.map(({ partitionSpecId }) => partitionSpecId).sort()).toEqual([0, 1]);
    expect(await world.ids()).toEqual([...upTo(6), 10, 11, 12]);
  });
});
