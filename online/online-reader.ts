/** Online reads: the newest feature values of entities, every view at one snapshot. */

import type { Catalog } from '../catalogs/index.js';
import type { Engine } from '../engine/index.js';
import { didYouMean, isMoraineError, MoraineError } from '../errors/index.js';
import type { Definitions } from '../features/index.js';
import { type IcebergType, isAncestor, type NestedField, type PrimitiveValue } from '../iceberg/index.js';
import type { FileIO } from '../storage/index.js';
import { loadTable } from '../tables/index.js';
import { withDeadline } from './deadline.js';
import { type EntityRow, entityKeyValues } from './entity-key.js';
import { DEFAULT_ONLINE_SETTINGS, type OnlineSettings } from './online-layout.js';
import { NOT_FOUND, type OnlineValue, onlineValue } from './online-status.js';
import { OnlineView } from './online-view.js';
import { type FeatureSelection, outputNames, type SelectedView, selectViews } from './select-features.js';
import { addedFeatures, addedText, definitionChanges, type LoadSource } from './stored-definition.js';
import type { ColumnChanges } from './view-columns.js';

export interface OnlineDeps {
  readonly catalog: Catalog;
  readonly io: FileIO;
  readonly engine: Engine;
  readonly settings?: OnlineSettings;
  /** Time that a read may take unless its request says so, in milliseconds; {@link DEFAULT_READ_TIMEOUT_MS} by default. */
  readonly readTimeoutMs?: number | undefined;
  /** The registered definitions as they are now. */
  definitions(): Promise<Definitions>;
  /**
   * Loads a source table; only needed for views whose definition was changed, or that an earlier release materialized, and for reads of a
   * view of all columns that name a feature which is not stored.
   */
  readonly loadSource?: LoadSource | undefined;
}

export interface OnlineRequest extends FeatureSelection {
  /** Join key to value, one for each entity; null values match nothing. */
  readonly entities: readonly (EntityRow | Readonly<Record<string, unknown>>)[];
  /** Key values are text, as typed on a command line. */
  readonly entitiesAsText?: boolean | undefined;
  /** As of when, in microseconds since the epoch; now by default. */
  readonly nowUs?: bigint | undefined;
  /** Call features `view__feature`. */
  readonly fullFeatureNames?: boolean | undefined;
  /** By view: the snapshot of its online table that must be in what is read. */
  readonly minSnapshots?: ReadonlyMap<string, bigint> | undefined;
  /** How long ago the tables' pointers may have been checked last, in milliseconds; 0 (check now) by default. */
  readonly maxStalenessMs?: number | undefined;
  /**
   * Milliseconds that this read may take, whatever it has to open. By default what the reader is configured with, or for the
   * first read of a view at least {@link FIRST_READ_TIMEOUT_MS}.
   */
  readonly readTimeoutMs?: number | undefined;
  /** Ends the read with `CANCELLED`. */
  readonly signal?: AbortSignal | undefined;
  /** Return values older than the ttl too; their status stays `OUTSIDE_MAX_AGE`. */
  readonly includeExpired?: boolean | undefined;
}

export interface OnlineFeature {
  /** Its name in the answer. */
  readonly name: string;
  readonly view: string;
  /** The view's name in the request; its own name unless it has another. */
  readonly alias: string;
  readonly feature: string;
  readonly type: IcebergType;
}

/** A join key as the request's entities name it. */
export interface OnlineJoinKey {
  readonly name: string;
  readonly type: IcebergType;
}

export interface OnlineResponse {
  readonly features: readonly OnlineFeature[];
  /** Every join key that was looked up by, once. */
  readonly joinKeys: readonly OnlineJoinKey[];
  /** One for each entity of the request, in its order; values in the order of `features`. */
  readonly rows: readonly (readonly OnlineValue[])[];
  /** The snapshots that were read. A table that was never written has no snapshot. */
  readonly snapshots: readonly { readonly view: string; readonly table: string; readonly snapshotId: bigint | null }[];
  readonly nowUs: bigint;
}

/** Milliseconds. */
export const DEFAULT_READ_TIMEOUT_MS = 100;

