/** Which deletes apply to which data file. Source: Apache Iceberg specification, "Scan Planning". */
import { MoraineError } from '../../errors/index.js';
import type { DataFile } from '../manifests/data-file.js';
import { partitionKey } from '../partitions/partition-key.js';
import type { PartitionSpec } from '../partitions/partition-spec.js';
import type { Schema } from '../schema/types.js';
import { deserializeValue } from '../values/single-value.js';
import { equalityDeletesMightMatch } from './equality-overlap.js';

/** Id of the column `file_path` of position-delete files. */
export const DELETE_FILE_PATH_ID = 2147483546;
/** Id of the column `pos` of position-delete files. */
export const DELETE_POSITION_ID = 2147483545;

/** A live delete file or deletion vector of a snapshot. */
export interface DeleteFile {
  readonly file: DataFile;
  /** The data sequence number. */
  readonly sequenceNumber: bigint;
}

/** The deletes of one data file; all lists empty: every row is live. */
export interface FileDeletes {
  /** Supersedes position-delete files. */
  readonly vector: DeleteFile | undefined;
  readonly positions: readonly DeleteFile[];
  readonly equality: readonly DeleteFile[];
  /** Equality-delete files whose statistics rule out that they delete a row of the file. */
  readonly pruned: number;
}

export const NO_DELETES: FileDeletes = { vector: undefined, positions: [], equality: [], pruned: 0 };

/** Whether a file's rows are all live. */
export function hasDeletes({ vector, positions, equality }: FileDeletes): boolean {
  return vector !== undefined || positions.length > 0 || equality.length > 0;
}

export interface DeleteIndexOptions {
  readonly specs: readonly PartitionSpec[];
  /** For the statistics of equality deletes. */
  readonly schema: Schema;
  /** The one spelling of a location: several may name the same file. */
  readonly normalize: (location: string) => string;
}

/** The deletes of a snapshot, found by data file. */
export class DeleteIndex {
  readonly #options: DeleteIndexOptions;
  readonly #vectors = new Map<string, DeleteFile>();
  readonly #positionsByPath = new Map<string, DeleteFile[]>();
  readonly #positionsByPartition = new Map<string, DeleteFile[]>();
  readonly #equalityByPartition = new Map<string, DeleteFile[]>();
  readonly #globalEquality: DeleteFile[] = [];
  readonly #unpartitioned: ReadonlySet<number>;

