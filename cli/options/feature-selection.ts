import { MoraineError } from '../../errors/index.js';
import type { FeatureSelection } from '../../features/index.js';
import type { Project } from '../../project/index.js';

/** `view:feature,..`, or one name: of a service, or else of a view with all its features. */
export async function featureSelection(project: Project, text: string): Promise<FeatureSelection> {
  const names = text.split(',').map((name) => name.trim());
  if (names.includes(''))
    throw new MoraineError('INVALID_ARGUMENT', `--features ${JSON.stringify(text)}: a name is missing`);
  const [only = ''] = names;
  if (names.length > 1 || only.includes(':')) return { features: names };
  const registry = await project.registry();
  const { definitions } = await registry.read();
  return definitions.featureServices.has(only) ? { service: only } : { features: names };
}
