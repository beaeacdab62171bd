/** The common part of requests for runs of one table: the name of their run, and one form for equal requests. */
import { formatTableName } from '../catalogs/index.js';
import { projectName } from '../features/index.js';
import type { Project } from '../project/index.js';
import type { Table } from '../tables/index.js';

/** A table's name as requests give it and runs go by it: without its catalog if that is the default one. */
export function requestTableName({ config }: Project, { catalog, identifier }: TableName): string {
  const isDefault = catalog === undefined || catalog.name === config.defaultCatalog;
  return isDefault ? formatTableName(identifier) : formatTableName(identifier, catalog.name);
}

/** The workflow id of the one run of a table, `<workflow>/<table>@<project>`. */
export function tableRunId(workflow: 'compact' | 'maintain', table: string, project: string | null): string {
  return projectName(`${workflow}/${table}`, project);
}

type TableName = Pick<Table, 'catalog' | 'identifier'>;

/** A request without the members that are undefined: a run is joined by those who ask for the same. */
export function withoutUndefined<T extends object>(request: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}
