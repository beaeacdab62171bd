/** Loading parts: once for all who wait, several with one statement, those that are asked for before those that are prepared. */
import type { Engine } from '../../engine/index.js';
import type { FileToOpen } from '../../scans/index.js';
import { doShared, notePart, type SharedWork } from '../shared-work.js';
import { type Cell, MAX_PART_ROWS, type Part, type Slot } from './cell.js';
import { chooseRanges, type DecodableFiles } from './decode-rows.js';
import { loadParts, type SlotToLoad } from './load-parts.js';
import type { PartCache } from './part-cache.js';
import type { Queued, StatementQueue } from './statement-queue.js';

/** Rows and files that one statement reads, unless a single part has more. */
const BATCH_ROWS = 2n * BigInt(MAX_PART_ROWS);
const BATCH_FILES = 512;

/** Rows of the further ranges that a statement decodes along, since it reads their files anyhow. */
const NEIGHBOUR_ROWS = 16 * MAX_PART_ROWS;

const DONE = Promise.resolve();

/** A part that is asked for and not loaded yet. */
class Load {
  readonly slot: Slot;
  readonly table: DecodableFiles;
  /** A read waits for it. */
  isAskedFor = false;
  readonly queued: Queued<Part>;
  begin: () => void = () => undefined;
  finish: (part: Part) => void = () => undefined;
  fail: (error: unknown) => void = () => undefined;

  constructor(slot: Slot, table: DecodableFiles) {
    this.slot = slot;
    this.table = table;
    const started = new Promise<void>((resolve) => {
      this.begin = resolve;
    });
    const result = new Promise<Part>((resolve, reject) => {
      this.finish = resolve;
      this.fail = reject;
    });
    // Those that wait see the error; a part that was only prepared fails unseen, and is loaded again when it is asked for.
    result.catch(() => undefined);
    this.queued = { started, result };
  }
}

/** Fills slots with parts. */
export class PartLoader {
  /** Most rows that a part is made for. */
  readonly partRows: number;
  readonly #engine: Engine;
  readonly #cache: PartCache;
  readonly #queue: StatementQueue;
  readonly #loads = new Map<Slot, Load>();
  readonly #waiting = new Set<Load>();
  readonly #ranges = new Map<Cell, Queued<void>>();
  #isScheduled = false;
  /** Whether a batch runs for which no read waits: another one would leave no statement for those that do. */
  #isPreparing = false;
  /** Whether parts that are only prepared have the next turn, if some wait: reads of states that come one after the other would keep them waiting without end. */
  #isTurnOfPrepared = false;

  constructor(engine: Engine, cache: PartCache, queue: StatementQueue, partRows = MAX_PART_ROWS) {
    this.partRows = partRows;
    this.#engine = engine;
    this.#cache = cache;
    this.#queue = queue;
  }

  /**
   * The part of a slot.
   * @param isAskedFor a read waits for it
   */
  load(table: DecodableFiles, slot: Slot, isAskedFor: boolean): Queued<Part> {
    const { behind } = slot;
    if (behind !== null && behind.files.length === 0 && !behind.isWider) {
      this.#cache.carry(slot, behind.part);
      return { started: DONE, result: Promise.resolve(behind.part) };
    }
    let load = this.#loads.get(slot);
    if (load === undefined) {
      load = new Load(slot, table);
      this.#loads.set(slot, load);
      this.#waiting.add(load);
    }
    load.isAskedFor ||= isAskedFor;
    if (isAskedFor) notePart(load);
    this.#schedule();
    return load.queued;
  }

  /**
   * Parts with the rows of files that they lack. They are for who asks: no slot gets them.
   * @throws what {@link loadParts} throws, and OVERLOADED
   */
  async complete(table: DecodableFiles, wanted: readonly SlotToLoad[]): Promise<ReadonlyMap<Slot, Part>> {
    const queued = this.#queue.run(() => this.#decode(table, wanted, wanted));
    return await queued.result;
  }

