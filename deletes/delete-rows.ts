/** Deleting the rows for which a condition is true, without rewriting data files. */
import { randomUUID } from 'node:crypto';
import { type Connection, readableScanSql } from '../engine/index.js';
import { type BoundExpression, currentSchema, currentSnapshot } from '../iceberg/index.js';
import { openScan, type PinnedSource } from '../scans/index.js';
import { commitRowDelta, loadTable, planFiles, requireWritable, retryConflicts, type Table } from '../tables/index.js';
import { emptiedBy, type FoundRows, foundRows } from './found-rows.js';
import { writeDeletes } from './write-deletes.js';

export interface DeleteRowsRequest {
  /** Bound to the table's current schema. Rows for which it is null stay. */
  readonly filter: BoundExpression;
  /** Counts the rows and changes nothing. */
  readonly dryRun?: boolean;
}

/** Result of a delete, or of its dry run. */
export interface DeletedRows {
  readonly rows: bigint;
  /** Data files that lose rows. */
  readonly files: number;
  /** Files that lose their last row and leave the table; `files` counts them too. */
  readonly filesRemoved: number;
  /** Null: nothing was committed. */
  readonly snapshotId: bigint | null;
}

/**
 * Deletes the rows of the current snapshot for which the condition is true, in one commit. Rows that others append meanwhile stay.
 * @throws MoraineError `COMMIT_CONFLICT` when other writers keep replacing the files, and what scanning and committing may throw
 */
export async function deleteRows(
  table: Table,
  connection: Connection,
  request: DeleteRowsRequest,
): Promise<DeletedRows> {
  const catalog = requireWritable(table);
  const run = { key: `delete-${randomUUID()}` };
  return await retryConflicts(catalog, async () => {
    const current = await loadTable(catalog, table.io, table.identifier);
    return await deleteFrom(current, connection, request, run);
  });
}

async function deleteFrom(
  table: Table,
  connection: Connection,
  request: DeleteRowsRequest,
  run: { readonly key: string },
): Promise<DeletedRows> {
  const matching = await matchingRows(table, connection, request.filter);
  const rows = matching.reduce((sum, { positions }) => sum + BigInt(positions.length), 0n);
  const emptied = await emptiedBy(table, connection, matching);
  const result = { rows, files: matching.length, filesRemoved: emptied.length };
  if (rows === 0n || request.dryRun === true) return { ...result, snapshotId: null };
  const partly = matching.filter((file) => !emptied.includes(file));
  const { files, replaced } = await writeDeletes(table, connection, partly, randomUUID());
  const { snapshotId } = await commitRowDelta(table, {
    deleteFiles: files,
    removeDeleteFiles: replaced,
    ...(emptied.length === 0 ? {} : { removeFiles: emptied.map(({ dataFile }) => dataFile.filePath) }),
    plannedOn: table.metadata.currentSnapshotId,
    run,
  });
  return { ...result, snapshotId };
}

/** The live rows that match, file by file. */
async function matchingRows(
  table: Table,
  connection: Connection,
  filter: BoundExpression,
): Promise<readonly FoundRows[]> {
  const snapshot = currentSnapshot(table.metadata);
  const schema = currentSchema(table.metadata);
  const plan = await planFiles(table, { snapshot, schema, filter, appliesDeletes: true });
  if (plan.files.length === 0) return [];
  const source: PinnedSource = { table, snapshot, schema };
  const { scan } = await openScan(connection, source, plan, filter);
  const extras = { fileNumber: 'file', rowNumber: 'pos' };
  const rows = await readableScanSql(connection, { ...scan, schema, columns: [], extras, naming: 'id' });
  const files = plan.files.map(({ file }) => file);
  return await foundRows(connection, `SELECT file, pos FROM ${rows}`, files);
}
