/**
 * The state of a sink that a table's history tells, against a list of all commits: batches, commits of Moraine and of others, roll-backs, and expiry by a program that
 * carries no positions along, of snapshots and of all older metadata files.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Clock, SYSTEM_CLOCK } from '../../catalogs/index.js';
import { MemoryPointers, openMemoryCatalog } from '../../catalogs/memory/memory-catalog.js';
import { isMoraineError } from '../../errors/index.js';
import { currentSnapshot, type TableUpdate } from '../../iceberg/index.js';
import { Coordinator } from '../../sink/protocol/coordinator.js';
import { sinkStateOf } from '../../sink/protocol/find-state.js';
import { loadTable, type Table } from '../../tables/index.js';
import { OPEN_GATE } from '../simulation/gate.js';
import { MemoryFileIO, MemoryStorage } from '../simulation/memory-file-io.js';
import { runs } from '../support/property-runs.js';
import { FIXTURE_TABLE, IDENTIFIER } from '../support/table-fixture.js';

/** A table in memory and all commits to it. */
class History {
  readonly #storage = new MemoryStorage(() => Date.now());
  readonly #io = new MemoryFileIO(this.#storage, ['/memory'], OPEN_GATE);
  readonly #clock: Clock = { ...SYSTEM_CLOCK, nowMs: () => (this.#nowMs += 20) };
  readonly #catalog = openMemoryCatalog({
    ...{ name: 'memory', pointers: new MemoryPointers(), io: this.#io, warehouse: '/memory', clock: this.#clock },
  });
  /** Of the sink after each commit; undefined: it has none yet. */
  readonly #positions = new Map<bigint, bigint | undefined>();
  #hasBatches = false;
  #nowMs = Date.now();
  #hasForeign = false;

  static async open(): Promise<History> {
    const history = new History();
    await history.#catalog.createNamespace(IDENTIFIER.namespace);
    await history.#catalog.createTable(IDENTIFIER, FIXTURE_TABLE);
    return history;
  }

  load(): Promise<Table> {
    return loadTable(this.#catalog, this.#io, IDENTIFIER);
  }

  /** Claims a sink and commits a batch of it. */
  async batch(sink: string, length: number): Promise<void> {
    const before = await this.#position();
    const coordinator = await this.#unlessUnknown(async () => Coordinator.open(await this.load(), sink));
    if (coordinator === null) return;
    const isOwn = sink === 's';
    // Where its first batch was rolled back it is at its beginning again.
    const claimed = before ?? (this.#hasBatches ? 0n : undefined);
    const known = coordinator.positions.get('p');
    if (isOwn) expect(known).toBe(claimed);
    this.#note(coordinator.table, isOwn ? claimed : before);
    const from = known ?? 0n;
    const ranges = [{ partition: 'p', from, to: from + BigInt(length), isFirst: known === undefined }];
    await coordinator.commit({ id: `${sink}-${this.#nowMs}`, ranges, manifests: [] });
    this.#note(coordinator.table, isOwn ? from + BigInt(length) : before);
    this.#hasBatches ||= isOwn;
  }

  async foreign(): Promise<void> {
    const { metadata } = await this.load();
    const parent = currentSnapshot(metadata);
    if (parent === null) return;
    this.#hasForeign = true;
    const before = await this.#position();
    const [snapshotId, sequenceNumber] = [metadata.lastSequenceNumber * 1_000n, metadata.lastSequenceNumber + 1n];
    const own = {
      snapshotId,
      sequenceNumber,
      parentSnapshotId: parent.snapshotId,
      timestampMs: BigInt(this.#clock.nowMs()),
    };
    const snapshot = { ...parent, ...own, summary: new Map([['operation', 'append']]) };
    const updates: TableUpdate[] = [
      { action: 'add-snapshot', snapshot },
      { action: 'set-snapshot-ref', refName: 'main', ref: { type: 'branch', snapshotId } },
    ];
    await this.#catalog.commitTable(IDENTIFIER, { requirements: [], updates });
    this.#positions.set(snapshotId, before);
  }

  async rollBack(place: number): Promise<void> {
    const { snapshots } = (await this.load()).metadata;
    const snapshot = snapshots[place % Math.max(1, snapshots.length)];
    if (snapshot === undefined) return;
    const ref = { type: 'branch', snapshotId: snapshot.snapshotId } as const;
    await this.#catalog.commitTable(IDENTIFIER, {
      ...{ requirements: [], updates: [{ action: 'set-snapshot-ref', refName: 'main', ref }] },
    });
  }

  /** All snapshots but the current one and some, and all older metadata files. */
  async expire(kept: number): Promise<void> {
    const { metadata } = await this.load();
    const others = metadata.snapshots.filter(({ snapshotId }) => snapshotId !== metadata.currentSnapshotId);
    const snapshotIds = others.slice(0, Math.max(0, others.length - kept)).map(({ snapshotId }) => snapshotId);
    if (snapshotIds.length > 0)
      await this.#catalog.commitTable(IDENTIFIER, {
        ...{ requirements: [], updates: [{ action: 'remove-snapshots', snapshotIds }] },
      });
    for (const { metadataFile } of (await this.load()).metadata.metadataLog) this.#storage.delete(metadataFile);
  }

  /** What the sink's state has to be: of the history, or nobody knows, which is allowed only where others commit, too, or the history has nothing of the sink. */
  async check(): Promise<void> {
    const table = await this.load();
    const found = await this.#unlessUnknown(() => sinkStateOf(table, 's'));
    if (found !== null) expect(found.state?.positions.get('p')).toBe(await this.#position());
  }

  async #unlessUnknown<T>(work: () => Promise<T>): Promise<T | null> {
    try {
      return await work();
    } catch (error) {
      const mayBe = this.#hasForeign || (await this.#position()) === undefined;
      if (!mayBe || !isMoraineError(error, 'SINK_POSITION_UNKNOWN')) throw error;
      return null;
    }
  }

  async #position(): Promise<bigint | undefined> {
    const { currentSnapshotId } = (await this.load()).metadata;
    return this.#positions.get(currentSnapshotId ?? 0n);
  }

  #note({ metadata }: Table, position: bigint | undefined): void {
    this.#positions.set(metadata.currentSnapshotId ?? 0n, position);
  }
}