  /** @throws MoraineError `MANIFEST_CORRUPT` for two vectors of one data file, or an entry that lacks what its kind needs */
  constructor(deletes: readonly DeleteFile[], options: DeleteIndexOptions) {
    this.#options = options;
    this.#unpartitioned = new Set(options.specs.filter(isUnpartitioned).map(({ specId }) => specId));
    for (const entry of deletes) this.#add(entry);
    const lists = [this.#positionsByPath, this.#positionsByPartition, this.#equalityByPartition].flatMap((map) => [
      ...map.values(),
    ]);
    for (const list of [...lists, this.#globalEquality]) list.sort(bySequenceNumber);
  }

  /**
   * The deletes that apply to a data file.
   * @param sequenceNumber the data file's data sequence number
   * @throws MoraineError `MANIFEST_CORRUPT` when a delete names the file but is of another partition, or a vector is older
   */
  forDataFile(file: DataFile, sequenceNumber: bigint): FileDeletes {
    const path = this.#options.normalize(file.filePath);
    const partition = partitionKey(file.specId, file.partition);
    const vector = this.#vectors.get(path);
    const candidates = [
      ...newerThan(this.#globalEquality, sequenceNumber),
      ...newerThan(this.#equalityByPartition.get(partition), sequenceNumber),
    ];
    const equality = candidates.filter((entry) => equalityDeletesMightMatch(this.#options.schema, file, entry.file));
    const pruned = candidates.length - equality.length;
    if (vector !== undefined) {
      requireSamePartition(vector, file, partition);
      if (vector.sequenceNumber < sequenceNumber) throw mismatched(vector, file, 'is older than the file');
      return { vector, positions: [], equality, pruned };
    }
    const byPath = newerThan(this.#positionsByPath.get(path), sequenceNumber - 1n);
    for (const entry of byPath) requireSamePartition(entry, file, partition);
    const byPartition = newerThan(this.#positionsByPartition.get(partition), sequenceNumber - 1n);
    // Most data files have the deletes of their partition alone: thousands of them share one list.
    const positions = byPath.length === 0 ? byPartition : [...byPath, ...byPartition];
    return { vector, positions, equality, pruned };
  }

  #add(entry: DeleteFile): void {
    const { file } = entry;
    const partition = partitionKey(file.specId, file.partition);
    if (file.content === 'equality-deletes') {
      if ((file.equalityIds ?? []).length === 0) throw incomplete(file, 'equality_ids');
      if (this.#unpartitioned.has(file.specId)) this.#globalEquality.push(entry);
      else append(this.#equalityByPartition, partition, entry);
    } else if (file.fileFormat === 'PUFFIN') {
      this.#addVector(entry);
    } else {
      const path = referencedDataFile(file);
      if (path === undefined) append(this.#positionsByPartition, partition, entry);
      else append(this.#positionsByPath, this.#options.normalize(path), entry);
    }
  }

  #addVector(entry: DeleteFile): void {
    const { file } = entry;
    if (file.referencedDataFile === undefined) throw incomplete(file, 'referenced_data_file');
    if (file.contentOffset === undefined) throw incomplete(file, 'content_offset');
    if (file.contentSizeInBytes === undefined) throw incomplete(file, 'content_size_in_bytes');
    const path = this.#options.normalize(file.referencedDataFile);
    const other = this.#vectors.get(path);
    if (other !== undefined) {
      const message = `${file.referencedDataFile} has two deletion vectors, in ${other.file.filePath} and ${file.filePath}.`;
      throw new MoraineError('MANIFEST_CORRUPT', message, { details: { location: file.filePath } });
    }
    this.#vectors.set(path, entry);
  }
}

/** Whether files of a spec are in no partition: equality deletes of such a spec reach every data file. */
export function isUnpartitioned(spec: PartitionSpec): boolean {
  return spec.fields.every(({ transform }) => transform.kind === 'void');
}

/** The one data file that a position-delete file is about, if it says so or its bounds do. */
export function referencedDataFile(file: DataFile): string | undefined {
  if (file.referencedDataFile !== undefined) return file.referencedDataFile;
  const lower = file.lowerBounds?.get(DELETE_FILE_PATH_ID);
  const upper = file.upperBounds?.get(DELETE_FILE_PATH_ID);
  if (lower === undefined || upper === undefined || Buffer.compare(lower, upper) !== 0) return undefined;
  return deserializeValue({ kind: 'string' }, lower) as string;
}

const bySequenceNumber = (a: DeleteFile, b: DeleteFile): number =>
  a.sequenceNumber < b.sequenceNumber ? -1 : a.sequenceNumber > b.sequenceNumber ? 1 : 0;

/** The entries of a sorted list with a higher sequence number. */
function newerThan(sorted: readonly DeleteFile[] | undefined, sequenceNumber: bigint): readonly DeleteFile[] {
  if (sorted === undefined) return [];
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as DeleteFile).sequenceNumber > sequenceNumber) high = middle;
    else low = middle + 1;
  }
  return low === 0 ? sorted : sorted.slice(low);
}

function append(map: Map<string, DeleteFile[]>, key: string, entry: DeleteFile): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [entry]);
  else list.push(entry);
}

function requireSamePartition(entry: DeleteFile, file: DataFile, partition: string): void {
  if (partitionKey(entry.file.specId, entry.file.partition) === partition) return;
  throw mismatched(entry, file, 'is of another partition');
}

function mismatched({ file }: DeleteFile, data: DataFile, reason: string): MoraineError {
  const message = `The deletes in ${file.filePath} name the data file ${data.filePath}, but their manifest entry ${reason}.`;
  return new MoraineError('MANIFEST_CORRUPT', message, { details: { location: file.filePath } });
}

function incomplete(file: DataFile, member: string): MoraineError {
  return new MoraineError('MANIFEST_CORRUPT', `The manifest entry of ${file.filePath} lacks ${member}.`, {
    details: { location: file.filePath },
  });
}
