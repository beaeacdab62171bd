import type { Catalog, TableIdentifier } from '../catalogs/index.js';
import { isMoraineError } from '../errors/index.js';
import type { MaintenanceDeps } from '../maintenance/index.js';
import { loadTable, type Table } from '../tables/index.js';
import { datasetDeps } from './dataset-deps.js';
import type { Project } from './project.js';

/** What maintenance needs, from a project. */
export function maintenanceDeps(project: Project): MaintenanceDeps {
  const onlineNamespace = project.config.online.namespace.split('.');
  return {
    loadTable: (name) => project.loadTable(name),
    tables: () => allTables(project),
    registry: async () => (await project.registry()).read(),
    datasets: async () => (await datasetDeps(project)).datasets.list(),
    onlineTable: async (name) => {
      try {
        return await loadTable(await project.catalog(), project.io, { namespace: onlineNamespace, name });
      } catch (error) {
        if (isMoraineError(error, 'TABLE_NOT_FOUND', 'NAMESPACE_NOT_FOUND')) return null;
        throw error;
      }
    },
    nowMs: () => BigInt(Date.now()),
  };
}

/** Every table of every configured catalog. */
async function* allTables(project: Project): AsyncGenerator<Table> {
  for await (const { catalog, identifier } of tableNames(project)) {
    try {
      yield await loadTable(catalog, project.io, identifier);
    } catch (error) {
      if (!isMoraineError(error, 'TABLE_NOT_FOUND')) throw error; // dropped meanwhile
    }
  }
}

/** The name of every table of every configured catalog. */
export async function* tableNames(
  project: Project,
): AsyncGenerator<{ readonly catalog: Catalog; readonly identifier: TableIdentifier }> {
  for (const name of project.config.catalogs.keys()) {
    const catalog = await project.catalog(name);
    for (const namespace of await allNamespaces((parent) => catalog.listNamespaces(parent))) {
      for (const identifier of await catalog.listTables(namespace)) yield { catalog, identifier };
    }
  }
}

type ListNamespaces = (parent?: readonly string[]) => Promise<readonly (readonly string[])[]>;

async function allNamespaces(list: ListNamespaces, parent?: readonly string[]): Promise<(readonly string[])[]> {
  const found: (readonly string[])[] = [];
  for (const namespace of await list(parent)) {
    found.push(namespace, ...(await allNamespaces(list, namespace)));
  }
  return found;
}