/** Milliseconds for a reader's first read of a view, which opens the engine, the registry, the table and its files. */
export const FIRST_READ_TIMEOUT_MS = 10_000;

/** The views and features of a request, and the definitions that have them. */
interface Selected {
  readonly definitions: Definitions;
  readonly selected: readonly SelectedView[];
}

interface CachedView {
  readonly loaded: OnlineView;
  /** Time of the monotonic clock, in milliseconds. */
  readonly checkedAtMs: number;
}

/** Reads online tables and keeps what is immutable of them in memory. One per process is enough. */
export class OnlineReader {
  readonly #deps: OnlineDeps;
  readonly #settings: OnlineSettings;
  readonly #views = new Map<string, CachedView>();
  /** Changes of a view since the loaded state of its table, for the definitions of the last comparison. */
  readonly #changes = new WeakMap<OnlineView, { readonly definitions: Definitions; readonly changes: ColumnChanges }>();
  /** Views that were read to the end before: all that had to be opened is open. */
  readonly #answered = new Set<string>();

  constructor(deps: OnlineDeps) {
    this.#deps = deps;
    this.#settings = deps.settings ?? DEFAULT_ONLINE_SETTINGS;
  }

  /**
   * The newest values at a time. Equal entities are read once and answered each.
   * @throws TIMED_OUT (never a partial answer), CANCELLED, TYPE_MISMATCH for a key of another type, INVALID_ARGUMENT, DUPLICATE_NAME,
   * FEATURE_VIEW_NOT_FOUND, MATERIALIZATION_REQUIRED (the stored values are those of another definition), FEATURE_NOT_FOUND, FEATURE_SERVICE_NOT_FOUND, TABLE_NOT_FOUND (never materialized),
   * SNAPSHOT_NOT_FOUND if a `minSnapshot` is not in the table even after loading it again
   */
  async getOnlineFeatures(request: OnlineRequest): Promise<OnlineResponse> {
    const startMs = performance.now();
    const { signal } = request;
    const definitions = await withDeadline(this.#timeoutMs(request, []), () => this.#deps.definitions(), 0, signal);
    const selected = selectViews(definitions, request);
    const spentMs = performance.now() - startMs;
    const timeoutMs = this.#timeoutMs(request, selected);
    const response = await withDeadline(
      timeoutMs,
      (deadline) => this.#read({ definitions, selected }, request, deadline),
      spentMs,
      signal,
    );
    for (const { view } of selected) this.#answered.add(view.name);
    return response;
  }

  #timeoutMs(request: OnlineRequest, selected: readonly SelectedView[]): number {
    if (request.readTimeoutMs !== undefined) return request.readTimeoutMs;
    const warmMs = this.#deps.readTimeoutMs ?? DEFAULT_READ_TIMEOUT_MS;
    const isFirst = this.#answered.size === 0 || selected.some(({ view }) => !this.#answered.has(view.name));
    return isFirst ? Math.max(warmMs, FIRST_READ_TIMEOUT_MS) : warmMs;
  }

