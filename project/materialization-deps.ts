import type { MaterializationDeps } from '../materialization/index.js';
import type { Project } from './project.js';

/** Dependencies of materialization, online reads and retrieval, from a project: online tables and registry live in its default catalog. */
export async function materializationDeps(project: Project): Promise<MaterializationDeps> {
  const { config, io } = project;
  const registry = await project.registry();
  return {
    catalog: await project.catalog(),
    io,
    engine: await project.engine(),
    settings: { namespace: config.online.namespace.split('.'), buckets: config.online.buckets },
    definitions: async () => (await registry.read()).definitions,
    loadSource: (name) => project.loadTable(name),
  };
}
