/** The files of one snapshot of an online table by bucket: what a lookup needs to know, kept in memory. */
import type { Connection } from '../engine/index.js';
import {
  applyTransform,
  currentSnapshot,
  type IcebergType,
  type PrimitiveValue,
  type Schema,
  type Snapshot,
} from '../iceberg/index.js';
import { type FileToOpen, fileToOpen, isLasting, KnownFiles, type OpenFiles, openFiles } from '../scans/index.js';
import { type PlannedFile, planFiles, type Table } from '../tables/index.js';
import { type CountedFile, type ReadAmplification, readAmplification } from './read-amplification.js';

/** Files of one partition spec. */
export interface SpecFiles {
  readonly specId: number;
  /** Undefined: not a bucket of the key alone; all files must be read. */
  readonly buckets: number | undefined;
  readonly byBucket: Map<number, FileToOpen[]>;
}

/** The bucket of files of specs without buckets of the key. */
export const ANY_BUCKET = -1;
/** Lists of files, for sets of buckets, that an index keeps. */
const MAX_LISTS = 1_000;

/** Where the rows of each bucket are. */
export class FileIndex {
  readonly snapshot: Snapshot | null;
  readonly schema: Schema;
  readonly #table: Table;
  readonly specs: readonly SpecFiles[];
  readonly #known: KnownFiles;
  #amplification: ReadAmplification | undefined;
  /** Lists of files that were asked for before. */
  readonly #lists = new Map<string, readonly FileToOpen[]>();

  private constructor(table: Table, schema: Schema, specs: readonly SpecFiles[], known: KnownFiles) {
    this.snapshot = currentSnapshot(table.metadata);
    this.schema = schema;
    this.#table = table;
    this.specs = specs;
    this.#known = known;
  }

  /**
   * Reads the current snapshot's manifests.
   * @param before an index of the same view: what it knows of files that are still there is kept
   */
  static async load(table: Table, schema: Schema, keyFieldId: number, before?: FileIndex): Promise<FileIndex> {
    const snapshot = currentSnapshot(table.metadata);
    const { files } = await planFiles(table, { snapshot, schema, appliesDeletes: true });
    const specs = new Map<number, SpecFiles>();
    const known = new KnownFiles();
    for (const planned of files) {
      const file = fileToOpen(planned);
      const spec = specs.get(planned.spec.specId) ?? emptySpec(planned, keyFieldId);
      specs.set(planned.spec.specId, spec);
      const bucket = spec.buckets === undefined ? ANY_BUCKET : Number(planned.file.partition[0]);
      const list = spec.byBucket.get(bucket) ?? [];
      spec.byBucket.set(bucket, list);
      list.push(file);
      if (before !== undefined) known.addFrom(before.#known, file.location);
    }
    return new FileIndex(table, schema, [...specs.values()], known);
  }

  /** What reads of this snapshot pay. */
  get amplification(): ReadAmplification {
    this.#amplification ??= readAmplification(this.#countedFiles());
    return this.#amplification;
  }

  get fileCount(): number {
    return this.specs.reduce((sum, { byBucket }) => sum + [...byBucket.values()].flat().length, 0);
  }

  *#countedFiles(): Generator<CountedFile, void, undefined> {
    for (const { specId, byBucket } of this.specs)
      for (const [bucket, files] of byBucket)
        for (const { recordCount: rows } of files)
          yield { specId, bucket: bucket === ANY_BUCKET ? null : bucket, rows };
  }

  /** The files that may hold rows of any of the keys; the same list for the same buckets. */
  filesFor(type: IcebergType, keys: readonly PrimitiveValue[]): readonly FileToOpen[] {
    const wanted = this.specs.map(({ buckets, byBucket }) =>
      buckets === undefined ? [...byBucket.keys()] : bucketsOfKeys(buckets, type, keys),
    );
    const name = JSON.stringify(wanted);
    let files = this.#lists.get(name);
    if (files === undefined) {
      if (this.#lists.size >= MAX_LISTS) this.#lists.clear();
      files = this.specs.flatMap(
        ({ byBucket }, index) => wanted[index]?.flatMap((one) => byBucket.get(one) ?? []) ?? [],
      );
      this.#lists.set(name, files);
    }
    return files;
  }

  /**
   * Files ready for a scan; each is checked when it is needed for the first time. Lasting ones are ready on every connection.
   * @throws FILE_NOT_FOUND, DATA_FILE_CORRUPT, DELETE_FILE_CORRUPT naming the file
   */
  async open(
    connection: Connection,
    files: readonly FileToOpen[],
  ): Promise<{ readonly open: OpenFiles; readonly isLasting: boolean }> {
    const open = await openFiles(connection, this.#table, files, this.#known);
    return { open, isLasting: isLasting(this.#table, files, open) };
  }
}

function bucketsOfKeys(numBuckets: number, type: IcebergType, keys: readonly PrimitiveValue[]): readonly number[] {
  const transform = { kind: 'bucket', numBuckets } as const;
  const buckets = new Set(keys.map((key) => Number(applyTransform(transform, type, key))));
  return [...buckets].sort((a, b) => a - b);
}

function emptySpec(planned: PlannedFile, keyFieldId: number): SpecFiles {
  return { specId: planned.spec.specId, buckets: bucketsOf(planned, keyFieldId), byBucket: new Map() };
}

function bucketsOf({ spec }: PlannedFile, keyFieldId: number): number | undefined {
  const [field, ...others] = spec.fields;
  if (field?.transform.kind !== 'bucket' || others.length > 0 || field.sourceId !== keyFieldId) return undefined;
  return field.transform.numBuckets;
}
