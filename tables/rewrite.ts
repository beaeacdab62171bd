/** Rewrites: the same rows in other files. A rewrite is re-applied to whatever the table holds by the time it commits. */
import type { DataFile, ManifestFile } from '../iceberg/index.js';
import { type ArrivedDeletes, arrivedDeletes, planAgain, planningSnapshot } from './arrived-deletes.js';
import { type CommitOptions, type CommitResult, commitWithRetry } from './commit.js';
import { deleteFileKey } from './dangling-deletes.js';
import { type DataSequenceNumber, withSequenceNumbers } from './manifest-writer.js';
import { prepareSnapshot, type SnapshotContent } from './snapshot-producer.js';
import type { Table } from './table.js';
import { stageAll } from './write-operations.js';

/** Arrived deletes, translated to the new files. */
export interface CarriedDeletes {
  /** Delete files for new files that lose some of their rows. */
  readonly deletes: readonly DataFile[];
  /** Locations of new files that lose every row: they stay out of the table. */
  readonly emptied: readonly string[];
}

export interface RewriteRequest extends CommitOptions {
  /** The snapshot that the rewrite was planned on. Its sequence number becomes the data sequence number of the new files unless they have one of their own. */
  readonly plannedOn: bigint;
  /** Data sequence number of the new files: at least that of every file that goes, at most the planning snapshot's. */
  readonly sequenceNumber?: bigint | undefined;
  /**
   * Data files that the new ones replace, by location. All must still be live, or have left the table by a `delete` or `overwrite`;
   * else `COMMIT_CONFLICT`.
   */
  readonly removeFiles: readonly string[];
  /** New data files: manifests that were staged before, or files to stage now. */
  readonly manifests?: readonly ManifestFile[];
  readonly files?: readonly DataFile[];
  /**
   * Asked on bases that have taken rows from the removed files since the plan, once for the same deletes: gives the deletes of the new files, whose positions
   * it has mapped. Without it such a base is `COMMIT_CONFLICT`: plan again. Equality deletes need nothing: the kept sequence number
   * lets them reach the new files.
   */
  readonly rebaseDeletes?: (base: Table, arrived: readonly ArrivedDeletes[]) => Promise<CarriedDeletes>;
  /** Whether delete files that reach no data file afterwards leave in the same commit; true by default. */
  readonly dropDanglingDeletes?: boolean;
}

/**
 * Replaces data files by others with the same rows, in one snapshot of the operation `replace`.
 * @throws MoraineError `COMMIT_CONFLICT` when the rewrite has to be planned again: another rewrite took a file, deletes were taken
 *   back, or the planning snapshot is no longer in the table's history; else as {@link commitWithRetry}
 */
export async function commitRewrite(table: Table, request: RewriteRequest): Promise<CommitResult> {
  const planned = planningSnapshot(table.metadata, request.plannedOn);
  const kept = request.sequenceNumber ?? planned.sequenceNumber;
  const dataSequenceNumber = () => kept;
  const newFiles = await rebasedFiles(table, request, dataSequenceNumber);
  const prepare = async (base: Table) => {
    const arrived = await arrivedDeletes(base, request.plannedOn, request.removeFiles);
    const content = {
      operation: 'replace' as const,
      ...(await newFiles(base, arrived)),
      dataSequenceNumber,
      removal: { files: stillThere(request.removeFiles, arrived) },
      dropDanglingDeletes: request.dropDanglingDeletes ?? true,
    };
    return prepareSnapshot(base, content, request);
  };
  return commitWithRetry(table, prepare, { isCostly: true, ...request });
}

type FilesToAdd = Required<Pick<SnapshotContent, 'added' | 'addedDeletes'>>;

/** The new files and their deletes for one base after another; made again only when more has arrived. */
async function rebasedFiles(
  table: Table,
  request: RewriteRequest,
  sequenceNumber: DataSequenceNumber,
): Promise<(base: Table, arrived: readonly ArrivedDeletes[]) => Promise<FilesToAdd>> {
  const staged = await stageAll(table, request);
  const all = await withSequenceNumbers(table, staged, sequenceNumber);
  let last: { readonly key: string; readonly files: FilesToAdd } | undefined;
  return async (base, arrived) => {
    if (arrived.length === 0) return { added: all, addedDeletes: [] };
    const key = keyOf(base, arrived);
    if (last?.key === key) return last.files;
    const { deletes, emptied } = await carriedDeletes(base, request, arrived);
    const added = emptied.length === 0 ? all : await withSequenceNumbers(base, staged, sequenceNumber, emptied);
    last = { key, files: { added, addedDeletes: deletes } };
    return last.files;
  };
}

/** The basis of the new files' deletes: an upgrade changes how they are written. */
function keyOf({ metadata }: Table, arrived: readonly ArrivedDeletes[]): string {
  const deleted = arrived.map(({ dataFile: { filePath }, deletes }) => [
    filePath,
    deletes === 'every-row' ? deletes : deletes.map(deleteFileKey),
  ]);
  return JSON.stringify([metadata.formatVersion, deleted]);
}

async function carriedDeletes(
  base: Table,
  { plannedOn, rebaseDeletes }: RewriteRequest,
  arrived: readonly ArrivedDeletes[],
): Promise<CarriedDeletes> {
  if (rebaseDeletes !== undefined) return rebaseDeletes(base, arrived);
  throw planAgain(plannedOn, `rows of ${arrived[0]?.dataFile.filePath ?? 'its files'} have been deleted since`);
}

function stillThere(locations: readonly string[], arrived: readonly ArrivedDeletes[]): readonly string[] {
  const gone = new Set(
    arrived.flatMap(({ dataFile, deletes }) => (deletes === 'every-row' ? [dataFile.filePath] : [])),
  );
  return locations.filter((location) => !gone.has(location));
}
