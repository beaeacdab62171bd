/** Which files are rewritten together: by size and by how many of their rows are deleted. Pure. */
import {
  type DataFile,
  type DeleteFile,
  type FileDeletes,
  type PartitionSpec,
  partitionKey,
} from '../../iceberg/index.js';
import type { PlannedFile } from '../../tables/index.js';

/** Factors of the target size: a file below the first is small, one above the second is large. Source: Iceberg's rewrite defaults. */
const SMALL = 0.75;
const LARGE = 1.8;
/** Fewer small files than this are left alone. */
const MIN_INPUT_FILES = 5;
/** A file of whose rows so many are deleted is rewritten, however large it is. */
const DELETE_RATIO = 0.3;
/** A sorted group has at most so many files' worth of bytes: beyond that, sorting spills more than it gains. */
const FILES_PER_SORTED_GROUP = 20;

/** How files are grouped. */
export type Grouping =
  /** Small neighbours become files of the target size. */
  | { readonly kind: 'bins' }
  /** A partition's files are sorted together; those for which this is true need not be. */
  | { readonly kind: 'sorted'; readonly isSorted: (file: DataFile) => boolean };

/** Which files a grouping leaves alone, as a clause. */
export function fitText(grouping: Grouping): string {
  const sized = `no partition has ${MIN_INPUT_FILES} small files, a file that is too large, or one with many deleted rows`;
  return grouping.kind === 'sorted' ? `all are sorted, and ${sized}` : sized;
}

/** Files of one partition, in the order in which they are read. */
export interface FileGroup {
  readonly files: readonly PlannedFile[];
  readonly outputs: number;
  /** The spec that the new files have, where it is another than the files'. */
  readonly into?: PartitionSpec;
  /** Data sequence number of the new files; the planning snapshot's unless given. */
  readonly sequenceNumber?: bigint;
}

/** The groups worth rewriting, those that gain most for their bytes first. */
export function chooseGroups(
  files: readonly PlannedFile[],
  grouping: Grouping,
  targetBytes: number,
): readonly FileGroup[] {
  const groups = [...byPartition(files).values()].flatMap((ofPartition) =>
    groupsOf(ofPartition.toSorted(bySequence), grouping, targetBytes),
  );
  return mostGainFirst(groups);
}

export function mostGainFirst(groups: readonly FileGroup[]): readonly FileGroup[] {
  return groups.toSorted((a, b) => averageBytes(a) - averageBytes(b));
}

export function byPartition(files: readonly PlannedFile[]): ReadonlyMap<string, readonly PlannedFile[]> {
  const partitions = new Map<string, PlannedFile[]>();
  for (const planned of files) {
    const key = partitionKey(planned.file.specId, planned.file.partition);
    const list = partitions.get(key);
    if (list === undefined) partitions.set(key, [planned]);
    else list.push(planned);
  }
  return partitions;
}

/** The first groups whose bytes fit into a budget together; one that does not fit is passed over. */
export function withinBudget(groups: readonly FileGroup[], maxBytes: number | undefined): readonly FileGroup[] {
  if (maxBytes === undefined) return groups;
  let left = maxBytes;
  return groups.filter((group) => {
    const bytes = bytesOf(group.files);
    if (bytes > left) return false;
    left -= bytes;
    return true;
  });
}

function groupsOf(files: readonly PlannedFile[], grouping: Grouping, targetBytes: number): readonly FileGroup[] {
  switch (grouping.kind) {
    case 'bins':
      return binsOf(files, targetBytes);
    case 'sorted':
      return sortedGroups(files, grouping.isSorted, targetBytes);
  }
}

function binsOf(files: readonly PlannedFile[], targetBytes: number): readonly FileGroup[] {
  const groups: FileGroup[] = [];
  const bins = pack(
    files.filter((planned) => isMisfit(planned, targetBytes)),
    targetBytes,
  );
  for (const packed of bins) {
    const bin = withoutOutweighing(packed, targetBytes);
    const bytes = bytesOf(bin);
    const isWorthIt =
      bin.length >= MIN_INPUT_FILES ||
      (bin.length > 1 && bytes >= targetBytes * SMALL) ||
      bytes > targetBytes * LARGE ||
      bin.some(isMuchDeleted);
    if (isWorthIt) groups.push({ files: bin, outputs: outputsOf(bin, targetBytes) });
  }
  return groups;
}

