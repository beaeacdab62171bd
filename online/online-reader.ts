/** Online reads: the newest feature values of entities, every view at one snapshot. */
import type { Catalog } from '../catalogs/index.js';
import type { Engine } from '../engine/index.js';
import { isMoraineError, MoraineError } from '../errors/index.js';
import type { Definitions } from '../features/index.js';
import type { FileIO } from '../storage/index.js';
import type { Table } from '../tables/index.js';
import { type BoundRequest, bindRequest, type CompiledRequest, RequestCompiler } from './compiled-request.js';
import type { ReadLimits } from './deadline.js';
import type { SnapshotName } from './lineage.js';
import { DEFAULT_ONLINE_SETTINGS, type OnlineSettings } from './online-layout.js';
import { type FoundRows, OnlineRead, responseOf } from './online-read.js';
import type { OnlineRequest, OnlineResponse } from './online-request.js';
import type { OnlineView } from './online-view.js';
import { PartCache, type PartCacheStats } from './parts/part-cache.js';
import { PartLoader } from './parts/part-loader.js';
import { StatementQueue } from './parts/statement-queue.js';
import type { ReadAmplification } from './read-amplification.js';
import { ReadTime } from './read-time.js';
import { Refresher } from './refresher.js';
import type { SelectedView } from './select-features.js';
import { SharedCheck } from './shared-check.js';
import { decodingBehind, lookFailed } from './stale-errors.js';
import type { LoadSource } from './stored-definition.js';
import { ViewPointer } from './view-pointer.js';
import { ViewRead } from './view-read.js';
import { ViewRefusals } from './view-refusal.js';

export interface OnlineDeps {
  readonly catalog: Catalog;
  readonly io: FileIO;
  readonly engine: Engine;
  readonly settings?: OnlineSettings;
  /** Time that a read may take unless its request says so, in milliseconds; {@link DEFAULT_READ_TIMEOUT_MS} by default. */
  readonly readTimeoutMs?: number | undefined;
  /** Time that a read may wait for its turn, in milliseconds; {@link DEFAULT_QUEUE_TIMEOUT_MS} by default. */
  readonly queueTimeoutMs?: number | undefined;
  /**
   * Memory for decoded rows, in bytes; {@link DEFAULT_CACHE_BYTES} by default. 0: nothing is kept, and each read is a statement of the engine.
   */
  readonly cacheBytes?: number | undefined;
  /** Most rows that a decoded part is made for; 16,384 by default. What is evicted and loaded is a part. */
  readonly partRows?: number | undefined;
  /** Look at definitions and tables all the time, not only while there are reads. */
  readonly refreshAlways?: boolean | undefined;
  /** The registered definitions as they are now. */
  definitions(): Promise<Definitions>;
  /**
   * Loads a source table; only needed for views whose definition was changed, or that an earlier release materialized, and for reads of a
   * view of all columns that name a feature which is not stored.
   */
  readonly loadSource?: LoadSource | undefined;
}

/** A view as a reader serves it. */
export interface OpenView extends ReadAmplification {
  readonly name: string;
  readonly files: number;
  /** When its snapshot was committed, in milliseconds since the epoch; null: nothing was. */
  readonly committedAtMs: bigint | null;
}

/** Milliseconds. */
export const DEFAULT_READ_TIMEOUT_MS = 100;

/** Milliseconds for a reader's first read of a view, which opens the engine, the registry, the table and its files. */
export const FIRST_READ_TIMEOUT_MS = 10_000;

/** Milliseconds. */
export const DEFAULT_QUEUE_TIMEOUT_MS = 1_000;

/** Bytes. */
export const DEFAULT_CACHE_BYTES = 256 * 2 ** 20;

const REFUSED_BY_DEFINITIONS = [
  'FEATURE_VIEW_NOT_FOUND',
  'FEATURE_SERVICE_NOT_FOUND',
  'FEATURE_NOT_FOUND',
  'ENTITY_NOT_FOUND',
  'MATERIALIZATION_REQUIRED',
  'TABLE_NOT_FOUND',
  'DUPLICATE_NAME',
  'INVALID_ARGUMENT',
] as const;

