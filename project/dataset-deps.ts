import { parseTableName } from '../catalogs/index.js';
import { DatasetRegistry, type HistoricalDeps, type SaveDeps } from '../features/index.js';
import { materializationDeps } from './materialization-deps.js';
import type { Project } from './project.js';

/** Dependencies of retrieving, saving and replaying datasets, from a project. The table of datasets lies beside the registry of definitions. */
export async function datasetDeps(project: Project): Promise<HistoricalDeps & SaveDeps> {
  const { namespace } = parseTableName(project.config.registry.table).identifier;
  const deps = await materializationDeps(project);
  const { catalog, io, engine } = deps;
  return {
    ...deps,
    datasets: new DatasetRegistry({ catalog, io, engine, table: { namespace, name: 'datasets' } }),
    resolveTarget: (name) => project.resolveTable(name),
  };
}
