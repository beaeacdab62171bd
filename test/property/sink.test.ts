/**
 * Random histories of a sink's table: two coordinators, crashes, lost and late answers, checkpoints offered again, rollbacks, expiry and foreign commits. At every
 * moment the table has each record that it has exactly once and without a gap, as far as the positions say, and nothing acknowledged is lost but by a rollback.
 */
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type Catalog,
  type CommitRequest,
  type LoadedTable,
  MemoryPointers,
  openMemoryCatalog,
} from '../../catalogs/index.js';
import { isMoraineError, MoraineError } from '../../errors/index.js';
import { currentSchema, currentSnapshot } from '../../iceberg/index.js';
import { BatchBuffer } from '../../sink/batches/batch-buffer.js';
import { type CommittableBatch, Coordinator } from '../../sink/protocol/coordinator.js';
import { sinkStateOf } from '../../sink/protocol/find-state.js';
import { commitAppend, loadTable, planFiles, stageManifest, type Table } from '../../tables/index.js';
import { OPEN_GATE } from '../simulation/gate.js';
import { MemoryFileIO, MemoryStorage } from '../simulation/memory-file-io.js';
import { runs, timeLimit } from '../support/property-runs.js';
import { dataFile, FIXTURE_TABLE, IDENTIFIER } from '../support/table-fixture.js';

const PARTITIONS = ['p0', 'p1'];
const LAST = 12n;
const host = fc.nat(1);
const index = fc.nat(9);
/** Something that happens between a writer's look at the table and its commit, or to the commit's answer. */
const fault = fc.oneof(
  fc.constantFrom('lost' as const, 'held' as const, 'late' as const, 'repeated' as const),
  fc.record({ between: fc.constantFrom('foreign' as const, 'other claims' as const, 'expire' as const) }),
  fc.record({ between: fc.constant('rollback' as const), index }),
  fc.record({ between: fc.constant('deliver' as const), index }),
);
const faults = fc.oneof(
  { weight: 3, arbitrary: fc.constant([]) },
  { weight: 2, arbitrary: fc.array(fault, { minLength: 1, maxLength: 3 }) },
);
/** New records of each partition; each batch has one more, without a position. */
const records = fc.oneof(fc.constant([0, 0]), fc.tuple(fc.nat(3), fc.nat(3)));
const step = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant('open' as const), host, faults }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('batch' as const), host, records, faults }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('checkpoint again' as const), host, index, faults }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('old range' as const), host, index, faults }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('crash' as const), host }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('rollback' as const), index }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('expire' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('foreign' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('deliver' as const), index }) },
);
type Fault = typeof fault extends fc.Arbitrary<infer T> ? T : never;
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** A process that reads the source and may write the table. */
interface Host {
  coordinator: Coordinator | null;
  readonly catalog: Catalog;
  readonly io: MemoryFileIO;
}

class World {
  readonly #storage = new MemoryStorage(() => 0);
  readonly #pointers = new MemoryPointers();
  readonly #root = `memory://store/${randomUUID()}`;
  readonly #faults: Fault[] = [];
  /** Requests whose senders were told nothing, and which may arrive yet. */
  readonly #held: (() => Promise<unknown>)[] = [];
  /** Batches that hosts have in their checkpoints. */
  readonly #checkpoints: CommittableBatch[] = [];
  readonly #rowsOfFiles = new Map<string, readonly string[]>();
  readonly #snapshots = new Map<bigint, ReadonlySet<string>>();
  readonly #acknowledged = new Map<string, bigint>();
  readonly #violations: unknown[] = [];
  /** The epoch that was claimed last, since the last rollback. */
  #fence = 0n;
  #foreign = 0;
  readonly hosts: readonly Host[];
  readonly #observer: Host;