  async #read(
    { definitions, selected }: Selected,
    request: OnlineRequest,
    signal: AbortSignal,
  ): Promise<OnlineResponse> {
    const views = await Promise.all(selected.map((selection) => this.#view(selection, definitions, request)));
    const chosen = selected.map((selection, index) => chooseFeatures(selection, views[index] as OnlineView));
    const names = outputNames(
      chosen.flatMap((features, index) =>
        features.map(({ name }) => ({ alias: selected[index]?.alias ?? '', feature: name })),
      ),
      request.fullFeatureNames ?? false,
    );
    const nowUs = request.nowUs ?? BigInt(Date.now()) * 1000n;
    const entities = request.entities.map(toEntityRow);
    const parts = await Promise.all(
      selected.map((selection, index) =>
        this.#readView(
          selection,
          views[index] as OnlineView,
          chosen[index] ?? [],
          entities,
          { ...request, nowUs },
          signal,
        ),
      ),
    );
    const features = chosen.flatMap((fields, index) =>
      fields.map((field) => ({ view: selected[index]?.view.name ?? '', alias: selected[index]?.alias ?? '', field })),
    );
    return {
      features: features.map(({ view, alias, field }, index) => ({
        name: names[index] ?? field.name,
        view,
        alias,
        feature: field.name,
        type: field.type,
      })),
      joinKeys: distinctKeys(selected.map((selection, index) => requestKeys(selection, views[index] as OnlineView))),
      rows: entities.map((_, row) => parts.flatMap((part) => part[row] ?? [])),
      snapshots: distinctSnapshots(views),
      nowUs,
    };
  }

  async #readView(
    selection: SelectedView,
    view: OnlineView,
    features: readonly NestedField[],
    entities: readonly EntityRow[],
    request: OnlineRequest & { readonly nowUs: bigint },
    signal: AbortSignal,
  ): Promise<readonly (readonly OnlineValue[])[]> {
    const parts = requestKeys(selection, view);
    const keys = entities.map((entity) => {
      const values = entityKeyValues(parts, entity, request.entitiesAsText);
      return values === null ? null : { key: view.entityKey(values), values };
    });
    const distinct = new Map<string, readonly PrimitiveValue[]>();
    for (const found of keys) if (found !== null) distinct.set(found.key, found.values);
    const rows = await view.newestRows(this.#deps.engine, distinct, features, request.nowUs, signal);
    const { ttlMs } = selection.view;
    const moment = {
      nowUs: request.nowUs,
      ttlUs: ttlMs === null ? null : ttlMs * 1000n,
      includeExpired: request.includeExpired ?? false,
    };
    return keys.map((found) => {
      const row = found === null ? undefined : rows.get(found.key);
      return features.map((_, index) =>
        row === undefined ? NOT_FOUND : onlineValue(row.values[index] ?? null, row.eventTimestampUs, moment),
      );
    });
  }

  /** The view's table, checked against the catalog if the last check is too long ago or lacks a wanted snapshot. */
  async #view(selection: SelectedView, definitions: Definitions, request: OnlineRequest): Promise<OnlineView> {
    const { view, joinKeys } = selection;
    const wanted = request.minSnapshots?.get(view.name);
    const cached = this.#views.get(view.name);
    const isFresh = cached !== undefined && performance.now() - cached.checkedAtMs <= (request.maxStalenessMs ?? 0);
    if (
      isFresh &&
      hasSnapshot(cached.loaded, wanted) &&
      (await this.#refusal(cached.loaded, selection, definitions)) === null
    )
      return cached.loaded;
    const loaded = await this.#load(view.name, joinKeys, cached?.loaded);
    const refusal = await this.#refusal(loaded, selection, definitions);
    if (refusal !== null) throw refusal;
    if (hasSnapshot(loaded, wanted)) return loaded;
    throw new MoraineError(
      'SNAPSHOT_NOT_FOUND',
      `The online table of '${view.name}' does not contain snapshot ${wanted}; its current one is ${loaded.snapshotId ?? 'none'}.`,
    );
  }

  /** Why the stored values do not answer the request. */
  async #refusal(loaded: OnlineView, selection: SelectedView, definitions: Definitions): Promise<MoraineError | null> {
    const { view, features = view.features?.map(({ name }) => name) } = selection;
    const { metadata } = loaded.table;
    const { loadSource } = this.#deps;
    const known = this.#changes.get(loaded);
    const changes =
      known?.definitions === definitions
        ? known.changes
        : await definitionChanges(metadata, view, definitions, loadSource);
    this.#changes.set(loaded, { definitions, changes });
    const absent = absentFeatures(selection, loaded);
    const added = absent.length === 0 ? [] : await addedFeatures(metadata, view, definitions, loadSource);
    const texts = [
      ...redefinitions(changes, features),
      ...absent.filter((name) => added.includes(name)).map(addedText),
    ];
    if (texts.length > 0) return redefinedError(view.name, texts);
    return absent[0] === undefined ? null : unknownFeature(absent[0], selection, loaded);
  }

  async #load(name: string, joinKeys: readonly string[], before: OnlineView | undefined): Promise<OnlineView> {
    const checkedAtMs = performance.now();
    const { catalog, io } = this.#deps;
    const identifier = { namespace: this.#settings.namespace, name };
    const table = await loadTable(catalog, io, identifier).catch((error: unknown) => {
      if (!isMoraineError(error, 'TABLE_NOT_FOUND', 'NAMESPACE_NOT_FOUND')) throw error;
      throw new MoraineError(
        'TABLE_NOT_FOUND',
        `Feature view '${name}' has never been materialized: run \`moraine materialize ${name}\`.`,
        { cause: error },
      );
    });
    const isSame = before !== undefined && before.table.metadataLocation === table.metadataLocation;
    const loaded = isSame ? before : await OnlineView.load(name, table, joinKeys, before);
    this.#views.set(name, { loaded, checkedAtMs });
    return loaded;
  }
}

