import type { CompactDeps } from '../maintenance/index.js';
import type { Project } from './project.js';

/** Dependencies of compaction, from a project. */
export async function compactDeps(project: Project): Promise<CompactDeps> {
  const registry = await project.registry();
  return {
    io: project.io,
    engine: await project.engine(),
    loadTable: (name) => project.loadTable(name),
    definitions: async () => (await registry.read()).definitions,
  };
}
