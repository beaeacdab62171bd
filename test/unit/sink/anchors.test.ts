/** States of sinks in table properties and summaries: bounded, never read as something else, and found by few reads. */
import { describe, expect, test } from 'vitest';
import { type Catalog, type Clock, SYSTEM_CLOCK } from '../../../catalogs/index.js';
import { MemoryPointers, openMemoryCatalog } from '../../../catalogs/memory/memory-catalog.js';
import { currentSnapshot, newTableMetadata, type Snapshot, type TableUpdate } from '../../../iceberg/index.js';
import { keptAnchors } from '../../../sink/index.js';
import { type Anchor, anchorsOf, anchorsText, stateOfSummary, summaryText } from '../../../sink/protocol/anchors.js';
import { Coordinator } from '../../../sink/protocol/coordinator.js';
import { sinkStateOf } from '../../../sink/protocol/find-state.js';
import { loadTable, type Table } from '../../../tables/index.js';
import { OPEN_GATE } from '../../simulation/gate.js';
import { MemoryFileIO, MemoryStorage } from '../../simulation/memory-file-io.js';
import { rejectionCode } from '../../support/error-code.js';
import { FIXTURE_TABLE, IDENTIFIER } from '../../support/table-fixture.js';

const anchor = (number: number, partitions = 1): Anchor => ({
  snapshotId: BigInt(number) + 2n ** 62n,
  sequenceNumber: BigInt(number),
  state: {
    epoch: 3n,
    owner: 'owner',
    lastBatch: { number: BigInt(number), id: `batch-${number}`, parts: [], snapshotId: 2n ** 62n },
    marks: new Map(),
    beginnings: new Map([['topic-0', 7n]]),
    pending: [],
    positions: new Map(
      Array.from({ length: partitions }, (_, index) => [`topic-${index}`, 2n ** 63n - BigInt(index + 1)]),
    ),
  },
});

const metadata = (text: string | null) => ({
  ...newTableMetadata({ ...FIXTURE_TABLE, location: '/t', tableUuid: 'u', nowMs: 0n }),
  properties: new Map(text === null ? [] : [['moraine.sink.s', text]]),
});

const snapshot = (text: string): Snapshot => ({
  snapshotId: 1n,
  sequenceNumber: 1n,
  timestampMs: 0n,
  summary: new Map([['moraine.sink', text]]),
});

function filled(count: number, partitions: number): { text: string; anchors: readonly Anchor[] } {
  let anchors: readonly Anchor[] = [];
  let text = '[]';
  for (let number = 1; number <= count; number += 1) {
    text = anchorsText([...anchors, anchor(number, partitions)]);
    anchors = anchorsOf(metadata(text), 's') ?? [];
  }
  return { text, anchors };
}

test('the newest 32 anchors are kept, exactly as they were', () => {
  const { anchors } = filled(40, 2);
  expect(anchors).toEqual(Array.from({ length: 32 }, (_, index) => anchor(index + 9, 2)));
});

test('fewer are kept of very many partitions, but two', () => {
  const some = filled(10, 1000);
  expect(some.text.length).toBeLessThanOrEqual(131_072 + 100);
  expect(some.anchors.map(({ sequenceNumber }) => sequenceNumber)).toEqual([8n, 9n, 10n]);
  expect(filled(10, 5000).anchors.map(({ sequenceNumber }) => sequenceNumber)).toEqual([9n, 10n]);
});

test.each(['x', '{}', '[{}]', '[{"snapshot-id": 1}]'])('a damaged property %s is not read as no anchors', (text) => {
  expect(anchorsOf(metadata(text), 's')).toBeNull();
  expect(anchorsOf(metadata(text), 'other')).toEqual([]);
});

test('a summary tells the state of its own sink', () => {
  const { state } = anchor(5);
  expect(stateOfSummary(snapshot(summaryText('s', state)), 's')).toEqual(state);
  expect(stateOfSummary(snapshot(summaryText('s', state)), 'other')).toBeNull();
  expect(stateOfSummary(snapshot('x'), 's')).toBeUndefined();
});