  /**
   * Chooses the ranges of a large cell.
   * @param isAskedFor a read waits for them
   */
  rangesOf(table: DecodableFiles, cell: Cell, isAskedFor: boolean): Queued<void> {
    if (isAskedFor) notePart(cell);
    let queued = this.#ranges.get(cell);
    if (queued === undefined) {
      queued = this.#queue.run(async () => {
        const ranges = await doShared(decoding(table, 'choose ranges', [cell]), () =>
          this.#engine.withConnection((connection) => chooseRanges(connection, table, cell.files, cell.rangeRows)),
        );
        if (cell.ranges === undefined) cell.setRanges(ranges);
      });
      this.#ranges.set(cell, queued);
      const forget = (): boolean => this.#ranges.delete(cell);
      queued.result.then(forget, forget);
    }
    return queued;
  }

  /** One batch waits in the queue at a time: it is chosen when its turn has come. */
  #schedule(): void {
    if (this.#isScheduled || this.#waiting.size === 0) return;
    if (this.#isPreparing && ![...this.#waiting].some(({ isAskedFor }) => isAskedFor)) return;
    this.#isScheduled = true;
    this.#queue.run(() => this.#runBatch()).result.catch((error: unknown) => this.#shed(error));
  }

  /** The queue is full: nothing that waits here will be loaded. */
  #shed(error: unknown): void {
    this.#isScheduled = false;
    for (const load of this.#waiting) this.#settle(load, () => load.fail(error));
    this.#waiting.clear();
  }

  async #runBatch(): Promise<void> {
    this.#isScheduled = false;
    const batch = this.#takeBatch();
    const isPrepared = batch.length > 0 && !batch.some(({ isAskedFor }) => isAskedFor);
    if (isPrepared) this.#isPreparing = true;
    this.#schedule();
    for (const load of batch) load.begin();
    await this.#loadAll(batch);
    if (!isPrepared) return;
    this.#isPreparing = false;
    this.#schedule();
  }

  /** Loads that one statement can do, of one snapshot. */
  #takeBatch(): readonly Load[] {
    const isPreparedFirst = this.#isTurnOfPrepared && !this.#isPreparing;
    const placeOf = ({ isAskedFor }: Load): number => (isAskedFor === isPreparedFirst ? 1 : 0);
    const [first, ...others] = [...this.#waiting].sort((a, b) => placeOf(a) - placeOf(b));
    if (first === undefined) return [];
    this.#isTurnOfPrepared = first.isAskedFor;
    const batch = [first];
    let rows = rowsOf(first.slot);
    const files = new Set(filesOf(first.slot));
    for (const load of others) {
      if (load.table !== first.table || load.isAskedFor !== first.isAskedFor) continue;
      const [moreRows, more] = [rowsOf(load.slot), filesOf(load.slot).filter((file) => !files.has(file))];
      if (rows + moreRows > BATCH_ROWS || files.size + more.length > BATCH_FILES) continue;
      rows += moreRows;
      for (const file of more) files.add(file);
      batch.push(load);
    }
    for (const load of batch) this.#waiting.delete(load);
    // They are kept first, so that they leave the cache first.
    return [...this.#neighboursOf(batch), ...batch];
  }

  /** Ranges whose rows are in the files that are read, where most files have rows of most ranges and the cache has room. */
  #neighboursOf(batch: readonly Load[]): readonly Load[] {
    const neighbours: Load[] = [];
    if (2 * this.#cache.stats.bytes > this.#cache.budgetBytes) return neighbours;
    for (const { table, slot } of batch) {
      const { cell } = slot;
      if (slot.behind !== null || cell.recordCount > BigInt(cell.files.length * cell.rangeRows)) continue;
      for (const other of cell.slots) {
        if (neighbours.length * cell.rangeRows >= NEIGHBOUR_ROWS) return neighbours;
        if (other.part !== null || other.behind !== null || this.#loads.has(other)) continue;
        const load = new Load(other, table);
        this.#loads.set(other, load);
        neighbours.push(load);
      }
    }
    return neighbours;
  }

  /** A part that cannot be loaded fails those alone who wait for it. */
  async #loadAll(batch: readonly Load[]): Promise<void> {
    try {
      const wanted = batch.map(({ slot }): SlotToLoad => ({ slot, behind: slot.behind }));
      const parts = await this.#decode((batch[0] as Load).table, wanted, batch);
      for (const load of batch) {
        const part = parts.get(load.slot) as Part;
        if (load.slot.isCurrent) this.#cache.keep(load.slot, part);
        this.#settle(load, () => load.finish(part));
      }
    } catch (error) {
      const [one] = batch;
      if (batch.length === 1 && one !== undefined) this.#settle(one, () => one.fail(error));
      else for (const load of batch) await this.#loadAll([load]);
    }
  }

  /** @param parts what the statement is for, as tracing is told */
  async #decode(
    table: DecodableFiles,
    wanted: readonly SlotToLoad[],
    parts: readonly object[],
  ): Promise<ReadonlyMap<Slot, Part>> {
    return await doShared(decoding(table, 'decode rows', parts), () =>
      this.#engine.withConnection((connection) => loadParts(connection, table, wanted)),
    );
  }

  #settle(load: Load, settle: () => void): void {
    this.#loads.delete(load.slot);
    settle();
  }
}

/** What tracing is told of a statement. @param parts that the statement is for */
function decoding({ view }: DecodableFiles, name: SharedWork['name'], parts: readonly object[]): SharedWork {
  return { name, attributes: { 'moraine.view': view, 'moraine.decode.parts': parts.length }, parts };
}

function filesOf({ behind, cell }: Slot): readonly FileToOpen[] {
  return behind?.files ?? cell.files;
}

/** Rows to decode. */
function rowsOf(slot: Slot): bigint {
  const rows = filesOf(slot).reduce((sum, { recordCount }) => sum + recordCount, 0n);
  const most = BigInt(slot.cell.partRows);
  return (slot.cell.ranges?.count ?? 1) > 1 && rows > most ? most : rows;
}
