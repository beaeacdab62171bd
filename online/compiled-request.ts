/** Requests by their shape: the views and features that they ask for, found once for each state of the definitions and of the tables. */
import type { Definitions } from '../features/index.js';
import type { NestedField } from '../iceberg/index.js';
import type { EntityKeyPart } from './entity-key.js';
import { currentSnapshotName } from './lineage.js';
import type { OnlineFeature, OnlineJoinKey, OnlineRequest, OnlineResponse } from './online-request.js';
import type { OnlineView } from './online-view.js';
import { outputNames, type SelectedView, selectViews } from './select-features.js';
import { answerable } from './view-refusal.js';

/** The views of a request, by the definitions. */
export interface CompiledRequest {
  readonly definitions: Definitions;
  readonly selected: readonly SelectedView[];
  /** Names of the views, each once. */
  readonly views: readonly string[];
  /** For the states of the views that were read last. */
  bound: BoundRequest | undefined;
}

/** A request at one state of each view. */
export interface BoundRequest {
  readonly states: ReadonlyMap<string, OnlineView>;
  readonly views: readonly BoundView[];
  readonly answer: Pick<OnlineResponse, 'features' | 'joinKeys' | 'snapshots'>;
}

/** One view of a request. */
export interface BoundView {
  readonly view: OnlineView;
  readonly ttlUs: bigint | null;
  /** The join keys by the names that they have in the request. */
  readonly keys: readonly EntityKeyPart[];
  readonly features: readonly NestedField[];
  /** The places of the features among those of the table. */
  readonly places: readonly number[];
}

/** Shapes that are kept for one state of the definitions. */
const MAX_SHAPES = 1_000;
const MICROS_PER_MILLI = 1000n;

/** Keeps what requests of the same shape have in common. */
export class RequestCompiler {
  #definitions: Definitions | undefined;
  readonly #known = new Map<string, CompiledRequest>();

  /** A request of a shape that was compiled before, with these definitions. */
  known(definitions: Definitions, request: OnlineRequest): CompiledRequest | undefined {
    const shape = definitions === this.#definitions ? shapeOf(request) : undefined;
    return shape === undefined ? undefined : this.#known.get(shape);
  }

  /** @throws INVALID_ARGUMENT, FEATURE_VIEW_NOT_FOUND, FEATURE_SERVICE_NOT_FOUND, FEATURE_NOT_FOUND */
  compile(definitions: Definitions, request: OnlineRequest): CompiledRequest {
    const known = this.known(definitions, request);
    if (known !== undefined) return known;
    if (definitions !== this.#definitions) {
      this.#known.clear();
      this.#definitions = definitions;
    }
    const shape = shapeOf(request);
    const selected = selectViews(definitions, request);
    const views = [...new Set(selected.map(({ view }) => view.name))];
    const compiled: CompiledRequest = { definitions, selected, views, bound: undefined };
    if (shape === undefined) return compiled;
    if (this.#known.size >= MAX_SHAPES) this.#known.clear();
    this.#known.set(shape, compiled);
    return compiled;
  }
}

/** Undefined for a request that brings definitions or references of its own. */
function shapeOf({ features, service, view, fullFeatureNames }: OnlineRequest): string | undefined {
  if (features === undefined ? false : !features.every((feature) => typeof feature === 'string')) return undefined;
  if (typeof service === 'object' || typeof view === 'object') return undefined;
  return JSON.stringify([features, service, view, fullFeatureNames ?? false]);
}

/**
 * The request at these states; the views answer it, as `refusalOf` says.
 * @throws DUPLICATE_NAME
 */
export function bindRequest(
  compiled: CompiledRequest,
  states: ReadonlyMap<string, OnlineView>,
  fullFeatureNames: boolean,
): BoundRequest {
  const { bound } = compiled;
  if (bound !== undefined && compiled.views.every((name) => bound.states.get(name) === states.get(name))) return bound;
  const views = compiled.selected.map((selection) =>
    bindView(selection, states.get(selection.view.name) as OnlineView),
  );
  const named = compiled.selected.flatMap(({ view, alias }, index) =>
    (views[index]?.features ?? []).map((field) => ({ view: view.name, alias, field })),
  );
  const names = outputNames(
    named.map(({ alias, field }) => ({ alias, feature: field.name })),
    fullFeatureNames,
  );
  const features = named.map(({ view, alias, field }, index): OnlineFeature => {
    return { name: names[index] ?? field.name, view, alias, feature: field.name, type: field.type };
  });
  const keys = views.flatMap((view): readonly OnlineJoinKey[] => view.keys);
  const joinKeys = [...new Map(keys.map((key) => [key.name, key])).values()];
  compiled.bound = { states, views, answer: { features, joinKeys, snapshots: snapshotsOf([...states.values()]) } };
  return compiled.bound;
}

function bindView(selection: SelectedView, view: OnlineView): BoundView {
  const { ttlMs } = selection.view;
  const { joinKeyMap } = selection;
  const features = chooseFeatures(selection, view);
  return {
    view,
    ttlUs: ttlMs === null ? null : ttlMs * MICROS_PER_MILLI,
    keys: view.columns.keys.map(({ name, type }) => ({ name: joinKeyMap.get(name) ?? name, type })),
    features,
    places: features.map((feature) => view.columns.features.indexOf(feature)),
  };
}

/** The columns to read; all that are asked for are there. */
function chooseFeatures(selection: SelectedView, view: OnlineView): readonly NestedField[] {
  const known = answerable(selection, view);
  if (selection.features === undefined) return known;
  const byName = new Map(known.map((field) => [field.name, field]));
  return [...new Set(selection.features)].flatMap((name) => byName.get(name) ?? []);
}

function snapshotsOf(views: readonly OnlineView[]): OnlineResponse['snapshots'] {
  return views.map(({ name, table }) => ({
    view: name,
    table: [...table.identifier.namespace, table.identifier.name].join('.'),
    ...currentSnapshotName(table),
  }));
}