test('a summary of very many partitions is small, and says that it does not tell their positions', () => {
  const text = summaryText('s', anchor(5, 1000).state);
  expect(text.length).toBeLessThan(300);
  expect(stateOfSummary(snapshot(text), 's')).toBeUndefined();
});

describe('files that are read', () => {
  /** Files in memory whose reads are counted. Nothing is kept from one to the next. */
  class CountedFiles extends MemoryFileIO {
    reads = 0;

    override read(...args: Parameters<MemoryFileIO['read']>): ReturnType<MemoryFileIO['read']> {
      this.reads += 1;
      return super.read(...args);
    }
  }

  const ranges = [{ partition: 'p', from: 0n, to: 5n, isFirst: true }];

  interface MemoryTable {
    readonly storage: MemoryStorage;
    readonly clock: Clock;
    readonly catalog: Catalog;
    readonly load: () => Promise<Table>;
    /** The same files and names as a process has them that has read none. */
    readonly another: () => { readonly io: CountedFiles; readonly catalog: Catalog };
  }

  /** A table with one batch of a sink, which keeps all of its metadata files. */
  async function world(): Promise<MemoryTable> {
    const storage = new MemoryStorage(() => Date.now());
    const pointers = new MemoryPointers();
    // Commits take time, which they would not in memory.
    let nowMs = Date.now();
    const clock: Clock = { ...SYSTEM_CLOCK, nowMs: () => (nowMs += 20) };
    const another = () => {
      const io = new CountedFiles(storage, ['/memory'], OPEN_GATE);
      return { io, catalog: openMemoryCatalog({ name: 'memory', pointers, io, warehouse: '/memory', clock }) };
    };
    const { io, catalog } = another();
    await catalog.createNamespace(IDENTIFIER.namespace);
    const properties = new Map([['write.metadata.previous-versions-max', '10000']]);
    await catalog.createTable(IDENTIFIER, { ...FIXTURE_TABLE, properties });
    const load = () => loadTable(catalog, io, IDENTIFIER);
    const coordinator = await Coordinator.open(await load(), 's');
    await coordinator.commit({ id: 'batch', ranges, manifests: [] });
    return { storage, clock, catalog, load, another };
  }

  /** Snapshots of others, ten in a metadata file at most. */
  async function foreign({ clock, catalog, load }: MemoryTable, count: number): Promise<void> {
    let { metadata } = await load();
    const perFile = count > 100 ? 10 : 1;
    for (let done = 0; done < count; done += perFile) {
      let parent = currentSnapshot(metadata) ?? expect.unreachable();
      const updates: TableUpdate[] = [];
      for (let index = 0; index < perFile; index += 1) {
        const [snapshotId, sequenceNumber] = [parent.snapshotId + 1n, parent.sequenceNumber + 1n];
        const summary = new Map([['operation', 'append']]);
        const timestampMs = BigInt(clock.nowMs());
        parent = { ...parent, snapshotId, sequenceNumber, timestampMs, parentSnapshotId: parent.snapshotId, summary };
        updates.push({ action: 'add-snapshot', snapshot: parent });
      }
      const ref = { type: 'branch', snapshotId: parent.snapshotId } as const;
      updates.push({ action: 'set-snapshot-ref', refName: 'main', ref });
      ({ metadata } = await catalog.commitTable(IDENTIFIER, { requirements: [], updates }));
    }
  }

  /** Expires all snapshots but the current one. @param keepsAnchors as Moraine does it */
  async function expire({ catalog, load }: MemoryTable, keepsAnchors = false): Promise<void> {
    const { metadata } = await load();
    const ids = metadata.snapshots.map(({ snapshotId }) => snapshotId);
    const snapshotIds = ids.filter((id) => id !== metadata.currentSnapshotId);
    const updates: TableUpdate[] = [{ action: 'remove-snapshots', snapshotIds }];
    const anchors = keptAnchors(metadata, new Set(snapshotIds));
    if (keepsAnchors) updates.push({ action: 'set-properties', updates: anchors });
    await catalog.commitTable(IDENTIFIER, { requirements: [], updates });
  }

  /** Reads of a process that opens the sink. */
  async function readsOfOpening({ another }: MemoryTable): Promise<number> {
    const { io, catalog } = another();
    const coordinator = await Coordinator.open(await loadTable(catalog, io, IDENTIFIER), 's');
    expect([coordinator.epoch, coordinator.positions]).toEqual([2n, new Map([['p', 5n]])]);
    return io.reads;
  }

  /** Reads of one that looks for the state in a table that it has loaded. */
  async function readsOfLooking({ another }: MemoryTable, table: Table): Promise<number> {
    const { io } = another();
    const { state } = await sinkStateOf({ ...table, io }, 's');
    expect(state?.positions).toEqual(new Map([['p', 5n]]));
    return io.reads;
  }

  const WAYS = [
    ['commits', 0, foreign],
    [
      'commits and an expiry of ours',
      0,
      async (fixture: MemoryTable, count: number) => {
        await foreign(fixture, count);
        await expire(fixture, true);
        await foreign(fixture, count);
      },
    ],
    [
      'commits and an expiry',
      1,
      async (fixture: MemoryTable, count: number) => {
        await foreign(fixture, count);
        await expire(fixture);
      },
    ],
    [
      'commits, an expiry and commits',
      1,
      async (fixture: MemoryTable, count: number) => {
        await foreign(fixture, count);
        await expire(fixture);
        await foreign(fixture, count);
      },
    ],
    [
      'commits, three expiries and commits',
      3,
      async (fixture: MemoryTable, count: number) => {
        for (let expiries = 0; expiries < 3; expiries += 1) {
          await foreign(fixture, count);
          await expire(fixture);
        }
        await foreign(fixture, count);
      },
    ],
  ] as const;

  test.each(WAYS)('are no more after 1,000 %s of others than after 10', async (_, older, happen) => {
    const [few, many] = [await world(), await world()];
    await happen(few, 10);
    await happen(many, 1_000);
    expect([await readsOfLooking(few, await few.load()), await readsOfLooking(many, await many.load())]).toEqual([
      older,
      older,
    ]);
    expect(await readsOfOpening(many)).toBe(await readsOfOpening(few));
  });

  test('are few where the clocks of files and snapshots differ, and where files are gone', async () => {
    const fixture = await world();
    await foreign(fixture, 40);
    await expire(fixture);
    await foreign(fixture, 88);
    const table = await fixture.load();
    const { metadataLog } = table.metadata;
    const at = (timestampMs: (index: number) => bigint): Table => {
      const log = metadataLog.map((entry, index) => ({ ...entry, timestampMs: timestampMs(index) }));
      return { ...table, metadata: { ...table.metadata, metadataLog: log } };
    };
    // 132 files: the created table, claim, batch, 40 commits, expiry, 88 commits of which the last is not in the log.
    expect(metadataLog).toHaveLength(131);
    const bound = 1 + Math.ceil(Math.log2(131));
    for (const time of [() => 0n, (index: number) => BigInt(index), (index: number) => BigInt(10 ** 15 - index)])
      expect(await readsOfLooking(fixture, at(time))).toBeLessThanOrEqual(bound);
    // The last two before the expiry have the parent of the only snapshot that it left.
    fixture.storage.delete(metadataLog[42]?.metadataFile ?? '');
    expect(await readsOfLooking(fixture, table)).toBeLessThanOrEqual(2 + bound);
    fixture.storage.delete(metadataLog[41]?.metadataFile ?? '');
    expect(await rejectionCode(readsOfLooking(fixture, table))).toBe('SINK_POSITION_UNKNOWN');
  });
});
