/** What leaves the online table with a rebuild: files of the rebuilt buckets, and the rows of those buckets in files that have rows of any. */
import { emptiedBy, foundRows, writeDeletes } from '../deletes/index.js';
import { bucketSql, columnAlias, type Engine, readableScanSql } from '../engine/index.js';
import {
  currentSchema,
  currentSnapshot,
  type DataFile,
  findSnapshot,
  type PrimitiveType,
  type TableMetadata,
} from '../iceberg/index.js';
import { bucketOf, ONLINE_COLUMNS, partitionPlaces } from '../online/index.js';
import { fileToOpen, openFiles, whileReading } from '../scans/index.js';
import { type OverwriteRequest, type PlannedFile, planFiles, selectSnapshot, type Table } from '../tables/index.js';
import type { MaterializationPlan } from './plan.js';

/** The part of an overwrite that says what goes, and what others may have done meanwhile. */
type Replaced = Pick<
  OverwriteRequest,
  | 'removeFiles'
  | 'deleteFiles'
  | 'removeDeleteFiles'
  | 'validateFiles'
  | 'mayBeAppended'
  | 'validateNoNewFilesFrom'
  | 'dataSequenceNumber'
>;

/**
 * Whole buckets, or everything the table had when the run was planned. Files that were appended since stay, whatever bucket they are of: their rows are in
 * no rebuilt file, and win over those that they tie with, since rebuilt files have the data sequence number of the snapshot that the run was planned on. Runs
 * append nothing meanwhile: they change the progress that the plan is for.
 * @param online the table as it is
 * @throws what reading the files may throw
 */
export async function replacedFiles(engine: Engine, online: Table, plan: MaterializationPlan): Promise<Replaced> {
  const bucketOfFile = bucketsOfFiles(online.metadata, plan);
  const isShared = (file: DataFile): boolean => bucketOfFile(file) === undefined;
  // Of a partitioning that is being left, nothing new may stay.
  const mayBeAppended = (file: DataFile): boolean => isShared(file) || file.specId === online.metadata.defaultSpecId;
  const { snapshotId } = plan.online;
  const buckets = plan.rebuild?.buckets ?? null;
  const rebuilt = new Set<number | undefined>(buckets);
  const isRebuilt = (file: DataFile): boolean => buckets === null || rebuilt.has(bucketOfFile(file));
  // Other buckets keep files of that number, which new rows come after.
  const numberWhenPlanned =
    snapshotId === null ? 0n : (findSnapshot(online.metadata, snapshotId)?.sequenceNumber ?? null);
  const dataSequenceNumber = (file: DataFile): bigint | null => (isRebuilt(file) ? numberWhenPlanned : null);
  const validation = { validateNoNewFilesFrom: snapshotId, mayBeAppended, dataSequenceNumber };
  const planned = await filesWhenPlanned(online, plan);
  // Deletes of removed files take nothing from the new ones: positions are of a file, and equality deletes reach older files only.
  if (buckets === null) return { removeFiles: pathsOf(planned.map(({ file }) => file)), ...validation };
  const shared = planned.filter(({ file }) => isShared(file));
  const { emptied, ...deletes } = await replacedRows(engine, online, plan, shared, buckets);
  return {
    removeFiles: pathsOf([...planned.map(({ file }) => file).filter(isRebuilt), ...emptied]),
    ...deletes,
    ...validation,
    validateFiles: (file) => isRebuilt(file) || isShared(file),
  };
}

/** The bucket whose rows a file has; undefined: it has rows of any, as without a partition, of an hour, or of another number of buckets. */
function bucketsOfFiles(
  metadata: TableMetadata,
  { online }: MaterializationPlan,
): (file: DataFile) => number | undefined {
  const { fields } = currentSchema(metadata);
  const idOf = (name: string): number => fields.find((field) => field.name === name)?.id ?? 0;
  const columns = { keyId: idOf(online.keyColumn), eventTimeId: idOf(ONLINE_COLUMNS.eventTimestamp) };
  const places = new Map(metadata.partitionSpecs.map((spec) => [spec.specId, partitionPlaces(spec, columns)]));
  return ({ specId, partition }) => {
    const known = places.get(specId);
    return known?.bucket?.numBuckets === online.buckets ? bucketOf(known, partition) : undefined;
  };
}

const pathsOf = (files: readonly DataFile[]): readonly string[] => files.map(({ filePath }) => filePath);

async function filesWhenPlanned(online: Table, plan: MaterializationPlan): Promise<readonly PlannedFile[]> {
  const { snapshotId } = plan.online;
  if (snapshotId === null) return [];
  const { snapshot, schema } = selectSnapshot(online.metadata, { snapshotId });
  return (await planFiles(online, { snapshot, schema, appliesDeletes: true })).files;
}

/** Deletes of the rows of some buckets in files of no bucket, and the files that lose all of theirs. */
async function replacedRows(
  engine: Engine,
  online: Table,
  plan: MaterializationPlan,
  shared: readonly PlannedFile[],
  buckets: readonly number[],
) {
  const nothing = { emptied: [], deleteFiles: [], removeDeleteFiles: [] };
  const schema = currentSchema(online.metadata);
  const key = schema.fields.find(({ name }) => name === plan.online.keyColumn);
  if (shared.length === 0 || key === undefined || currentSnapshot(online.metadata) === null) return nothing;
  const files = shared.map(({ file }) => file);
  return await engine.withConnection(async (connection) => {
    const open = await openFiles(connection, online, shared.map(fileToOpen));
    const extras = { fileNumber: 'file', rowNumber: 'pos' };
    const rows = await readableScanSql(connection, { ...open, schema, columns: [key.id], naming: 'id', extras });
    const bucket = bucketSql(key.type as PrimitiveType, columnAlias(key.id), plan.online.buckets);
    const select = `SELECT file, pos FROM ${rows} WHERE ${bucket} IN (${buckets.join(', ')})`;
    const found = await whileReading(connection, [open], () => foundRows(connection, select, files));
    const emptied = await emptiedBy(online, connection, found);
    const partly = found.filter((one) => !emptied.includes(one));
    const attemptId = `${plan.runKey.slice(0, 12)}-replaced-${plan.attemptId}`;
    const written = await writeDeletes(online, connection, partly, attemptId);
    return {
      emptied: emptied.map(({ dataFile }) => dataFile),
      deleteFiles: written.files,
      removeDeleteFiles: written.replaced,
    };
  });
}