/** Reads that may wait for a statement of their own. */
const MAX_WAITING = 1_000;

/**
 * Reads online tables, and keeps their rows decoded in memory. One per process is enough; close it to stop what it does between reads.
 */
export class OnlineReader {
  readonly #deps: OnlineDeps;
  readonly #settings: OnlineSettings;
  readonly #cache: PartCache;
  readonly #queue: StatementQueue;
  readonly #loader: PartLoader;
  readonly #definitions: SharedCheck<Definitions>;
  readonly #pointers = new Map<string, ViewPointer>();
  readonly #compiler = new RequestCompiler();
  readonly #refusals: ViewRefusals;
  readonly #refresher: Refresher;
  /** Views that were read to the end before: all that had to be opened is open. */
  readonly #answered = new Set<string>();
  #waitingReads = 0;

  constructor(deps: OnlineDeps) {
    this.#deps = deps;
    this.#settings = deps.settings ?? DEFAULT_ONLINE_SETTINGS;
    this.#cache = new PartCache(deps.cacheBytes ?? DEFAULT_CACHE_BYTES);
    this.#queue = new StatementQueue(Math.max(2, deps.engine.threads), MAX_WAITING);
    this.#loader = new PartLoader(deps.engine, this.#cache, this.#queue, deps.partRows);
    this.#definitions = new SharedCheck(() => deps.definitions());
    this.#refusals = new ViewRefusals(deps.loadSource);
    this.#refresher = new Refresher(
      () => this.#refresh(),
      deps.refreshAlways === true ? Number.POSITIVE_INFINITY : undefined,
    );
  }

  /** Decoded rows in memory, and how often they were there. */
  get cacheStats(): PartCacheStats {
    return this.#cache.stats;
  }

  /** The views that were read so far, as they are served. Looks at nothing. */
  get openViews(): readonly OpenView[] {
    return [...this.#pointers.values()].flatMap(({ name, served }) => {
      if (served === undefined) return [];
      const { snapshot, amplification, fileCount } = served.index;
      return [{ name, files: fileCount, ...amplification, committedAtMs: snapshot?.timestampMs ?? null }];
    });
  }

  /**
   * The newest values at a time. Equal entities are answered each.
   * @throws TIMED_OUT (never a partial answer), CATALOG_UNAVAILABLE or STORAGE_UNAVAILABLE (with `maxStalenessMs`: nothing so new is known or decoded, and a look or the reading of its files
   * does not end in time), OVERLOADED (its turn did not come), CANCELLED, TYPE_MISMATCH for a key of another type, INVALID_ARGUMENT, DUPLICATE_NAME, FEATURE_VIEW_NOT_FOUND, MATERIALIZATION_REQUIRED (the stored values are those of another definition), FEATURE_NOT_FOUND, FEATURE_SERVICE_NOT_FOUND, TABLE_NOT_FOUND (never materialized),
   * SNAPSHOT_NOT_FOUND if a `minSnapshot` is not in the table even after loading it again
   */
  async getOnlineFeatures(request: OnlineRequest): Promise<OnlineResponse> {
    return responseOf(await this.findRows(request));
  }

  /** The rows that {@link getOnlineFeatures} takes its values from. The errors are the same. */
  async findRows(request: OnlineRequest): Promise<FoundRows> {
    try {
      return await this.#findFresh(request);
    } catch (error) {
      // Since the last look the table may have been dropped, or its snapshot may have expired, with their files.
      if (!isMoraineError(error, 'FILE_NOT_FOUND')) throw error;
      return await this.#counted(() => this.#findByLook({ ...request, maxStalenessMs: 0 }));
    }
  }

  async #findFresh(request: OnlineRequest): Promise<FoundRows> {
    const { maxStalenessMs = 0, signal } = request;
    if (maxStalenessMs > 0 && signal?.aborted !== true) {
      this.#refresher.isRead();
      const bound = this.#ready(request, maxStalenessMs);
      if (bound !== undefined) {
        const read = this.#begin(bound, request);
        if (read.isFound) return read.found;
        return await this.#counted(async () => {
          await this.#finish(read, bound, request, new ReadTime());
          return read.found;
        });
      }
    }
    return await this.#counted(() => this.#findByLook(request));
  }

  /** Reads that are under way, but for those that are answered from memory at once: they wait for the catalog, for files or for their turn. */
  get waitingReads(): number {
    return this.#waitingReads;
  }

  async #counted<T>(read: () => Promise<T>): Promise<T> {
    this.#waitingReads += 1;
    try {
      return await read();
    } finally {
      this.#waitingReads -= 1;
    }
  }

  async #findByLook(request: OnlineRequest): Promise<FoundRows> {
    const { maxStalenessMs = 0 } = request;
    const known = maxStalenessMs > 0 ? this.#definitions.fresh(maxStalenessMs)?.value : undefined;
    const time = new ReadTime();
    if (known !== undefined) {
      try {
        return await this.#findBy(known, request, time);
      } catch (error) {
        // Definitions may have changed since they were looked at. They can answer until then, but not refuse.
        if (!isMoraineError(error, ...REFUSED_BY_DEFINITIONS)) throw error;
      }
    }
    const { value } = await this.#looking(request, [], time, () => this.#definitions.now());
    return await this.#findBy(value, request, time);
  }

  /**
   * Learns of a commit of this process: from the end on, reads of the view have it, whatever staleness they allow.
   * @param table the view's online table as the commit left it
   */
  async committed(view: string, table: Table): Promise<void> {
    await this.#pointers.get(view)?.committed(table);
  }

  /** Ends when the states of its views that are known are decoded as far as those before them were. */
  async settled(): Promise<void> {
    await Promise.all([...this.#pointers.values()].map((pointer) => pointer.settled()));
  }

  async #findBy(definitions: Definitions, request: OnlineRequest, time: ReadTime): Promise<FoundRows> {
    const compiled = this.#compiler.compile(definitions, request);
    const bound = await this.#looking(request, compiled.views, time, () => this.#bind(compiled, request));
    const read = this.#begin(bound, request);
    if (read.isFound) this.#noteAnswered(request, compiled.views);
    else await this.#finish(read, bound, request, time);
    return read.found;
  }

  /** A look at definitions and tables. @throws as {@link findRows} */
  async #looking<T>(
    request: OnlineRequest,
    views: readonly string[],
    time: ReadTime,
    look: () => Promise<T>,
  ): Promise<T> {
    const limits = this.#limits(request, views);
    return await time.run(limits, look).catch((error: unknown) => {
      const { maxStalenessMs = 0 } = request;
      if (maxStalenessMs === 0 || !isMoraineError(error, 'TIMED_OUT')) throw error;
      const failures = [this.#definitions.failure, ...views.map((name) => this.#pointers.get(name)?.failure)];
      throw lookFailed(
        { maxStalenessMs, timeoutMs: limits.timeoutMs },
        this.#unknownSnapshot(request, views),
        failures.find((failure) => isMoraineError(failure)),
      );
    });
  }

  /**
   * The registered definitions, by a look at most so long ago.
   * @throws CATALOG_UNAVAILABLE, and as the registry
   */
  async definitions(maxStalenessMs: number): Promise<Definitions> {
    this.#refresher.isRead();
    return (this.#definitions.fresh(maxStalenessMs) ?? (await this.#definitions.now())).value;
  }

  /** From now on reads of the views have the time of warm ones. A read without entities has opened no files. */
  #noteAnswered({ entities }: OnlineRequest, views: readonly string[]): void {
    if (entities.length > 0) for (const name of views) this.#answered.add(name);
  }

  /** Stops what goes on between reads, and waits for the end of statements. Reads fail from now on. */
  async close(): Promise<void> {
    this.#refresher.close();
    await this.#queue.close();
  }

  /** A snapshot that a read asks for, of a view whose known state would be fresh enough without that. */
  #unknownSnapshot(request: OnlineRequest, views: readonly string[]) {
    const { maxStalenessMs = 0, nowUs } = request;
    for (const view of views) {
      const [pointer, wanted] = [this.#pointers.get(view), wantedOf(request, view)];
      if (pointer === undefined || wanted === undefined || wanted.snapshotId === null) continue;
      const isKnown = pointer.fresh(maxStalenessMs, wanted, nowUs) !== undefined;
      const isFresh = pointer.fresh(maxStalenessMs, undefined, nowUs) !== undefined;
      if (!isKnown && isFresh) return { view, snapshotId: wanted.snapshotId };
    }
    return undefined;
  }

  /** The request at states that are fresh enough, if all of them are known and were compared with the definitions before. */
  #ready(request: OnlineRequest, maxStalenessMs: number): BoundRequest | undefined {
    const definitions = this.#definitions.fresh(maxStalenessMs)?.value;
    if (definitions === undefined) return undefined;
    const compiled = this.#compiler.known(definitions, request);
    const bound = compiled?.bound;
    if (compiled === undefined || bound === undefined) return undefined;
    for (const name of compiled.views) {
      const state = this.#pointers.get(name)?.fresh(maxStalenessMs, wantedOf(request, name), request.nowUs);
      if (state === undefined || bound.states.get(name) !== state) return undefined;
    }
    return bound;
  }

  async #bind(compiled: CompiledRequest, request: OnlineRequest): Promise<BoundRequest> {
    const states = await Promise.all(
      compiled.views.map(async (name) => [name, await this.#state(name, compiled, request)] as const),
    );
    return bindRequest(compiled, new Map(states), request.fullFeatureNames ?? false);
  }

  /** One state of a view for all that a request reads of it. */
  async #state(name: string, compiled: CompiledRequest, request: OnlineRequest): Promise<OnlineView> {
    const { maxStalenessMs = 0 } = request;
    const wanted = wantedOf(request, name);
    const selections = compiled.selected.filter(({ view }) => view.name === name);
    const pointer = this.#pointer(name);
    const fresh = maxStalenessMs > 0 ? pointer.fresh(maxStalenessMs, wanted, request.nowUs) : undefined;
    if (fresh !== undefined && (await this.#refusal(fresh, selections, compiled)) === null) return fresh;
    const state = await pointer.now(selections[0]?.joinKeys ?? []);
    const refusal = await this.#refusal(state, selections, compiled);
    if (refusal !== null) throw refusal;
    if (wanted === undefined || pointer.has(state, wanted)) return state;
    throw new MoraineError(
      'SNAPSHOT_NOT_FOUND',
      `The online table of '${name}' does not contain snapshot ${wanted.snapshotId}; its current one is ${state.snapshotId ?? 'none'}.`,
    );
  }

  async #refusal(
    state: OnlineView,
    selections: readonly SelectedView[],
    { definitions, bound }: CompiledRequest,
  ): Promise<MoraineError | null> {
    if (bound?.states.get(state.name) === state) return null;
    for (const selection of selections) {
      const refusal = await this.#refusals.refusalOf(state, selection, definitions);
      if (refusal !== null) return refusal;
    }
    return null;
  }

  #pointer(name: string): ViewPointer {
    let pointer = this.#pointers.get(name);
    if (pointer === undefined) {
      const { catalog, io } = this.#deps;
      const identifier = { namespace: this.#settings.namespace, name };
      pointer = new ViewPointer(name, identifier, { catalog, io, cache: this.#cache, loader: this.#loader });
      this.#pointers.set(name, pointer);
    }
    return pointer;
  }

  /** A read that has found its rows, if everything that it needs is decoded. */
  #begin(bound: BoundRequest, request: OnlineRequest): OnlineRead {
    const nowUs = request.nowUs ?? BigInt(Date.now()) * 1000n;
    const reads = bound.views.map((view) => new ViewRead(view, request, nowUs, this.#cache));
    return new OnlineRead(bound, request, nowUs, this.#stalenessMs(bound), reads);
  }

  #stalenessMs({ states }: BoundRequest): number {
    let longestMs = performance.now() - (this.#definitions.last?.atMs ?? 0);
    for (const [name, state] of states) longestMs = Math.max(longestMs, this.#pointers.get(name)?.ageMs(state) ?? 0);
    return longestMs;
  }

  /** Waits for what a read lacks. @throws as {@link findRows} */
  async #finish(read: OnlineRead, bound: BoundRequest, request: OnlineRequest, time: ReadTime): Promise<void> {
    const views = [...bound.states.keys()];
    const limits = this.#limits(request, views);
    await this.#load(read, time, limits).catch((error: unknown) => {
      throw this.#behind(bound, request, limits, error) ?? error;
    });
    this.#noteAnswered(request, views);
  }

  /** Why a read got a state that is not decoded, if it waited for that in vain. */
  #behind(
    { states }: BoundRequest,
    { maxStalenessMs = 0 }: OnlineRequest,
    { timeoutMs }: ReadLimits,
    error: unknown,
  ): MoraineError | undefined {
    if (maxStalenessMs === 0 || !isMoraineError(error, 'TIMED_OUT', 'OVERLOADED')) return undefined;
    for (const [name, state] of states) {
      const ageMs = this.#pointer(name).agePassedOver(state);
      if (ageMs !== undefined && ageMs > maxStalenessMs)
        return decodingBehind(state, ageMs, { maxStalenessMs, timeoutMs }, error);
    }
    return undefined;
  }

  async #load(read: OnlineRead, time: ReadTime, limits: ReadLimits): Promise<void> {
    for (let asked = read.askFor(this.#loader); asked.length > 0; asked = read.askFor(this.#loader))
      for (const queued of asked) await time.queued(limits, queued);
    if (read.find()) return;
    for (const [view, entities] of read.left) {
      let isGivenUp = false;
      const queued = this.#queue.run(async () => {
        if (!isGivenUp) await time.run(limits, (cancelled) => view.select(this.#deps.engine, entities, cancelled));
      });
      await time.ofItsOwn(limits, queued).catch((error: unknown) => {
        isGivenUp = true;
        throw error;
      });
    }
  }

  #limits(request: OnlineRequest, views: readonly string[]): ReadLimits {
    const { signal } = request;
    const isFirst = this.#answered.size === 0 || views.some((name) => !this.#answered.has(name));
    const least = isFirst ? FIRST_READ_TIMEOUT_MS : 0;
    const warmMs = this.#deps.readTimeoutMs ?? DEFAULT_READ_TIMEOUT_MS;
    const queueTimeoutMs = this.#deps.queueTimeoutMs ?? DEFAULT_QUEUE_TIMEOUT_MS;
    return {
      timeoutMs: request.readTimeoutMs ?? Math.max(warmMs, least),
      queueTimeoutMs: Math.max(queueTimeoutMs, least),
      signal,
    };
  }

  async #refresh(): Promise<void> {
    const looked = await this.#definitions.now().catch(() => undefined);
    if (looked !== undefined) this.#forgetOthers(looked.value);
    await Promise.all([...this.#pointers.values()].map((pointer) => pointer.refresh()));
  }

  /** Views that were deleted, renamed or are not online any more: no read is answered with them. */
  #forgetOthers({ featureViews }: Definitions): void {
    for (const [name, pointer] of this.#pointers) {
      // One that nothing was found of yet may be of a view that was registered since.
      if (featureViews.get(name)?.online === true || pointer.served === undefined) continue;
      this.#pointers.delete(name);
      this.#answered.delete(name);
      pointer.forget();
    }
  }
}

function wantedOf({ minSnapshots }: OnlineRequest, view: string): SnapshotName | undefined {
  const wanted = minSnapshots?.get(view);
  return typeof wanted === 'bigint' ? { snapshotId: wanted } : wanted;
}

/** Reads once. Keep an {@link OnlineReader} to read often. */
export async function getOnlineFeatures(deps: OnlineDeps, request: OnlineRequest): Promise<OnlineResponse> {
  return new OnlineReader({ ...deps, cacheBytes: 0 }).getOnlineFeatures(request);
}
