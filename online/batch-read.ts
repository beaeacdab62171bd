/** Reads of many entities over all views, online or not. */
import { findFeatureView, type HistoricalDeps } from '../features/index.js';
import { getOnlineFeatures, type OnlineDeps } from './online-reader.js';
import type { OnlineRequest, OnlineResponse } from './online-request.js';
import { outputNames } from './select-features.js';
import { readSources } from './source-read.js';

/** The views to read, all features of each, and the entities. */
export interface BatchRequest
  extends Pick<OnlineRequest, 'entities' | 'readKeyValue' | 'fullFeatureNames' | 'readTimeoutMs'> {
  /** Names of feature views. */
  readonly views: readonly string[];
  /** As of when, in microseconds since the epoch; now by default. */
  readonly nowUs?: bigint | undefined;
}

/**
 * The newest values at a time: of online views from their online tables, of others from their source tables. Each view is read at one snapshot,
 * which `snapshots` names; the features are in the order of the views.
 * @throws as `OnlineReader.getOnlineFeatures` and `getHistoricalFeatures`
 */
export async function readBatch(deps: OnlineDeps & HistoricalDeps, request: BatchRequest): Promise<OnlineResponse> {
  const { nowUs = BigInt(Date.now()) * 1000n, fullFeatureNames = false } = request;
  const definitions = await deps.definitions();
  const views = [...new Set(request.views)];
  const isOnline = (name: string): boolean => findFeatureView(definitions, name).online;
  const [online, others] = [views.filter(isOnline), views.filter((name) => !isOnline(name))];
  const same = { ...deps, definitions: () => Promise.resolve(definitions) };
  // Names are made once all features are known: until then they are full, so that views do not collide.
  const common = { ...request, nowUs, fullFeatureNames: true };
  const responses = [
    ...(online.length === 0 ? [] : [await getOnlineFeatures(same, { ...common, features: online })]),
    ...(others.length === 0 ? [] : [await readSources(same, { ...common, views: others })]),
  ];
  return { ...joined(responses, views, fullFeatureNames), nowUs };
}

/** Responses of other views each as one. @throws DUPLICATE_NAME */
function joined(
  responses: readonly OnlineResponse[],
  views: readonly string[],
  fullFeatureNames: boolean,
): Omit<OnlineResponse, 'nowUs'> {
  const placeOf = ({ view }: { readonly view: string }): number => views.indexOf(view);
  const all = responses.flatMap(({ features }) => features);
  const order = all.map((_, index) => index).sort((a, b) => placeOf(all[a] ?? NONE) - placeOf(all[b] ?? NONE) || a - b);
  const features = order.flatMap((index) => all[index] ?? []);
  const names = outputNames(features, fullFeatureNames);
  const keys = responses.flatMap(({ joinKeys }) => joinKeys);
  return {
    features: features.map((feature, index) => ({ ...feature, name: names[index] ?? feature.name })),
    joinKeys: [...new Map(keys.map((key) => [key.name, key])).values()],
    rows: (responses[0]?.rows ?? []).map((_, row) => {
      const values = responses.flatMap(({ rows }) => rows[row] ?? []);
      return order.flatMap((index) => values[index] ?? []);
    }),
    snapshots: responses.flatMap(({ snapshots }) => snapshots).sort((a, b) => placeOf(a) - placeOf(b)),
    stalenessMs: responses.reduce((longest, response) => Math.max(longest, response.stalenessMs), 0),
  };
}

const NONE = { view: '' };
