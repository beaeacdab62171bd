/** The tables that feature views read. */
import { formatTableName } from '../catalogs/index.js';
import type { Obstacle } from './finding.js';
import { icebergTable, sourceKind } from './iceberg-source.js';
import type { ImportedStores } from './import-config.js';
import type { FeastDataSource, FeastFeatureView } from './registry-proto.js';
import type { FeastRepository } from './repository.js';

/** Where a view's rows come from: `[CATALOG/]NS.TABLE`, or why that cannot be said. */
export type ViewSource = { readonly table: string } | Obstacle;

/** The sources of all views by the view's name, and the catalog of tables that name none. */
export interface ViewSources {
  readonly sources: ReadonlyMap<string, ViewSource>;
  readonly defaultCatalog: string | undefined;
}

interface Placed {
  readonly catalog: string;
  readonly namespace: readonly string[];
  readonly table: string;
}

/** Finds the table of every view; catalogs that sources name are added to the stores'. */
export function locateSources(repository: FeastRepository, stores: ImportedStores): ViewSources {
  const placed = repository.registry.featureViews.map((view) => [view.name, place(view, repository, stores)] as const);
  const defaultCatalog = stores.offlineCatalog?.name ?? mostUsed(placed.map(([, place]) => place));
  const name = ({ catalog, namespace, table }: Placed): string =>
    formatTableName({ namespace, name: table }, catalog === defaultCatalog ? undefined : catalog);
  const sources = placed.map(([view, place]): [string, ViewSource] => [
    view,
    'catalog' in place ? { table: name(place) } : place,
  ]);
  return { sources: new Map(sources), defaultCatalog: defaultCatalog ?? stores.catalogs.catalogs.keys().next().value };
}

function place(view: FeastFeatureView, repository: FeastRepository, stores: ImportedStores): Placed | Obstacle {
  const transformed = transformation(view);
  if (transformed !== undefined) return transformed;
  const source = view.batch_source;
  if (source === null) return { reason: 'it has no batch source', remedy: WRITE_TABLE };
  const reference = icebergTable(source, repository.config.offlineStore?.namespace);
  if (reference === undefined) return notIceberg(source);
  if (reference.namespace.length === 0) {
    return {
      reason: `its table ${reference.table} has no namespace`,
      remedy: 'Name the table NAMESPACE.TABLE in Feast, or define the view in features.yaml.',
    };
  }
  const { namespace, table } = reference;
  if (reference.catalog === undefined) {
    return stores.offlineCatalog === undefined
      ? {
          reason: `its table ${table} is in the offline store's catalog, which Moraine cannot open`,
          remedy: 'Register the table in a catalog that it opens, then define the view over it in features.yaml.',
        }
      : { catalog: stores.offlineCatalog.name, namespace, table };
  }
  const catalog = stores.catalogs.add(reference.catalog);
  return 'name' in catalog ? { catalog: catalog.name, namespace, table } : catalog;
}

const WRITE_TABLE = 'Write its rows to an Iceberg table, then define the view over that table in features.yaml.';

function transformation(view: FeastFeatureView): Obstacle | undefined {
  if (view.feature_transformation === null && view.source_views.length === 0) return undefined;
  return {
    reason: 'it computes its features with a Python function or from other views; Moraine reads features from tables',
    remedy: `Compute them in the engine that writes your tables. ${WRITE_TABLE}`,
  };
}

function notIceberg(source: FeastDataSource): Obstacle {
  const uri = source.file_options?.uri;
  const reason = `it reads the ${sourceKind(source)} ${source.name}, which is no Iceberg table that can be named`;
  if (uri === undefined || !/\.parquet$/.test(uri) || /^[a-z][a-z0-9]*:\/\//i.test(uri)) {
    return { reason, remedy: WRITE_TABLE };
  }
  const append = `\`moraine table append NAMESPACE.TABLE ${uri} --create\``;
  return { reason, remedy: `Make a table of its file with ${append}, then define the view over it in features.yaml.` };
}

function mostUsed(places: readonly (Placed | Obstacle)[]): string | undefined {
  const counts = new Map<string, number>();
  for (const item of places) if ('catalog' in item) counts.set(item.catalog, (counts.get(item.catalog) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a)[0]?.[0];
}
