/** The files of a table. */
import { formatTableName } from '../catalogs/index.js';
import { type JsonObject, resolveSnapshot } from '../iceberg/index.js';
import type { Project } from '../project/index.js';
import { fileFacts, listFiles } from '../tables/index.js';

export interface TableFilesRequest {
  /** The default one unless given. */
  readonly catalog?: string;
  readonly namespace: readonly string[];
  readonly name: string;
  /** The current one unless given. */
  readonly snapshotId?: bigint;
}

export interface TableFiles {
  /** `[CATALOG/]NS.TABLE`. */
  readonly table: string;
  /** Null: the table has no rows yet. */
  readonly snapshotId: bigint | null;
  /** The data files as JSON. One with deleted rows has `deletedBy`, the paths of the delete files that apply to it. */
  readonly files: readonly JsonObject[];
  /** These delete files as JSON. */
  readonly deleteFiles: readonly JsonObject[];
}

/** The data files of a snapshot, and the delete files that apply to them. @throws TABLE_NOT_FOUND, SNAPSHOT_NOT_FOUND */
export async function listTableFiles(project: Project, request: TableFilesRequest): Promise<TableFiles> {
  const { catalog, namespace, name, snapshotId } = request;
  const text = formatTableName({ namespace, name }, catalog);
  const table = await project.loadTable(text);
  const wanted = snapshotId === undefined ? {} : { snapshotId };
  const { snapshot, schema } = resolveSnapshot(table.metadata, wanted);
  const { data, deletes } = await listFiles(table, { snapshot, schema });
  return {
    table: text,
    snapshotId: snapshot?.snapshotId ?? null,
    files: data.map((file) => fileFacts(schema, file)),
    deleteFiles: deletes.map((file) => fileFacts(schema, file)),
  };
}