  constructor() {
    const open = (): Host => {
      const io = new MemoryFileIO(this.#storage, [this.#root], OPEN_GATE);
      const clock = { nowMs: () => 0, monotonicMs: () => 0, random: () => 0, sleep: () => Promise.resolve() };
      const warehouse = `${this.#root}/warehouse`;
      const catalog = openMemoryCatalog({ name: 'm', pointers: this.#pointers, io, warehouse, clock });
      return { coordinator: null, catalog, io };
    };
    this.#observer = open();
    this.hosts = [open(), open()].map((each) => ({ ...each, catalog: this.#faulty(each.catalog) }));
  }

  async create(): Promise<void> {
    const { catalog } = this.#observer;
    await catalog.createNamespace(IDENTIFIER.namespace);
    const properties = new Map([['commit.status-check.num-retries', '1']]);
    await catalog.createTable(IDENTIFIER, { ...FIXTURE_TABLE, partitionSpec: { specId: 0, fields: [] }, properties });
  }

  #faulty(catalog: Catalog): Catalog {
    const commitTable = async (identifier: typeof IDENTIFIER, request: CommitRequest): Promise<LoadedTable> => {
      const send = async () => {
        const loaded = await catalog.commitTable(identifier, request);
        const epoch = epochOf(request);
        if (epoch !== null && epoch < this.#fence)
          this.#violations.push(new Error(`epoch ${epoch} has committed after the claim of epoch ${this.#fence}`));
        // Whoever sent the request takes an error for a lost answer.
        await this.check().catch((violation: unknown) => this.#violations.push(violation));
        return loaded;
      };
      for (;;) {
        const met = this.#faults.shift();
        if (met === undefined) return await send();
        if (met === 'held' || met === 'late') this.#held.push(send);
        // Just before the sender's next request.
        if (met === 'late') this.#faults.unshift({ between: 'deliver', index: this.#held.length - 1 });
        if (met === 'repeated' || met === 'lost') await send();
        if (met === 'repeated') this.#held.push(send);
        if (typeof met === 'string') throw new MoraineError('COMMIT_STATE_UNKNOWN', 'The answer was lost.');
        await this.#between(met);
      }
    };
    return new Proxy(catalog, {
      get: (target, name) => {
        if (name === 'commitTable') return commitTable;
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
  }

  async #between(met: Exclude<Fault, string>): Promise<void> {
    const rest = this.#faults.splice(0);
    if (met.between === 'foreign') await this.foreign();
    if (met.between === 'expire') await this.expire();
    if (met.between === 'rollback') await this.rollBack(met.index);
    if (met.between === 'deliver') await this.deliver(met.index);
    if (met.between === 'other claims') {
      const table = await this.#load(this.#observer);
      const other = await this.#open(table);
      await other.commit(await this.#stage(other, [1, 1]));
      await this.#acknowledge(other);
    }
    this.#faults.push(...rest);
  }

  #load({ catalog, io }: Host): Promise<Table> {
    return loadTable(catalog, io, IDENTIFIER);
  }

  async #open(table: Table): Promise<Coordinator> {
    const coordinator = await Coordinator.open(table, 's');
    const { metadata } = await this.#load(this.#observer);
    // Unless a rollback has taken the claim back already.
    if (metadata.currentSnapshotId === coordinator.table.metadata.currentSnapshotId) this.#fence = coordinator.epoch;
    return coordinator;
  }

  async run(steps: readonly Step[]): Promise<void> {
    for (const each of steps) {
      if ('faults' in each) this.#faults.push(...each.faults);
      if ('host' in each) await this.#act(this.hosts[each.host], each);
      else if (each.do === 'rollback') await this.rollBack(each.index);
      else if (each.do === 'deliver') await this.deliver(each.index);
      else if (each.do === 'expire') await this.expire();
      else await this.foreign();
      this.#faults.length = 0;
      await this.check();
      if (this.#violations.length > 0) throw this.#violations[0];
    }
    // In the end one host writes what is left.
    for (; this.#held.length > 0; ) await this.deliver(0);
    const table = await this.#load(this.#observer);
    const last = await this.#open(table);
    await last.commit(await this.#stage(last, [Number(LAST), Number(LAST)]));
    await this.#acknowledge(last);
    const rows = await this.check();
    expect(this.#violations).toEqual([]);
    expect([...rows].filter((row) => row.startsWith('p'))).toHaveLength(Number(LAST) * PARTITIONS.length);
  }

  async #act(actor: Host | undefined, each: Extract<Step, { readonly host: number }>): Promise<void> {
    if (actor === undefined) return;
    try {
      if (each.do === 'crash') {
        actor.coordinator = null;
        return;
      }
      if (each.do === 'open' || actor.coordinator === null) {
        actor.coordinator = null;
        actor.coordinator = await this.#open(await this.#load(actor));
      }
      const { coordinator } = actor;
      if (each.do === 'open') return;
      if (each.do === 'batch') await coordinator.commit(await this.#stage(coordinator, each.records));
      else {
        const old = this.#checkpoints[each.index % Math.max(1, this.#checkpoints.length)];
        if (old === undefined || (each.do === 'old range' && old.ranges.length === 0)) return;
        // With the files of the checkpoint, or read and staged again.
        const again = each.do === 'old range' ? await this.#staged(coordinator, old.ranges) : old;
        const committed = await coordinator.committedOf([{ ...again, openedEpoch: 0n }]);
        if (!committed.has(again.id)) await coordinator.commit(again);
      }
      await this.#acknowledge(coordinator);
    } catch (error) {
      // A commit that is given up after many conflicts or lost answers may come right later; the others end the coordinator.
      if (!isMoraineError(error, 'SINK_FENCED', 'SINK_POSITION_MISMATCH', 'COMMIT_STATE_UNKNOWN')) throw error;
      if (error.code !== 'COMMIT_STATE_UNKNOWN') actor.coordinator = null;
    }
  }

  /** The next records of each partition as a batch. */
  async #stage(coordinator: Coordinator, counts: readonly number[]): Promise<CommittableBatch> {
    const buffer = new BatchBuffer('s', () => coordinator.positions);
    for (const [number, partition] of PARTITIONS.entries()) {
      const from = coordinator.positions.get(partition) ?? 0n;
      const end = from + BigInt(counts[number] ?? 0);
      const to = end < LAST ? end : LAST;
      if (to === from) continue;
      const open = () => Promise.reject(new Error('nobody opens it'));
      buffer.add({ count: Number(to - from), bytes: 1, open }, { partition, from, to });
    }
    const batch = await this.#staged(coordinator, buffer.cut()?.ranges ?? []);
    this.#checkpoints.push(batch);
    return batch;
  }

  async #staged({ table }: Coordinator, ranges: CommittableBatch['ranges']): Promise<CommittableBatch> {
    const id = randomUUID();
    const rows = ranges.flatMap(({ partition, from, to }) =>
      Array.from({ length: Number(to - from) }, (_, offset) => `${partition}:${from + BigInt(offset)}`),
    );
    // A record without a position: nothing but its batch's id tells it.
    rows.push(`loose:${id}`);
    return { id, ranges, manifests: [await stageManifest(table, [this.#file(rows)], id)] };
  }

  #file(rows: readonly string[]) {
    const file = dataFile([], { recordCount: BigInt(rows.length) });
    this.#rowsOfFiles.set(file.filePath, rows);
    return file;
  }

  async #acknowledge({ table, positions }: Coordinator): Promise<void> {
    // Unless a rollback came in between.
    const current = (await this.#load(this.#observer)).metadata.currentSnapshotId;
    if (table.metadata.currentSnapshotId !== current) return;
    for (const [partition, next] of positions) this.#acknowledged.set(partition, next);
  }

  async foreign(): Promise<void> {
    this.#foreign += 1;
    await commitAppend(await this.#load(this.#observer), { files: [this.#file([`foreign:${this.#foreign}`])] });
    await this.check();
  }

  async deliver(number: number): Promise<void> {
    const [request] = this.#held.splice(number % Math.max(1, this.#held.length), 1);
    await request?.().catch((error: unknown) => {
      // The second one is of a snapshot that is in the table, rolled back.
      if (!isMoraineError(error, 'COMMIT_CONFLICT', 'INVALID_ARGUMENT')) throw error;
    });
  }

  async rollBack(number: number): Promise<void> {
    const { metadata } = await this.#load(this.#observer);
    const { snapshots } = metadata;
    const snapshotId = snapshots[snapshots.length - 1 - (number % Math.max(1, snapshots.length))]?.snapshotId;
    if (snapshotId === undefined) return;
    const ref = { type: 'branch', snapshotId } as const;
    const updates = [{ action: 'set-snapshot-ref', refName: 'main', ref } as const];
    await this.#observer.catalog.commitTable(IDENTIFIER, { requirements: [], updates });
    this.#acknowledged.clear();
    this.#fence = 0n;
    await this.check();
  }

  async expire(): Promise<void> {
    const { metadata } = await this.#load(this.#observer);
    const ids = metadata.snapshots.map(({ snapshotId }) => snapshotId);
    const snapshotIds = ids.filter((id) => id !== metadata.currentSnapshotId);
    if (snapshotIds.length === 0) return;
    const updates = [{ action: 'remove-snapshots', snapshotIds } as const];
    await this.#observer.catalog.commitTable(IDENTIFIER, { requirements: [], updates });
  }

  /** Compares the table with what it may hold. @returns its rows */
  async check(): Promise<ReadonlySet<string>> {
    const table = await this.#load(this.#observer);
    const snapshot = currentSnapshot(table.metadata);
    if (snapshot === null) return new Set();
    const plan = await planFiles(table, { snapshot, schema: currentSchema(table.metadata) });
    const all = plan.files.flatMap(({ file }) => this.#rowsOfFiles.get(file.filePath) ?? ['?']);
    const rows = new Set(all);
    expect(all.length, `rows of ${[...all].sort().join(' ')}`).toBe(rows.size);
    const { state } = await sinkStateOf(table, 's');
    for (const partition of PARTITIONS) {
      const count = all.filter((row) => row.startsWith(`${partition}:`)).length;
      for (let offset = 0; offset < count; offset += 1) expect(rows, 'no gap').toContain(`${partition}:${offset}`);
      expect(state?.positions.get(partition) ?? 0n, `position of ${partition}`).toBe(BigInt(count));
      expect(BigInt(count), 'acknowledged').toBeGreaterThanOrEqual(this.#acknowledged.get(partition) ?? 0n);
    }
    this.#checkSnapshot(snapshot.snapshotId, snapshot.parentSnapshotId, rows);
    return rows;
  }

  /** A snapshot never changes, and loses nothing of its parent. */
  #checkSnapshot(id: bigint, parent: bigint | undefined, rows: ReadonlySet<string>): void {
    const known = this.#snapshots.get(id);
    if (known !== undefined) expect(rows).toEqual(known);
    this.#snapshots.set(id, rows);
    for (const row of (parent === undefined ? undefined : this.#snapshots.get(parent)) ?? [])
      expect(rows).toContain(row);
  }
}

/** The epoch that a request's snapshot records; null: it is not of the sink. */
function epochOf({ updates }: CommitRequest): bigint | null {
  for (const update of updates) {
    if (update.action !== 'add-snapshot') continue;
    const text = update.snapshot.summary.get('moraine.sink');
    if (text !== undefined) return BigInt((JSON.parse(text) as { epoch: string }).epoch);
  }
  return null;
}

/** A batch without positions that was rolled back when it was looked for, and is there again when its checkpoint is committed. */
const ROLLED_FORWARD: Step[] = [
  { do: 'batch', host: 0, records: [0, 0], faults: [{ between: 'foreign' }] },
  { do: 'batch', host: 0, records: [0, 0], faults: [] },
  { do: 'batch', host: 0, records: [0, 0], faults: [{ between: 'rollback', index: 1 }] },
  {
    do: 'checkpoint again',
    host: 0,
    index: 1,
    faults: [{ between: 'rollback', index: 6 }, { between: 'foreign' }],
  },
  { do: 'batch', host: 0, records: [0, 0], faults: [] },
  { do: 'open', host: 0, faults: [] },
];

test(
  'a sink’s table has each record once, whatever happens to its writers and to itself',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 30 }), async (steps) => {
        const world = new World();
        await world.create();
        await world.run(steps);
      }),
      { numRuns: runs(250), examples: [[ROLLED_FORWARD]] },
    );
  },
  timeLimit(120_000),
);
