/** A view's online table as the catalog has it, and as it is served: a new snapshot is decoded as far as the one before was, then it takes over. */
import { type Catalog, type TableIdentifier } from '../catalogs/index.js';
import { isMoraineError, MoraineError } from '../errors/index.js';
import type { FileIO } from '../storage/index.js';
import { loadTable } from '../tables/index.js';
import { Lineage } from './lineage.js';
import { OnlineView } from './online-view.js';
import type { DecodedTable } from './parts/decoded-table.js';
import type { PartCache } from './parts/part-cache.js';
import type { PartLoader } from './parts/part-loader.js';
import { prepareParts } from './parts/prepare-parts.js';
import { type Checked, SharedCheck } from './shared-check.js';

export interface ViewPointerDeps {
  readonly catalog: Catalog;
  readonly io: FileIO;
  readonly cache: PartCache;
  readonly loader: PartLoader;
}

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
  /** When the last look at the catalog that found a state began. */
  readonly #seenAtMs = new WeakMap<OnlineView, number>();
  #preparing: OnlineView | undefined;
  /** States since the served one, whose parts may have to be given up. */
  #passed: DecodedTable[] = [];

  constructor(name: string, identifier: TableIdentifier, deps: ViewPointerDeps) {
    this.name = name;
    this.#identifier = identifier;
    this.#deps = deps;
    this.#check = new SharedCheck(() => this.#load());
  }

  /**
   * A state that was the table's at most so long ago and has the wanted snapshot: the one that is served, or a newer one of which not all is decoded yet.
   */
  fresh(maxStalenessMs: number, wanted: bigint | undefined): OnlineView | undefined {
    const served = this.#served;
    if (
      served !== undefined &&
      performance.now() - served.atMs <= maxStalenessMs &&
      (wanted === undefined || this.#lineage.has(served.value.table.metadata, wanted))
    )
      return served.value;
    const last = this.#check.fresh(maxStalenessMs)?.value;
    if (last === undefined || last === served?.value) return undefined;
    return wanted === undefined || this.#lineage.has(last.table.metadata, wanted) ? last : undefined;
  }

  /**
   * The state by a look at the catalog that begins now; those who ask together share it.
   * @throws TABLE_NOT_FOUND (never materialized), and what loading a table may throw
   */
  async now(joinKeys: readonly string[]): Promise<OnlineView> {
    this.#joinKeys = joinKeys;
    const checked = await this.#check.now();
    this.#seenAtMs.set(checked.value, checked.atMs);
    this.#follow(checked);
    return checked.value;
  }

  /** Looks again, if the view was looked for before. Who needs the state sees an error, not this. */
  async refresh(): Promise<void> {
    if (this.#check.last === undefined) return;
    await this.now(this.#joinKeys).catch(() => undefined);
  }

  /** How long ago a state that {@link now} or {@link fresh} gave was the table's by the last look at it, in milliseconds. */
  ageMs(state: OnlineView): number {
    return performance.now() - (this.#seenAtMs.get(state) ?? 0);
  }

  /** Whether a state has the snapshot or is later than it. */
  has({ table }: OnlineView, snapshotId: bigint): boolean {
    return this.#lineage.has(table.metadata, snapshotId);
  }

  /** Serves a state as soon as it is decoded as far as the served one is. */
  #follow(checked: Checked<OnlineView>): void {
    const { value } = checked;
    if (this.#served === undefined || this.#served.value === value) {
      this.#served = checked;
      return;
    }
    if (this.#preparing !== undefined) return;
    this.#preparing = value;
    void this.#prepare(value, this.#served.value);
  }

  async #prepare(next: OnlineView, before: OnlineView): Promise<void> {
    await prepareParts(this.#deps.loader, next.decoded, before.decoded);
    this.#preparing = undefined;
    const last = this.#check.last;
    if (last === undefined) return;
    this.#served = { value: next, atMs: last.value === next ? last.atMs : (this.#served?.atMs ?? 0) };
    this.#giveUp(next.decoded);
    // Commits may have come meanwhile.
    this.#follow(last);
  }

  /** Empties the slots of states before one. */
  #giveUp(served: DecodedTable): void {
    const place = this.#passed.indexOf(served);
    const [old, left] = [this.#passed.slice(0, place), this.#passed.slice(place)];
    const kept = new Set(left.flatMap((table) => [...table.slots()]));
    for (const table of old) for (const slot of table.slots()) if (!kept.has(slot)) this.#deps.cache.release(slot);
    this.#passed = left;
  }

  async #load(): Promise<OnlineView> {
    const { catalog, io } = this.#deps;
    const before = this.#check.last?.value;
    const table = await loadTable(catalog, io, this.#identifier).catch((error: unknown) => {
      if (!isMoraineError(error, 'TABLE_NOT_FOUND', 'NAMESPACE_NOT_FOUND')) throw error;
      throw new MoraineError(
        'TABLE_NOT_FOUND',
        `Feature view '${this.name}' has never been materialized: run \`moraine materialize ${this.name}\`.`,
        { cause: error },
      );
    });
    if (before !== undefined && before.table.metadataLocation === table.metadataLocation) return before;
    const loaded = await OnlineView.load(this.name, table, this.#joinKeys, before);
    this.#lineage.note(table.metadata);
    this.#passed.push(loaded.decoded);
    return loaded;
  }
}
