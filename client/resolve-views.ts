/** Every feature view bound to its source table. */
import type { TableIdentifier } from '../catalogs/index.js';
import type { CatalogConfig } from '../config/index.js';
import { isMoraineError, type MoraineError } from '../errors/index.js';
import { type Definitions, type FeatureView, type ResolvedView, resolveView } from '../features/index.js';
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

/** Every view by its name, in one of both. */
export interface BoundViews {
  readonly views: ReadonlyMap<string, BoundView>;
  /** Why views cannot be bound: their source table is not there, or they do not fit it. */
  readonly unbound: ReadonlyMap<string, MoraineError>;
}

/** @throws what waiting may change, such as a catalog that does not answer */
export async function resolveViews(project: Project, definitions: Definitions): Promise<BoundViews> {
  const bind = async ({ name, source }: FeatureView): Promise<BoundView> => {
    const { catalog, identifier } = await project.resolveTable(source.table);
    const config = project.config.catalogs.get(catalog.name);
    if (config === undefined) throw new TypeError(`No configuration of the catalog ${catalog.name}`);
    const { metadata } = await catalog.loadTable(identifier, { snapshots: 'refs' });
    const resolved = resolveView(definitions, name, currentSchema(metadata));
    const storage = storeOptionsAt(project.config.storage, metadata.location);
    return { resolved, table: { catalog: config, identifier, storage } };
  };
  const found = await mapConcurrently([...definitions.featureViews.values()], async (view) => {
    const { name } = view;
    try {
      return { name, bound: await bind(view) };
    } catch (error) {
      if (isMoraineError(error) && !error.retryable) return { name, error };
      throw error;
    }
  });
  return {
    views: new Map(found.flatMap(({ name, bound }) => (bound === undefined ? [] : [[name, bound] as const]))),
    unbound: new Map(found.flatMap(({ name, error }) => (error === undefined ? [] : [[name, error] as const]))),
  };
}