type Step = (history: History) => Promise<void>;
const small = fc.nat({ max: 3 });
const batch = small.map(
  (length): Step =>
    (history) =>
      history.batch('s', length + 1),
);
/** Of a sink that is new. */
const another = fc.uuid().map(
  (name): Step =>
    (history) =>
      history.batch(name, 1),
);
const foreign = fc.constant<Step>((history) => history.foreign());
const rollBack = fc.nat({ max: 30 }).map(
  (place): Step =>
    (history) =>
      history.rollBack(place),
);
const expire = small.map(
  (kept): Step =>
    (history) =>
      history.expire(kept),
);

async function run(steps: readonly Step[]): Promise<void> {
  const history = await History.open();
  for (const step of steps) {
    await step(history);
    await history.check();
  }
}

describe('the state of a sink', () => {
  it('is that of the history, or is not guessed, whoever commits, rolls back and expires', async () => {
    const step = fc.oneof(batch, another, foreign, rollBack, expire);
    const property = fc.asyncProperty(fc.array(step, { maxLength: 25, size: 'max' }), run);
    await fc.assert(property, { numRuns: runs(60) });
  });

  it('is known wherever Moraine makes the commits, whatever expires, as long as there is one', async () => {
    const step = fc.oneof(batch, another, another, rollBack, expire);
    const property = fc.asyncProperty(fc.array(step, { maxLength: 12, size: 'max' }), run);
    await fc.assert(property, { numRuns: runs(60) });
  });
});
