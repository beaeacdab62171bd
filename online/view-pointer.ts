/** A view's online table as the catalog has it, and as it is served: a new snapshot is decoded as far as the one before was, then it takes over. */
import { type Catalog, type TableIdentifier } from '../catalogs/index.js';
import { isMoraineError, MoraineError } from '../errors/index.js';
import { withinTime } from '../processes/index.js';
import type { FileIO } from '../storage/index.js';
import { loadTable, type Table } from '../tables/index.js';
import { currentSnapshotName, Lineage, type SnapshotName } from './lineage.js';
import { OnlineView } from './online-view.js';
import type { DecodedTable } from './parts/decoded-table.js';
import type { PartCache } from './parts/part-cache.js';
import type { PartLoader } from './parts/part-loader.js';
import { isBegun, prepareParts } from './parts/prepare-parts.js';
import { type Checked, LOOK_LIMIT_MS, SharedCheck } from './shared-check.js';

export interface ViewPointerDeps {
  readonly catalog: Catalog;
  readonly io: FileIO;
  readonly cache: PartCache;
  readonly loader: PartLoader;
}

/** Up to so many commits are decoded before the newest of them is served from its own files. */
const MOST_COMMITS_TO_WAIT_FOR = 2n;
/** After so many states that others had overtaken when they were decoded, commits wait for the next one, however many they are. */
const MOST_OVERTAKEN = 4;

/** The states of one view that a reader knows. */
export class ViewPointer {
  readonly name: string;
  readonly #deps: ViewPointerDeps;
  readonly #identifier: TableIdentifier;
  readonly #check: SharedCheck<OnlineView>;
  readonly #lineage = new Lineage();
  /** Names of the view's join keys, for a table that does not record its own. */
  #joinKeys: readonly string[] = [];
  #served: Checked<OnlineView> | undefined;
  /** The state that was decoded last from its own files. */
  #prepared: OnlineView | undefined;
  /** The served state if it stands for a newer one that is still being prepared: see `OnlineView.bridgedTo`. */
  #bridge: { readonly of: OnlineView; readonly view: OnlineView } | undefined;
  /** When the last look at the catalog that found a state began. */
  readonly #seenAtMs = new WeakMap<OnlineView, number>();
  /** The newest state that is known, by a look or by a commit of this process. */
  #newest: Checked<OnlineView> | undefined;
  /** The state that was made last; no later one is of an older table. */
  #made: OnlineView | undefined;
  /** States are made one after the other. */
  #making: Promise<unknown> = Promise.resolve();
  /** States that were prepared one after the other and not served, since a bridge was served that had more. */
  #overtaken = 0;
  /** The state that is being prepared; `served` ends when it is served, or cannot be. */
  #preparing: { readonly view: OnlineView; readonly served: Promise<void> } | undefined;
  /** Ends when a state is served that stands for a newer one, or cannot be. */
  #bridging: Promise<void> | undefined;
  /** What is being decoded of that state. */
  #bridgeInWork: DecodedTable | undefined;
  /** A commit of this process that must be in what is read, though its rows could not be read yet, and when it was. */
  #least: { readonly snapshot: SnapshotName; readonly atMs: number } | undefined;
  /** States since the served one, whose parts may have to be given up. */
  #passed: DecodedTable[] = [];

  constructor(name: string, identifier: TableIdentifier, deps: ViewPointerDeps) {
    this.name = name;
    this.#identifier = identifier;
    this.#deps = deps;
    this.#check = new SharedCheck(() => this.#load());
  }

