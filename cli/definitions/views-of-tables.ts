/** The feature views of a project by the tables that they read, for those who have to name another table there. */
import { relative } from 'node:path';
import { formatTableName, parseTableName } from '../../catalogs/index.js';
import type { FeatureView } from '../../features/index.js';
import type { Project } from '../../project/index.js';
import { readDefinitionFiles } from './definition-files.js';

/** A feature view, as it names its table. */
export interface ViewOfTable {
  readonly featureView: string;
  /** `[CATALOG/]NS.TABLE`, as it is written. */
  readonly table: string;
  /** Where it is defined, from the project's folder; null: it is registered, and the project configures no files. */
  readonly file: string | null;
}

/**
 * The views of a project's files, or of its registry if no files are configured, by `CATALOG/NS.TABLE`.
 * @throws MoraineError as reading definitions does
 */
export async function viewsOfTables(project: Project): Promise<ReadonlyMap<string, readonly ViewOfTable[]>> {
  const { definitions: files, directory, defaultCatalog } = project.config;
  const views = new Map<string, ViewOfTable[]>();
  const add = ({ name, source: { table } }: FeatureView, file: string | null): void => {
    const { catalog = defaultCatalog, identifier } = parseTableName(table);
    const full = formatTableName(identifier, catalog);
    views.set(full, [...(views.get(full) ?? []), { featureView: name, table, file }]);
  };
  for (const file of files) {
    const { featureViews } = await readDefinitionFiles([file]);
    for (const view of featureViews.values()) add(view, relative(directory, file));
  }
  if (files.length > 0) return views;
  const { definitions } = await (await project.registry()).read();
  for (const view of definitions.featureViews.values()) add(view, null);
  return views;
}