/** Reads once. Keep an {@link OnlineReader} to read often. */
export async function getOnlineFeatures(deps: OnlineDeps, request: OnlineRequest): Promise<OnlineResponse> {
  return new OnlineReader(deps).getOnlineFeatures(request);
}

/** @param asked names of the features to read; undefined: all that are stored */
function redefinitions(changes: ColumnChanges, asked: readonly string[] | undefined): readonly string[] {
  const changed = [...changes.features].flatMap(([name, text]) => (asked?.includes(name) === false ? [] : [text]));
  return [...changes.everywhere, ...changed];
}

function redefinedError(view: string, texts: readonly string[]): MoraineError {
  return new MoraineError(
    'MATERIALIZATION_REQUIRED',
    `Feature view '${view}' was redefined since it was last materialized: ${texts.join('; ')}. Run \`moraine materialize ${view}\`.`,
    { details: { view, changes: texts } },
  );
}

function unknownFeature(name: string, selection: SelectedView, view: OnlineView): MoraineError {
  const known = answerable(selection, view).map((field) => field.name);
  const message = `Feature view '${selection.view.name}' has no materialized feature '${name}'. ${didYouMean(name, known)}`;
  return new MoraineError('FEATURE_NOT_FOUND', message);
}

/** Stored features that the view still has. A view of all columns has what is stored. */
function answerable({ view: { features } }: SelectedView, { columns }: OnlineView): readonly NestedField[] {
  return columns.features.filter(({ name }) => features?.some((feature) => feature.name === name) ?? true);
}

/** Names that the request asks for, each once, and that no stored feature answers. */
function absentFeatures(selection: SelectedView, view: OnlineView): readonly string[] {
  const known = new Set(answerable(selection, view).map(({ name }) => name));
  return [...new Set(selection.features)].filter((name) => !known.has(name));
}

/** The columns to read; all that are asked for are there. */
function chooseFeatures(selection: SelectedView, view: OnlineView): readonly NestedField[] {
  const known = answerable(selection, view);
  if (selection.features === undefined) return known;
  const byName = new Map(known.map((field) => [field.name, field]));
  return [...new Set(selection.features)].flatMap((name) => byName.get(name) ?? []);
}

/** A view's join keys by the names that they have in the request. */
function requestKeys({ joinKeyMap }: SelectedView, view: OnlineView): readonly OnlineJoinKey[] {
  return view.columns.keys.map(({ name, type }) => ({ name: joinKeyMap.get(name) ?? name, type }));
}

function distinctKeys(keys: readonly (readonly OnlineJoinKey[])[]): readonly OnlineJoinKey[] {
  return [...new Map(keys.flat().map((key) => [key.name, key])).values()];
}

function hasSnapshot(view: OnlineView, wanted: bigint | undefined): boolean {
  if (wanted === undefined) return true;
  return view.snapshotId !== null && isAncestor(view.table.metadata, wanted, view.snapshotId);
}

function toEntityRow(entity: EntityRow | Readonly<Record<string, unknown>>): EntityRow {
  return entity instanceof Map ? entity : new Map(Object.entries(entity));
}

function distinctSnapshots(views: readonly OnlineView[]): OnlineResponse['snapshots'] {
  const byName = new Map(views.map((view) => [view.name, view]));
  return [...byName.values()].map(({ name, table, snapshotId }) => ({
    view: name,
    table: [...table.identifier.namespace, table.identifier.name].join('.'),
    snapshotId,
  }));
}
