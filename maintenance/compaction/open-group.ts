/** The files of a group as the engine opens them, with the deletes that the planned snapshot has of them. */
import { type Connection, withReadableCopies } from '../../engine/index.js';
import { currentSchema, type IdentityValues, identityValuesOf, type TableMetadata } from '../../iceberg/index.js';
import { deletesAt, type OpenFiles, openFiles } from '../../scans/index.js';
import type { Table } from '../../tables/index.js';
import type { CompactionPlan, RewriteGroup } from './compact-plan.js';

/** A group on the connection that reads it. */
export interface OpenGroup {
  readonly table: Table;
  /** Files in the group's order. */
  readonly scan: OpenFiles;
  /** Whether rows come in the order of files and positions as they are read. */
  readonly isInOrder: boolean;
}

/**
 * @param table as it was planned
 * @throws LOCATION_REFUSED, FILE_NOT_FOUND, DATA_FILE_CORRUPT, DELETE_FILE_CORRUPT naming the file
 */
export async function openGroup(
  connection: Connection,
  table: Table,
  { snapshotId }: Pick<CompactionPlan, 'snapshotId'>,
  group: Pick<RewriteGroup, 'specId' | 'partition' | 'files'>,
): Promise<OpenGroup> {
  const { metadata } = table;
  const identityValues = identityValuesIn(metadata, group);
  const locations = group.files.map(({ path }) => path);
  const deletes = await deletesAt(table, snapshotId, locations);
  const files = group.files.map(({ path, firstRowId, ...file }) => ({
    ...file,
    location: path,
    deleted: deletes.get(path),
    ...(firstRowId === undefined ? {} : { firstRowId }),
    ...(identityValues === undefined ? {} : { identityValues }),
  }));
  const open = await openFiles(connection, table, files);
  const scan = await withReadableCopies(connection, { ...open, schema: currentSchema(metadata) });
  const prints = new Set(scan.files.map(({ path }) => scan.layouts?.get(path)?.fingerprint));
  return { table, scan, isInOrder: scan.deletes === undefined && prints.size === 1 };
}

/** Values of columns that imported files of a partition lack. */
function identityValuesIn(
  metadata: TableMetadata,
  { specId, partition }: Pick<RewriteGroup, 'specId' | 'partition'>,
): IdentityValues | undefined {
  const spec = metadata.partitionSpecs.find((candidate) => candidate.specId === specId);
  if (spec === undefined) return undefined;
  return identityValuesOf(spec, [currentSchema(metadata), ...metadata.schemas])?.(partition);
}
