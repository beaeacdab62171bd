/** Whether a staging table has what the queries that write into it say they wrote: one snapshot of each that found rows, and of nobody else. Pure. */
import { formatTableName, type TrinoWritten } from '../../catalogs/index.js';
import { MoraineError } from '../../errors/index.js';
import type { Snapshot } from '../../iceberg/index.js';
import type { Table } from '../../tables/index.js';

/**
 * A query that finds no rows leaves no snapshot. So a table without one is only empty if Trino says so: a catalog that answers with an earlier
 * state, from a cache or a replica, would make any reduction one without rows.
 * @throws MoraineError `TRINO_QUERY_FAILED`
 */
export function requireOwnSnapshots(
  { metadata, identifier }: Pick<Table, 'metadata' | 'identifier'>,
  queries: readonly TrinoWritten[],
): void {
  const { snapshots } = metadata;
  const problem =
    foreignWriter(snapshots, queries) ??
    queries.map((query) => differenceOf(snapshots, query)).find((found) => found !== undefined);
  if (problem === undefined) return;
  throw new MoraineError('TRINO_QUERY_FAILED', `The staging table ${formatTableName(identifier)} ${problem}.`);
}

function foreignWriter(snapshots: readonly Snapshot[], queries: readonly TrinoWritten[]): string | undefined {
  const ids = new Set(queries.map(({ queryId }) => queryId));
  const writers = snapshots.map((snapshot) => writerOf(snapshot) ?? 'another writer');
  if (writers.every((writer) => ids.has(writer))) return undefined;
  return `was written by ${writers.join(', ')}, not by query ${[...ids].join(', ')} alone`;
}

/** How the snapshots of a query differ from what Trino says of it. */
function differenceOf(snapshots: readonly Snapshot[], { queryId, rows }: TrinoWritten): string | undefined {
  if (rows === null) return `may have rows of query ${queryId}, of which Trino does not say how many it wrote`;
  const own = snapshots.filter((snapshot) => writerOf(snapshot) === queryId);
  if (own.length > 1) return `has ${own.length} snapshots of query ${queryId}, which commits once`;
  const added = own.map(({ summary }) => summary.get('added-records') ?? '0');
  if (added.length === 0 && rows > 0n)
    return `has no snapshot of query ${queryId}, which wrote ${rows} rows: the catalog answers with an earlier state of it`;
  if (added.length === 0 || added[0] === String(rows)) return undefined;
  return `has ${added[0]} rows of query ${queryId}, which wrote ${rows}`;
}

const writerOf = ({ summary }: Snapshot): string | undefined => summary.get('trino_query_id');