function sortedGroups(
  files: readonly PlannedFile[],
  isSorted: (file: DataFile) => boolean,
  targetBytes: number,
): readonly FileGroup[] {
  const misfits = files.filter((planned) => !isSorted(planned.file) || isMisfit(planned, targetBytes));
  const hasUnsorted = misfits.some(({ file }) => !isSorted(file));
  if (!hasUnsorted) return binsOf(misfits, targetBytes);
  return pack(misfits, targetBytes * FILES_PER_SORTED_GROUP).map((bin) => ({
    files: bin,
    outputs: outputsOf(bin, targetBytes),
  }));
}

/** Neighbours together, up to the limit; a file beyond it alone. */
function pack(files: readonly PlannedFile[], limitBytes: number): readonly PlannedFile[][] {
  const bins: PlannedFile[][] = [];
  let size = limitBytes;
  for (const planned of files) {
    const bytes = Number(planned.file.fileSizeInBytes);
    if (size + bytes > limitBytes) {
      bins.push([]);
      size = 0;
    }
    bins.at(-1)?.push(planned);
    size += bytes;
  }
  return bins;
}

/**
 * A bin without files that outweigh all smaller ones together, unless the bin makes a file that need not be rewritten again. A table that is
 * compacted after every few small files would else be written anew each time; so a row is rewritten about once for each doubling of its file.
 */
function withoutOutweighing(bin: readonly PlannedFile[], targetBytes: number): readonly PlannedFile[] {
  let rest = bytesOf(bin);
  if (rest >= targetBytes * SMALL) return bin;
  const left = new Set<PlannedFile>();
  const largestFirst = bin.toSorted((a, b) => Number(b.file.fileSizeInBytes - a.file.fileSizeInBytes));
  for (const planned of largestFirst) {
    const bytes = Number(planned.file.fileSizeInBytes);
    rest -= bytes;
    if (bytes <= rest) break;
    if (!isMuchDeleted(planned)) left.add(planned);
  }
  return bin.filter((planned) => !left.has(planned));
}

function isMisfit(planned: PlannedFile, targetBytes: number): boolean {
  const bytes = Number(planned.file.fileSizeInBytes);
  return bytes < targetBytes * SMALL || bytes > targetBytes * LARGE || isMuchDeleted(planned);
}

function isMuchDeleted({ file, deletes }: PlannedFile): boolean {
  if (deletes === undefined) return false;
  return Number(deletedRows(deletes)) >= Number(file.recordCount) * DELETE_RATIO;
}

/** At most so many rows: an equality delete, or one for a whole partition, may take rows of other files instead. */
function deletedRows({ vector, positions, equality }: FileDeletes): bigint {
  const rows = (files: readonly DeleteFile[]): bigint => files.reduce((sum, { file }) => sum + file.recordCount, 0n);
  return (vector?.file.recordCount ?? 0n) + rows(positions) + rows(equality);
}

export function outputsOf(files: readonly PlannedFile[], targetBytes: number): number {
  const bytes = bytesOf(files);
  return bytes <= targetBytes * LARGE ? 1 : Math.ceil(bytes / targetBytes);
}

export function bytesOf(files: readonly PlannedFile[]): number {
  return files.reduce((sum, { file }) => sum + Number(file.fileSizeInBytes), 0);
}

const averageBytes = ({ files }: FileGroup): number => bytesOf(files) / files.length;

/** Oldest first, so that what was written together stays together. */
export function bySequence(a: PlannedFile, b: PlannedFile): number {
  return a.sequenceNumber < b.sequenceNumber ? -1 : a.sequenceNumber > b.sequenceNumber ? 1 : 0;
}
