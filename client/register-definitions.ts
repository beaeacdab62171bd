/** Registering definitions that must not change what is registered. */
import { MoraineError } from '../errors/index.js';
import type { ApplyPlan, DefinitionKind, Definitions } from '../features/index.js';
import type { Project } from '../project/index.js';
import { applyDefinitions } from './apply-definitions.js';

/**
 * Registers definitions in one commit, checked against their sources as `apply` does it. What is registered alike stays as it is.
 *
 * @throws `DEFINITION_ALREADY_EXISTS` if a definition of one of the names differs; otherwise as `applyDefinitions`
 */
export async function registerDefinitions(project: Project, definitions: Definitions): Promise<void> {
  await applyDefinitions(project, definitions, { onPlan: async (plan) => refuseChanges(plan) });
}

const KINDS: Readonly<Record<DefinitionKind, string>> = {
  entity: 'entity',
  featureView: 'feature view',
  featureService: 'feature service',
};

function refuseChanges({ changes }: ApplyPlan): void {
  const change = changes.find(({ action }) => action !== 'create' && action !== 'unchanged');
  if (change === undefined) return;
  const fields = change.fields.map(({ path }) => path).join(', ');
  throw new MoraineError(
    'DEFINITION_ALREADY_EXISTS',
    `The ${KINDS[change.kind]} '${change.name}' is registered already, and differs in ${fields}.`,
  );
}
