/** The tables and views of a project's catalogs, each table with what its metadata says. */
import { type Catalog, formatTableName, type TableIdentifier } from '../catalogs/index.js';
import { isMoraineError } from '../errors/index.js';
import { currentSnapshot, type Snapshot, type TableMetadata } from '../iceberg/index.js';
import { type OnSilentCatalog, type Project, tableNames, viewNames } from '../project/index.js';

/** A table's current snapshot by the table's metadata. A count is null where its writer did not record it. */
export interface TableSummary {
  readonly formatVersion: number;
  /** Null: nothing was committed to the table yet. */
  readonly snapshotId: bigint | null;
  /** Time of the last commit, in microseconds since the epoch. */
  readonly committedAtUs: bigint | null;
  /** Rows in the data files; where the table has delete files, some of them are deleted. */
  readonly rows: bigint | null;
  readonly dataFiles: bigint | null;
  readonly deleteFiles: bigint | null;
  /** Size of the data and delete files. */
  readonly sizeBytes: bigint | null;
}

/** A table of a catalog, or one of its views, which are not read here. */
export interface ListedTable {
  readonly kind: 'table' | 'view';
  /** The name that commands and requests take. */
  readonly name: string;
  readonly catalog: string;
  /** Null: the table's metadata cannot be read, or it is a view. */
  readonly summary: TableSummary | null;
  /** Why the metadata cannot be read; null for a view. */
  readonly problem: string | null;
}

/**
 * Every table of every configured catalog, by catalog and name, then their views. A table that cannot be read is listed with the reason.
 * @param onSilent takes the failure of a catalog, whose tables are then left out; unless given it is thrown
 */
export async function listTables(project: Project, onSilent?: OnSilentCatalog): Promise<readonly ListedTable[]> {
  const listed: ListedTable[] = [];
  for await (const { catalog, identifier } of tableNames(project, onSilent))
    listed.push(...(await listTable(project, catalog, identifier)));
  for await (const { catalog, identifier } of viewNames(project, onSilent))
    listed.push({ kind: 'view', ...named(project, catalog, identifier), summary: null, problem: null });
  return listed;
}

function named({ config }: Project, { name }: Catalog, identifier: TableIdentifier) {
  return { name: formatTableName(identifier, name === config.defaultCatalog ? undefined : name), catalog: name };
}

/** Empty: the table was dropped meanwhile. */
async function listTable(
  project: Project,
  catalog: Catalog,
  identifier: TableIdentifier,
): Promise<readonly ListedTable[]> {
  const table = { kind: 'table', ...named(project, catalog, identifier) } as const;
  try {
    const { metadata } = await catalog.loadTable(identifier, { snapshots: 'refs' });
    return [{ ...table, summary: tableSummary(metadata), problem: null }];
  } catch (error) {
    if (isMoraineError(error, 'TABLE_NOT_FOUND')) return [];
    if (!isMoraineError(error)) throw error;
    return [{ ...table, summary: null, problem: error.message }];
  }
}

/** The summary by the table's metadata alone, without a look at its files. */
export function tableSummary(metadata: TableMetadata): TableSummary {
  const snapshot = currentSnapshot(metadata);
  const total = (key: string): bigint | null => (snapshot === null ? 0n : summaryCount(snapshot, key));
  return {
    formatVersion: metadata.formatVersion,
    snapshotId: snapshot?.snapshotId ?? null,
    committedAtUs: snapshot === null ? null : snapshot.timestampMs * 1000n,
    rows: total('total-records'),
    dataFiles: total('total-data-files'),
    deleteFiles: total('total-delete-files'),
    sizeBytes: total('total-files-size'),
  };
}

function summaryCount({ summary }: Snapshot, key: string): bigint | null {
  const text = summary.get(key);
  return text !== undefined && /^\d+$/.test(text) ? BigInt(text) : null;
}
