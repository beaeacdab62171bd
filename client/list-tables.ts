/** The tables of a project's catalogs, each with what its metadata says. */
import { type Catalog, formatTableName, type TableIdentifier } from '../catalogs/index.js';
import { isMoraineError } from '../errors/index.js';
import { currentSnapshot, type Snapshot, type TableMetadata } from '../iceberg/index.js';
import { type Project, tableNames } from '../project/index.js';

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

/** A table of a catalog. */
export interface ListedTable {
  /** The name that commands and requests take. */
  readonly name: string;
  readonly catalog: string;
  /** Null: the table's metadata cannot be read. */
  readonly summary: TableSummary | null;
  /** Why the metadata cannot be read. */
  readonly problem: string | null;
}

/** Every table of every configured catalog, by catalog and name. A table that cannot be read is listed with the reason. */
export async function listTables(project: Project): Promise<readonly ListedTable[]> {
  const listed: ListedTable[] = [];
  for await (const { catalog, identifier } of tableNames(project))
    listed.push(...(await listTable(project, catalog, identifier)));
  return listed;
}

/** Empty: the table was dropped meanwhile. */
async function listTable(
  { config }: Project,
  catalog: Catalog,
  identifier: TableIdentifier,
): Promise<readonly ListedTable[]> {
  const isDefault = catalog.name === config.defaultCatalog;
  const named = { name: formatTableName(identifier, isDefault ? undefined : catalog.name), catalog: catalog.name };
  try {
    const { metadata } = await catalog.loadTable(identifier);
    return [{ ...named, summary: tableSummary(metadata), problem: null }];
  } catch (error) {
    if (isMoraineError(error, 'TABLE_NOT_FOUND')) return [];
    if (!isMoraineError(error)) throw error;
    return [{ ...named, summary: null, problem: error.message }];
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
