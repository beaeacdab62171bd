import {
  type HistoricalAsOf,
  type PulledRows,
  type PullRequest,
  type PullSource,
  pullAll,
  pullLatest,
  type TableState,
} from '../features/index.js';
import { materializationDeps, type Project } from '../project/index.js';
import { asMap, type SqlTables } from './entities.js';
import { type FeatureReader, openReader } from './feature-reader.js';

/** Request of a pull: columns of a table, `[CATALOG/]NS.TABLE`, or of SQL over tables, named as they are there. */
export type PullFeaturesRequest = Omit<PullRequest, 'source' | 'startUs' | 'endUs'> & {
  readonly source:
    | { readonly table: string; readonly asOf?: HistoricalAsOf }
    | { readonly sql: string; readonly tables?: SqlTables; readonly asOf?: HistoricalAsOf };
  /** First event time of the window; included. */
  readonly start?: Date;
  /** Last event time of the window; included. */
  readonly end?: Date;
};

/** Summary of a pull. */
export interface PullAnswer {
  /** State of every table that was read, by its name. */
  readonly sources: ReadonlyMap<string, TableState>;
  readonly filesRead: number;
  readonly filesSkipped: number;
}

/** Rows are lent to `use` while their connection is open. See {@link pullFeatures}. */
export async function withPulledFeatures<T>(
  project: Project,
  kind: 'all' | 'latest',
  request: PullRequest,
  use: (rows: PulledRows) => Promise<T>,
): Promise<T> {
  const deps = await materializationDeps(project);
  return kind === 'all' ? pullAll(deps, request, use) : pullLatest(deps, request, use);
}

/**
 * Every row of a window (`all`), or the newest of each entity in it (`latest`): the counterparts of Feast's
 * `pull_all_from_table_or_query` and `pull_latest_from_table_or_query`. Windows are closed at both ends, as there.
 * @throws `TABLE_NOT_FOUND`, `COLUMN_NOT_FOUND`, `TYPE_MISMATCH`, `INVALID_ARGUMENT`, `SNAPSHOT_EXPIRED`
 */
export function pullFeatures(
  project: Project,
  kind: 'all' | 'latest',
  { start, end, source, ...rest }: PullFeaturesRequest,
): Promise<FeatureReader<PullAnswer>> {
  const request: PullRequest = {
    ...rest,
    source: pullSource(source),
    ...(start === undefined ? {} : { startUs: BigInt(start.getTime()) * 1000n }),
    ...(end === undefined ? {} : { endUs: BigInt(end.getTime()) * 1000n }),
  };
  return openReader<PulledRows, PullAnswer>(
    (use) => withPulledFeatures(project, kind, request, use),
    ({ sources, filesRead, filesSkipped }) => ({ sources, filesRead, filesSkipped }),
  );
}

function pullSource(source: PullFeaturesRequest['source']): PullSource {
  if ('table' in source) return source;
  const { sql, tables, asOf } = source;
  const query = { sql, ...(tables === undefined ? {} : { tables: asMap(tables) }) };
  return { query, ...(asOf === undefined ? {} : { asOf }) };
}