  /**
   * A state that was the table's at most so long ago and has the wanted snapshot: the one that is served, or a newer one of which not all is decoded yet. Of
   * those the one that is being prepared comes first: what a read needs of it is decoded once, and its parts are not overtaken by the next commit.
   * @param nowUs the time that is read; undefined: the present
   */
  fresh(maxStalenessMs: number, wanted: SnapshotName | undefined, nowUs: bigint | undefined): OnlineView | undefined {
    const next = this.#preparing?.view;
    const prepared = next === undefined ? undefined : { value: next, atMs: this.#seenAtMs.get(next) ?? 0 };
    const known = [this.#served, prepared, this.#newest];
    return known.find((state) => {
      if (state === undefined || performance.now() - state.atMs > maxStalenessMs || !state.value.answersAt(nowUs))
        return false;
      return (
        (wanted === undefined || this.has(state.value, wanted)) &&
        (this.#least === undefined || this.has(state.value, this.#least.snapshot))
      );
    })?.value;
  }

  /**
   * The state by a look at the catalog that begins now; those who ask together share it.
   * @throws TABLE_NOT_FOUND (never materialized), and what loading a table may throw
   */
  async now(joinKeys: readonly string[]): Promise<OnlineView> {
    this.#joinKeys = joinKeys;
    const { value, atMs } = await this.#check.now();
    return this.#learn(value, atMs);
  }

  /**
   * Learns of a commit of this process: from the end on it is in what is read, without a look at the catalog.
   * @param table as the commit left it
   */
  async committed(table: Table): Promise<void> {
    const snapshot = currentSnapshotName(table);
    if (snapshot.snapshotId === null) return;
    const atMs = performance.now();
    // The first look may have begun before the commit.
    const isServed = this.#made !== undefined && (await this.#serves(table, snapshot, atMs));
    if (isServed) return;
    if (this.#least === undefined || isLater(snapshot, this.#least.snapshot)) this.#least = { snapshot, atMs };
  }

  /** Makes the state of a table and waits until it is served. @returns false: it is not, and the next look makes it */
  async #serves(table: Table, snapshot: SnapshotName, atMs: number): Promise<boolean> {
    try {
      this.#learn(await this.#stateOf(table), atMs);
    } catch {
      return false;
    }
    while (this.#served !== undefined && !this.has(this.#served.value, snapshot)) {
      const underWay = [this.#bridging, this.#preparing?.served].filter((work) => work !== undefined);
      if (underWay.length === 0) return false;
      await Promise.race(underWay);
    }
    return this.#served !== undefined;
  }

  /** Ends when the newest state that is known is served from its own files, or cannot be. */
  async settled(): Promise<void> {
    const underWay = (): Promise<void> | undefined => this.#preparing?.served ?? this.#bridging;
    for (let work = this.#preparing?.served; work !== undefined; work = underWay()) await work;
  }

  /** Looks again, if the view was looked for before. Who needs the state sees an error, not this. */
  async refresh(): Promise<void> {
    if (this.#made === undefined) return;
    await this.now(this.#joinKeys).catch(() => undefined);
  }

  /** Gives up what is decoded: nobody will read the view by this pointer again. */
  forget(): void {
    this.#release([...this.#passed]);
  }

  /** Why the last look failed; undefined: it did not. */
  get failure(): unknown {
    return this.#check.failure;
  }

  /** The state that is served; undefined: the view was not looked for yet. */
  get served(): OnlineView | undefined {
    return this.#served?.value;
  }

  /** How long ago a state that {@link now} or {@link fresh} gave was the table's by the last look at it, in milliseconds. */
  ageMs(state: OnlineView): number {
    return performance.now() - (this.#seenAtMs.get(state) ?? 0);
  }

  /**
   * How old the state is that is decoded, in milliseconds, where a read gets another that is not decoded yet.
   * @param state that the read gets; undefined is returned for the decoded one
   */
  agePassedOver(state: OnlineView): number | undefined {
    const served = this.#served;
    return served === undefined || served.value === state ? undefined : performance.now() - served.atMs;
  }

  /** Whether a state has the snapshot or is later than it. */
  has({ table }: OnlineView, snapshot: SnapshotName): boolean {
    return this.#lineage.has(table.metadata, snapshot);
  }

  /** A look that began before a commit of this process may end after it: the newest state counts. */
  #learn(found: OnlineView, atMs: number): OnlineView {
    const value = this.#made ?? found;
    const newest = { value, atMs: Math.max(atMs, this.#newest?.atMs ?? 0) };
    this.#newest = newest;
    this.#seenAtMs.set(value, newest.atMs);
    this.#follow(newest);
    this.#forgetLeast(newest);
    return value;
  }

  /** It is served by now, or was rolled back: a later look did not find it. */
  #forgetLeast(newest: Checked<OnlineView>): void {
    const least = this.#least;
    if (least === undefined) return;
    const isServed = this.#served !== undefined && this.has(this.#served.value, least.snapshot);
    if (isServed || (newest.atMs > least.atMs && !this.has(newest.value, least.snapshot))) this.#least = undefined;
  }

  /** Serves a state as soon as it is decoded as far as the served one is. */
  #follow(checked: Checked<OnlineView>): void {
    const { value } = checked;
    const served = this.#served;
    if (served === undefined || served.value === value) {
      this.#served = checked;
      this.#prepared = value;
      return;
    }
    if (this.#bridge?.of === value && this.#bridge.view === served.value) this.#serveBridge(this.#bridge, checked.atMs);
    else if (!isBegun(value.decoded, served.value.decoded) || this.#isFarAhead(value))
      this.#bridging ??= this.#build(value, served.value);
    this.#preparing ??= { view: value, served: this.#prepare(value, this.#prepared ?? served.value) };
  }

  /**
   * Whether so much was committed while the rows of a compaction went over that decoding it again from the files of the state takes long, while the bridge that is
   * served has it.
   */
  #isFarAhead({ table }: OnlineView): boolean {
    const prepared = this.#prepared?.table.metadata;
    if (prepared === undefined || this.#overtaken >= MOST_OVERTAKEN) return false;
    if (this.#bridge?.view !== this.#served?.value) return false;
    return table.metadata.lastSequenceNumber - prepared.lastSequenceNumber > MOST_COMMITS_TO_WAIT_FOR;
  }

  async #prepare(next: OnlineView, before: OnlineView): Promise<void> {
    await next.carrying;
    const isHeldBack = await prepareParts(this.#deps.loader, next.decoded, before.decoded);
    this.#preparing = undefined;
    const newest = this.#newest;
    if (newest === undefined) return;
    // While the storage fails, the served state answers until it is too old. The next look tries again.
    if (isHeldBack && this.#served !== undefined) return;
    this.#prepared = next;
    const isNewest = newest.value === next;
    if (isNewest || this.#served === undefined || !isPassed(next.table, this.#served.value.table)) {
      // It may have been the newest for longer than the one that was served.
      this.#served = { value: next, atMs: this.#seenAtMs.get(next) ?? 0 };
      this.#giveUp(next.decoded);
      this.#overtaken = 0;
    } else this.#overtaken += 1;
    // Commits may have come meanwhile.
    this.#follow(newest);
  }

  /** After a compaction everything has to be decoded anew, though its rows are the same. Commits that come meanwhile need not wait for that. */
  async #build(next: OnlineView, served: OnlineView): Promise<void> {
    try {
      const view = await served.bridgedTo(next);
      if (view !== null) {
        this.#bridgeInWork = view.decoded;
        this.#passed.splice(this.#passed.indexOf(served.decoded) + 1, 0, view.decoded);
        const isHeldBack = await prepareParts(this.#deps.loader, view.decoded, served.decoded, true);
        if (!isHeldBack && this.#served?.value === served) {
          this.#serveBridge({ of: next, view }, this.#served.atMs);
          this.#giveUp(view.decoded);
        } else this.#release([view.decoded]);
      }
    } catch {
      // It is served once it is prepared.
    }
    this.#bridging = undefined;
    this.#bridgeInWork = undefined;
    const newest = this.#newest;
    if (newest !== undefined && newest.value !== next) this.#follow(newest);
  }

  #serveBridge(bridge: { readonly of: OnlineView; readonly view: OnlineView }, atMs: number): void {
    this.#bridge = bridge;
    const newest = this.#newest;
    const seenAtMs = newest?.value === bridge.of ? newest.atMs : atMs;
    this.#served = { value: bridge.view, atMs: seenAtMs };
    this.#seenAtMs.set(bridge.view, seenAtMs);
  }

  /** Empties the slots of states before one. */
  #giveUp(served: DecodedTable): void {
    const old = this.#passed.splice(0, this.#passed.indexOf(served));
    this.#release(old);
  }

  /** Gives up states that were overtaken before they were prepared: they will not be served. */
  #giveUpOvertaken(): void {
    const mayBeServed = [this.#served?.value, this.#prepared, this.#preparing?.view, this.#newest?.value, this.#made];
    const decoded = new Set([...mayBeServed.map((view) => view?.decoded), this.#bridgeInWork]);
    const overtaken = this.#passed.filter((table) => !decoded.has(table));
    if (overtaken.length > 0) this.#release(overtaken);
  }

  /** Empties the slots of states that no state has which may yet be served. */
  #release(tables: readonly DecodedTable[]): void {
    this.#passed = this.#passed.filter((table) => !tables.includes(table));
    const kept = new Set(this.#passed.flatMap((table) => [...table.slots()]));
    for (const table of tables) for (const slot of table.slots()) if (!kept.has(slot)) this.#deps.cache.release(slot);
  }

  async #load(): Promise<OnlineView> {
    const { catalog, io } = this.#deps;
    const table = await loadTable(catalog, io, this.#identifier).catch((error: unknown) => {
      if (!isMoraineError(error, 'TABLE_NOT_FOUND', 'NAMESPACE_NOT_FOUND')) throw error;
      throw new MoraineError(
        'TABLE_NOT_FOUND',
        `Feature view '${this.name}' has never been materialized: run \`moraine materialize ${this.name}\`.`,
        { cause: error },
      );
    });
    return await this.#stateOf(table);
  }

  /** The state of a table; the one that was made last if that is not older. */
  async #stateOf(table: Table): Promise<OnlineView> {
    const making = this.#making.then(() => this.#make(table));
    // Storage that does not answer does not hold up what is made later.
    this.#making = withinTime(making, LOOK_LIMIT_MS, () => new Error('It takes too long.')).catch(() => undefined);
    return await making;
  }

  async #make(table: Table): Promise<OnlineView> {
    const before = this.#made;
    if (before !== undefined && !isNewer(table, before.table)) return before;
    const made = await OnlineView.load(this.name, table, this.#joinKeys, {
      before,
      loader: this.#deps.loader,
    });
    // It took so long that another was made meanwhile.
    if (this.#made !== before) return await this.#make(table);
    this.#lineage.note(table.metadata);
    // A commit to a table that was dropped is in no table that was made anew.
    if (before !== undefined && before.table.metadata.tableUuid !== table.metadata.tableUuid) this.#least = undefined;
    this.#passed.push(made.decoded);
    this.#made = made;
    this.#giveUpOvertaken();
    return made;
  }
}

/** Whether a snapshot comes after another one of the same history. */
function isLater({ sequenceNumber: one = 0n }: SnapshotName, { sequenceNumber: other = 0n }: SnapshotName): boolean {
  return one > other;
}

/** Whether a table may have changed since it was loaded another time. Sequence numbers never go back, not even when a table is rolled back. */
function isNewer({ metadata, metadataLocation }: Table, { metadata: known, metadataLocation: at }: Table): boolean {
  if (metadataLocation === at) return false;
  return metadata.tableUuid !== known.tableUuid || metadata.lastSequenceNumber >= known.lastSequenceNumber;
}

/** Whether a table has had a commit of rows since it was loaded another time. */
function isPassed({ metadata }: Table, { metadata: later }: Table): boolean {
  return metadata.tableUuid === later.tableUuid && metadata.lastSequenceNumber < later.lastSequenceNumber;
}
