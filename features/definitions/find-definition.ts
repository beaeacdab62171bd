/** Definitions by name; a name that is not registered is an error that suggests the nearest ones. */
import { didYouMean, MoraineError } from '../../errors/index.js';
import type { Definitions, FeatureService, FeatureView } from './definition.js';

/** @throws FEATURE_VIEW_NOT_FOUND with the nearest names */
export function findFeatureView({ featureViews }: Pick<Definitions, 'featureViews'>, name: string): FeatureView {
  const view = featureViews.get(name);
  if (view !== undefined) return view;
  const hint = didYouMean(name, featureViews.keys());
  throw new MoraineError('FEATURE_VIEW_NOT_FOUND', `There is no feature view '${name}'. ${hint}`);
}

/** @throws FEATURE_SERVICE_NOT_FOUND with the nearest names */
export function findFeatureService(
  { featureServices }: Pick<Definitions, 'featureServices'>,
  name: string,
): FeatureService {
  const service = featureServices.get(name);
  if (service !== undefined) return service;
  const hint = didYouMean(name, featureServices.keys());
  throw new MoraineError('FEATURE_SERVICE_NOT_FOUND', `There is no feature service '${name}'. ${hint}`);
}

/** The error for a feature that its view does not have. */
export function featureNotFound(view: string, name: string, known: Iterable<string>): MoraineError {
  return new MoraineError(
    'FEATURE_NOT_FOUND',
    `Feature view '${view}' has no feature '${name}'. ${didYouMean(name, known)}`,
  );
}
