import { isMoraineError } from '../errors/index.js';
import type { Project } from '../project/index.js';
import type { ScheduleOwner } from '../schedules/index.js';
import { workers } from './temporal-run.js';

/** A project as its schedules know it. It has no identity until there is a registry. */
export async function scheduleOwner(project: Project): Promise<ScheduleOwner> {
  const { resolveTemporalSettings } = await workers();
  const { taskQueue } = resolveTemporalSettings(project.config.temporal);
  const [id, registry] = [await project.knownIdentity(), await registryUuid(project)];
  return { project: id, registry, taskQueue };
}

async function registryUuid(project: Project): Promise<string | null> {
  try {
    return (await project.loadTable(project.config.registry.table)).metadata.tableUuid;
  } catch (error) {
    if (isMoraineError(error, 'TABLE_NOT_FOUND', 'NAMESPACE_NOT_FOUND')) return null;
    throw error;
  }
}
