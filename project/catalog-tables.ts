/** The tables of a catalog, by name. */
import type { Catalog, TableIdentifier } from '../catalogs/index.js';

/** Every table of a catalog, namespace by namespace. */
export async function* catalogTables(catalog: Catalog): AsyncGenerator<TableIdentifier> {
  for (const namespace of await allNamespaces((parent) => catalog.listNamespaces(parent))) {
    yield* await catalog.listTables(namespace);
  }
}

/** Every view of a catalog that has views of its own. */
export async function* catalogViews(catalog: Catalog): AsyncGenerator<TableIdentifier> {
  if (catalog.listViews === undefined) return;
  for (const namespace of await allNamespaces((parent) => catalog.listNamespaces(parent))) {
    yield* await catalog.listViews(namespace);
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
