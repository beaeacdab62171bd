/** File sources whose files are those of an Iceberg table. */
import { join } from 'node:path';
import type { MoraineConfig } from '../config/index.js';
import type { Findings } from './finding.js';
import { sourceKind } from './iceberg-source.js';
import type { FeastDataSource, FeastFeatureView } from './registry-proto.js';
import type { FeastRepository } from './repository.js';
import type { ViewSource, ViewSources } from './view-sources.js';

/** Looks for the tables that folders with data files belong to, under a configuration: names by folder, of those that are found. */
export type FindTables = (config: MoraineConfig, folders: readonly string[]) => Promise<ReadonlyMap<string, string>>;

const isBucket = (uri: string): boolean => /^s3[an]?:\/\//.test(uri);

/**
 * The folder of a source's files: that of a glob before its first wildcard, or the folder itself. Undefined for a single file, which is not
 * a table, and for places that are neither folders of this machine nor buckets.
 */
export function foldersOfFiles(source: FeastDataSource, base: string): string | undefined {
  const uri = source.file_options?.uri ?? '';
  if (sourceKind(source) !== 'file source' || uri === '') return undefined;
  const local = uri.replace(/^file:(\/\/)?(?=\/)/, '');
  if (!isBucket(uri) && /^[A-Za-z][A-Za-z0-9+.-]*:/.test(local)) return undefined;
  const place = isBucket(uri) || local.startsWith('/') ? local : join(base, local);
  const wildcard = place.search(/[*?[]/);
  if (wildcard < 0 && /\.[A-Za-z0-9]+$/.test(place)) return undefined;
  const fixed = wildcard < 0 ? place : place.slice(0, place.lastIndexOf('/', wildcard));
  return fixed.replace(/\/+$/, '');
}

/** The address of the store that file sources name, where they agree on one. */
export function endpointOfFiles({ registry }: FeastRepository): string | undefined {
  const named = registry.featureViews.map(({ batch_source: source }) => source?.file_options?.s3_endpoint_override);
  const [endpoint, ...others] = new Set(named.filter((each) => each !== undefined && each !== ''));
  return others.length === 0 ? endpoint : undefined;
}

/** Whether a view takes its rows as they are in its source. */
const readsFiles = (view: FeastFeatureView): boolean =>
  view.feature_transformation === null && view.source_views.length === 0;

/** The address of the store that has a bucket. */
function endpointAt({ storage }: MoraineConfig, uri: string): string | undefined {
  const place = withSlash(uri);
  const store = storage.stores.find(({ roots }) => roots.some((root) => place.startsWith(withSlash(root))));
  return (store ?? storage).options['s3.endpoint'];
}

const withSlash = (place: string): string => `${place.replace(/^s3[an]:/, 's3:').replace(/\/+$/, '')}/`;

/** The sources with, for views of files, the tables that these belong to. */
export async function withTablesOfFiles(
  repository: FeastRepository,
  located: ViewSources,
  config: MoraineConfig,
  findTables: FindTables,
  findings: Findings,
): Promise<ViewSources> {
  const folders = new Map<string, { readonly folder: string; readonly uri: string }>();
  for (const view of repository.registry.featureViews) {
    const { batch_source: source } = view;
    const folder = source === null ? undefined : foldersOfFiles(source, repository.folder);
    if (source === null || folder === undefined || !readsFiles(view)) continue;
    const { uri = '', s3_endpoint_override: other = '' } = source.file_options ?? {};
    // A bucket of the same name in another store.
    if (isBucket(uri) && other !== '' && other !== endpointAt(config, uri)) continue;
    folders.set(view.name, { folder, uri });
  }
  if (folders.size === 0 || config.catalogs.size === 0) return located;
  const tables = await findTables(config, [...new Set([...folders.values()].map(({ folder }) => folder))]);
  const sources = [...located.sources].map(([view, source]): [string, ViewSource] => {
    const files = folders.get(view);
    const table = files === undefined ? undefined : tables.get(files.folder);
    if (files === undefined || table === undefined) return [view, source];
    findings.changed('feature view', view, {
      reason: `it reads the files ${files.uri}, which belong to the table ${table}: here it reads the rows that the table has now, so none of files that the table has given up, and none that were deleted`,
      remedy: 'Nothing needs to be done.',
    });
    return [view, { table }];
  });
  return { ...located, sources: new Map(sources) };
}
