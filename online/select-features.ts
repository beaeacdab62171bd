/** Which features a request asks for, and what each is called in the answer. Pure. */
import { MoraineError } from '../errors/index.js';
import {
  type Definitions,
  type FeatureReference,
  type FeatureServiceDefinition,
  type FeatureView,
  type FeatureViewDefinition,
  featureReference,
  findFeatureService,
  findFeatureView,
  type RequestedFeature,
} from '../features/index.js';
import { joinKeysOf } from './view-columns.js';

/** Exactly one of the three. */
export interface FeatureSelection {
  /** `view:feature`, `view:feature,feature`, `view` for all of it, definitions, or references. */
  readonly features?: readonly RequestedFeature[] | undefined;
  /** Name of a feature service, or its definition. */
  readonly service?: string | FeatureServiceDefinition | undefined;
  /** All features of one view: its name, or its definition. */
  readonly view?: string | FeatureViewDefinition | undefined;
}

/** One view of a request; the same view may be selected several times under other aliases. */
export interface SelectedView {
  readonly view: FeatureView;
  /** Names of its join keys, in order. */
  readonly joinKeys: readonly string[];
  /** The view's name in this request. */
  readonly alias: string;
  /** Join key of the view -> key in the request's entities. */
  readonly joinKeyMap: ReadonlyMap<string, string>;
  /** Undefined: all of its features. */
  readonly features: readonly string[] | undefined;
}

/** Resolves a selection. @throws INVALID_ARGUMENT, FEATURE_VIEW_NOT_FOUND, FEATURE_SERVICE_NOT_FOUND, FEATURE_NOT_FOUND */
export function selectViews(definitions: Definitions, selection: FeatureSelection): readonly SelectedView[] {
  const references = mergeReferences(referencesOf(definitions, selection));
  if (references.length === 0) throw new MoraineError('INVALID_ARGUMENT', 'The request names no feature.');
  return references.map((reference) => selectView(definitions, reference));
}

function referencesOf(
  definitions: Definitions,
  { features, service, view }: FeatureSelection,
): readonly FeatureReference[] {
  if ([features, service, view].filter((given) => given !== undefined).length !== 1) {
    throw new MoraineError('INVALID_ARGUMENT', 'Give exactly one of: features, a feature service, a feature view.');
  }
  if (view !== undefined) return [{ view: nameOf(view) }];
  if (service !== undefined) return findFeatureService(definitions, nameOf(service)).features;
  return (features ?? []).map((feature) => {
    const reference = featureReference(feature);
    if (reference !== undefined) return reference;
    throw new MoraineError(
      'INVALID_ARGUMENT',
      `${JSON.stringify(feature)} is not a feature reference; write view:feature.`,
    );
  });
}

function nameOf(named: string | { readonly name: string }): string {
  return typeof named === 'string' ? named : named.name;
}

/** `view:a` and `view:b` are one read of the view, unless alias or key mapping differ. */
function mergeReferences(references: readonly FeatureReference[]): readonly FeatureReference[] {
  const merged = new Map<string, FeatureReference>();
  for (const reference of references) {
    const key = JSON.stringify([reference.view, reference.alias ?? null, [...(reference.joinKeyMap ?? [])]]);
    const before = merged.get(key);
    merged.set(key, before === undefined ? reference : joined(before, reference));
  }
  return [...merged.values()];
}

/** All features if one of the two asks for all. */
function joined(before: FeatureReference, next: FeatureReference): FeatureReference {
  if (before.features === undefined) return before;
  if (next.features === undefined) return { ...next };
  return { ...before, features: [...before.features, ...next.features] };
}

function selectView(definitions: Definitions, reference: FeatureReference): SelectedView {
  const view = findFeatureView(definitions, reference.view);
  if (!view.online) {
    throw new MoraineError(
      'INVALID_ARGUMENT',
      `Feature view '${view.name}' is not online: set online: true, apply and materialize it.`,
    );
  }
  return {
    view,
    joinKeys: joinKeysOf(view, definitions),
    alias: reference.alias ?? view.name,
    joinKeyMap: reference.joinKeyMap ?? new Map(),
    features: reference.features,
  };
}

/** Names of the answer's columns. @throws DUPLICATE_NAME before anything is read */
export function outputNames(
  columns: readonly { readonly alias: string; readonly feature: string }[],
  fullFeatureNames: boolean,
): readonly string[] {
  const result = columns.map(({ alias, feature }) => (fullFeatureNames ? `${alias}__${feature}` : feature));
  const duplicate = result.find((name, index) => result.indexOf(name) !== index);
  if (duplicate === undefined) return result;
  const remedy = fullFeatureNames ? 'Give one of the views an alias' : 'Ask for full feature names';
  throw new MoraineError(
    'DUPLICATE_NAME',
    `Two features of the request would both be called '${duplicate}'. ${remedy}, or choose fewer features.`,
  );
}
