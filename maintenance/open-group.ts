/** The files of a group as the engine opens them, with the deletes that the planned snapshot has of them. */
import { type Connection, checkFiles, type Scan, withReadableCopies } from '../engine/index.js';
import { deletesOf } from '../features/index.js';
import {
  currentSchema,
  type IdentityValues,
  identityValuesOf,
  nameMapping,
  snapshotById,
  type TableMetadata,
} from '../iceberg/index.js';
import type { FileIO } from '../storage/index.js';
import { deletesOfFiles, readSnapshotManifests, type Table } from '../tables/index.js';
import type { CompactionPlan, FileToRewrite, RewriteGroup } from './compact-plan.js';

/** A group on the connection that reads it. */
export interface OpenGroup {
  readonly table: Table;
  /** Files in the group's order. */
  readonly scan: Pick<Scan, 'files' | 'layouts' | 'nameMapping' | 'deletes'>;
  /** Whether rows come in the order of files and positions as they are read. */
  readonly isInOrder: boolean;
}

/** A file with the values of columns that it lacks. */
export interface FileToOpen extends FileToRewrite {
  readonly identityValues?: IdentityValues | undefined;
}

/**
 * @param table as it was planned
 * @throws LOCATION_REFUSED, FILE_NOT_FOUND, DATA_FILE_CORRUPT, DELETE_FILE_CORRUPT naming the file
 */
export async function openGroup(
  connection: Connection,
  io: FileIO,
  table: Table,
  head: Pick<CompactionPlan, 'snapshotId'>,
  group: Pick<RewriteGroup, 'specId' | 'partition' | 'files'>,
): Promise<OpenGroup> {
  const identityValues = identityValuesIn(table.metadata, group);
  const files = group.files.map((file) => ({ ...file, identityValues }));
  return openFiles(connection, io, table, head, files);
}

/** The same for files of any partitions. */
export async function openFiles(
  connection: Connection,
  io: FileIO,
  table: Table,
  { snapshotId }: Pick<CompactionPlan, 'snapshotId'>,
  planned: readonly FileToOpen[],
): Promise<OpenGroup> {
  const { metadata } = table;
  const files = await Promise.all(
    planned.map(async ({ firstRowId, identityValues, ...file }) => ({
      ...file,
      location: file.path,
      path: await io.resolve(file.path),
      ...(firstRowId === undefined ? {} : { firstRowId }),
      ...(identityValues === undefined ? {} : { identityValues }),
    })),
  );
  const layouts = await checkFiles(connection, files);
  const known = await plannedDeletes(table, snapshotId, planned);
  const deleted = files.flatMap(({ path, location, sequenceNumber }) => {
    const found = known.get(location);
    return found === undefined ? [] : [{ path, sequenceNumber, file: found.dataFile, deletes: found.deletes }];
  });
  const mapping = nameMapping(metadata);
  const { deletes } = await deletesOf(connection, { io, metadata }, deleted, layouts);
  const scan = await withReadableCopies(connection, {
    files,
    layouts,
    schema: currentSchema(metadata),
    ...(deletes === undefined ? {} : { deletes }),
    ...(mapping === undefined ? {} : { nameMapping: mapping }),
  });
  const prints = new Set(files.map(({ path }) => scan.layouts?.get(path)?.fingerprint));
  return { table, scan, isInOrder: deletes === undefined && prints.size === 1 };
}

async function plannedDeletes(table: Table, snapshotId: bigint, files: readonly FileToOpen[]) {
  const snapshot = snapshotById(table.metadata, snapshotId);
  const manifests = await readSnapshotManifests(table.io, snapshot);
  if (manifests.every(({ content }) => content === 'data')) return new Map<string, never>();
  const locations = files.map(({ path }) => path);
  return deletesOfFiles(table, snapshot, locations);
}

/** Values of columns that imported files of a partition lack. */
export function identityValuesIn(
  metadata: TableMetadata,
  { specId, partition }: Pick<RewriteGroup, 'specId' | 'partition'>,
): IdentityValues | undefined {
  const spec = metadata.partitionSpecs.find((candidate) => candidate.specId === specId);
  if (spec === undefined) return undefined;
  return identityValuesOf(spec, [currentSchema(metadata), ...metadata.schemas])?.(partition);
}
