/** The deletes that reach given data files in a snapshot. */
import { currentSchema, type DataFile, type FileDeletes, NO_DELETES, type Snapshot } from '../iceberg/index.js';
import { mapConcurrently } from '../storage/index.js';
import { mayHaveLiveFiles, readManifestEntries, readSnapshotManifests } from './manifest-files.js';
import { planDeletes } from './plan-deletes.js';
import { filePlanner, specById } from './plan-files.js';
import type { PlannedFile } from './planned-file.js';
import type { Table } from './table.js';

/** A live data file with what takes rows from it. */
export interface FileWithDeletes {
  readonly dataFile: DataFile;
  readonly sequenceNumber: bigint;
  readonly deletes: FileDeletes;
}

/** The data files at some locations, by location, as far as they are live in the snapshot. */
export async function deletesOfFiles(
  table: Table,
  snapshot: Snapshot,
  locations: readonly string[],
): Promise<ReadonlyMap<string, FileWithDeletes>> {
  const wanted = new Set(locations);
  const manifests = (await readSnapshotManifests(table.io, snapshot)).filter(mayHaveLiveFiles);
  const data = manifests.filter(({ content }) => content === 'data');
  const read = await mapConcurrently(data, async (manifest): Promise<readonly PlannedFile[]> => {
    const planned = filePlanner(table, specById(table, manifest.partitionSpecId));
    const entries = await readManifestEntries(table.io, table.metadata, manifest);
    const isWanted = entries.filter(({ status, dataFile }) => status !== 'deleted' && wanted.has(dataFile.filePath));
    return isWanted.map(planned);
  });
  const deletes = manifests.filter(({ content }) => content === 'deletes');
  const schema = currentSchema(table.metadata);
  const { files } = await planDeletes(table, read.flat(), deletes, { schema, filter: undefined, pruners: new Map() });
  return new Map(files.map((planned) => [planned.file.filePath, withDeletes(planned)]));
}

function withDeletes({ file, sequenceNumber, deletes }: PlannedFile): FileWithDeletes {
  return { dataFile: file, sequenceNumber, deletes: deletes ?? NO_DELETES };
}
