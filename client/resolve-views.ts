/** Every feature view bound to its source table. */
import type { TableIdentifier } from '../catalogs/index.js';
import type { CatalogConfig } from '../config/index.js';
import { type Definitions, type ResolvedView, resolveView } from '../features/index.js';
import { currentSchema } from '../iceberg/index.js';
import type { Project } from '../project/index.js';
import { mapConcurrently, storeOptionsAt } from '../storage/index.js';

/** A view with the place of its source table. */
export interface BoundView {
  readonly resolved: ResolvedView;
  readonly table: {
    readonly catalog: CatalogConfig;
    readonly identifier: TableIdentifier;
    /** Options of the store that it lies in; some are secrets. */
    readonly storage: Readonly<Record<string, string>>;
  };
}

/** By the names of the views. @throws TABLE_NOT_FOUND, DEFINITION_INVALID for a view that does not fit its source */
export async function resolveViews(
  project: Project,
  definitions: Definitions,
): Promise<ReadonlyMap<string, BoundView>> {
  const bound = await mapConcurrently([...definitions.featureViews.values()], async ({ name, source }) => {
    const { catalog, identifier } = await project.resolveTable(source.table);
    const config = project.config.catalogs.get(catalog.name);
    if (config === undefined) throw new TypeError(`No configuration of the catalog ${catalog.name}`);
    const { metadata } = await catalog.loadTable(identifier, { snapshots: 'refs' });
    const resolved = resolveView(definitions, name, currentSchema(metadata));
    const storage = storeOptionsAt(project.config.storage, metadata.location);
    return [name, { resolved, table: { catalog: config, identifier, storage } }] as const;
  });
  return new Map(bound);
}
