/** Which features of which views a request asks for. */

import { didYouMean, MoraineError } from '../../errors/index.js';
import type { FeatureOfView, FeatureServiceDefinition, FeatureViewDefinition } from '../definitions/define.js';
import type { Definitions, FeatureReference } from '../definitions/definition.js';
import { featureNotFound, findFeatureService, findFeatureView } from '../definitions/definition.js';
import { canonicalJson } from '../definitions/definition-hash.js';
import { parseFeatureReference } from '../definitions/parse-definitions.js';
import type { ResolvedColumn, ResolvedView } from '../views/resolve-view.js';

/** A feature as a request may name it: `view:feature`, `view` (all its features), a definition, or an object. */
export type RequestedFeature = string | FeatureReference | FeatureOfView | FeatureViewDefinition;

/** Features of a request: single ones, or a service. */
export interface FeatureSelection {
  readonly features?: readonly RequestedFeature[];
  /** Name of a feature service, or its definition. */
  readonly service?: string | FeatureServiceDefinition;
}

/** One view of a request, once for each name it has there. */
export interface RequestedView {
  /** The view's name, or its alias in this request. */
  readonly alias: string;
  readonly view: string;
  /** Undefined: all. In the order of the request, each once. */
  readonly features: readonly string[] | undefined;
  readonly joinKeyMap: ReadonlyMap<string, string>;
}

/**
 * The views of a request, each with all features that any part of the request names.
 * @throws INVALID_ARGUMENT, FEATURE_VIEW_NOT_FOUND, FEATURE_SERVICE_NOT_FOUND, each with the nearest names
 */
export function requestedViews(definitions: Definitions, selection: FeatureSelection): readonly RequestedView[] {
  const byAlias = new Map<string, RequestedView>();
  for (const reference of references(definitions, selection)) {
    findFeatureView(definitions, reference.view);
    const alias = reference.alias ?? reference.view;
    const former = byAlias.get(alias);
    byAlias.set(
      alias,
      former === undefined ? requestedView(reference, alias) : merge(former, requestedView(reference, alias)),
    );
  }
  return [...byAlias.values()];
}

function references(definitions: Definitions, selection: FeatureSelection): readonly FeatureReference[] {
  const { features, service } = selection;
  if ((features === undefined) === (service === undefined)) {
    throw new MoraineError('INVALID_ARGUMENT', 'Give either a list of features or a feature service.');
  }
  if (service !== undefined)
    return findFeatureService(definitions, typeof service === 'string' ? service : service.name).features;
  if (features === undefined || features.length === 0)
    throw new MoraineError('INVALID_ARGUMENT', 'No feature is asked for.');
  return features.map((feature) => {
    const reference = featureReference(feature);
    if (reference !== undefined) return reference;
    const shown = typeof feature === 'string' ? feature : canonicalJson(plain(feature) as never);
    throw new MoraineError('INVALID_ARGUMENT', `'${shown}' is neither 'view' nor 'view:feature'.`);
  });
}

/** Reads a feature as a request names it. Undefined if it is none. */
export function featureReference(feature: RequestedFeature): FeatureReference | undefined {
  return parseFeatureReference(plain(feature));
}

function plain(feature: RequestedFeature): unknown {
  if (typeof feature === 'string' || !('kind' in feature)) return feature;
  return feature.kind === 'feature' ? { view: feature.view, features: [feature.feature] } : { view: feature.name };
}

function requestedView(reference: FeatureReference, alias: string): RequestedView {
  const joinKeyMap = reference.joinKeyMap ?? new Map<string, string>();
  return { alias, view: reference.view, features: reference.features, joinKeyMap };
}

function merge(a: RequestedView, b: RequestedView): RequestedView {
  if (a.view !== b.view) {
    throw new MoraineError(
      'DUPLICATE_NAME',
      `Views '${a.view}' and '${b.view}' are both called '${a.alias}' here; give one another alias.`,
    );
  }
  if (canonicalJson(a.joinKeyMap) !== canonicalJson(b.joinKeyMap)) {
    throw new MoraineError(
      'DUPLICATE_NAME',
      `View '${a.view}' is asked for with two join key maps; give one of them an alias.`,
    );
  }
  const features = a.features === undefined || b.features === undefined ? undefined : [...a.features, ...b.features];
  return { ...a, features };
}

/**
 * The features of a view that are asked for.
 * @throws FEATURE_NOT_FOUND with the nearest names; INVALID_ARGUMENT for a join key that the view does not have
 */
export function selectedFeatures(requested: RequestedView, view: ResolvedView): readonly ResolvedColumn[] {
  const keys = view.joinKeys.map((key) => key.name);
  for (const key of requested.joinKeyMap.keys()) {
    if (keys.includes(key)) continue;
    throw new MoraineError(
      'INVALID_ARGUMENT',
      `View '${view.name}' has no join key '${key}'. ${didYouMean(key, keys)}`,
    );
  }
  if (requested.features === undefined) return view.features;
  return requested.features.map((name) => {
    const feature = view.features.find((candidate) => candidate.name === name);
    if (feature !== undefined) return feature;
    const known = view.features.map((candidate) => candidate.name);
    throw featureNotFound(view.name, name, known);
  });
}

/** The name of a feature in the answer: its own, or `view__feature`. */
export function outputName(alias: string, feature: string, fullFeatureNames: boolean): string {
  return fullFeatureNames ? `${alias}__${feature}` : feature;
}

/** @throws DUPLICATE_NAME if two columns of an answer would have the same name */
export function refuseDuplicateNames(columns: readonly { readonly name: string; readonly from: string }[]): void {
  const seen = new Map<string, string>();
  for (const { name, from } of columns) {
    const other = seen.get(name);
    if (other !== undefined) {
      const remedy = 'Ask for full feature names, or give a view an alias.';
      throw new MoraineError('DUPLICATE_NAME', `Both ${other} and ${from} would be the column '${name}'. ${remedy}`);
    }
    seen.set(name, from);
  }
}
