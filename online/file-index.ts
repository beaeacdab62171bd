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
import { type FileToOpen, fileToOpen, KnownFiles, type OpenFiles, openFiles } from '../scans/index.js';
import { type PlannedFile, planFiles, type Table } from '../tables/index.js';

/** Files of one partition spec. */
interface SpecFiles {
  /** Undefined: not a bucket of the key alone; all files must be read. */
  readonly buckets: number | undefined;
  readonly byBucket: Map<number, FileToOpen[]>;
}

const ANY_BUCKET = -1;

/** Where the rows of each bucket are. */
export class FileIndex {
  readonly snapshot: Snapshot | null;
  readonly schema: Schema;
  readonly #table: Table;
  readonly #specs: readonly SpecFiles[];
  readonly #known: KnownFiles;

  private constructor(table: Table, schema: Schema, specs: readonly SpecFiles[], known: KnownFiles) {
    this.snapshot = currentSnapshot(table.metadata);
    this.schema = schema;
    this.#table = table;
    this.#specs = specs;
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
      const spec = specs.get(planned.spec.specId) ?? emptySpec(bucketsOf(planned, keyFieldId));
      specs.set(planned.spec.specId, spec);
      const bucket = spec.buckets === undefined ? ANY_BUCKET : Number(planned.file.partition[0]);
      const list = spec.byBucket.get(bucket) ?? [];
      spec.byBucket.set(bucket, list);
      list.push(file);
      if (before !== undefined) known.addFrom(before.#known, file.location);
    }
    return new FileIndex(table, schema, [...specs.values()], known);
  }

  /** The files that may hold rows of any of the keys. */
  filesFor(type: IcebergType, keys: readonly PrimitiveValue[]): readonly FileToOpen[] {
    return this.#specs.flatMap((spec) => {
      if (spec.buckets === undefined) return [...spec.byBucket.values()].flat();
      const transform = { kind: 'bucket', numBuckets: spec.buckets } as const;
      const wanted = new Set(keys.map((key) => Number(applyTransform(transform, type, key))));
      return [...wanted].flatMap((bucket) => spec.byBucket.get(bucket) ?? []);
    });
  }

  /**
   * Files ready for a scan; each is checked when it is needed for the first time.
   * @throws FILE_NOT_FOUND, DATA_FILE_CORRUPT, DELETE_FILE_CORRUPT naming the file
   */
  async open(connection: Connection, files: readonly FileToOpen[]): Promise<OpenFiles> {
    return await openFiles(connection, this.#table, files, this.#known);
  }
}

function emptySpec(buckets: number | undefined): SpecFiles {
  return { buckets, byBucket: new Map<number, FileToOpen[]>() };
}

function bucketsOf({ spec }: PlannedFile, keyFieldId: number): number | undefined {
  const [field, ...others] = spec.fields;
  if (field?.transform.kind !== 'bucket' || others.length > 0 || field.sourceId !== keyFieldId) return undefined;
  return field.transform.numBuckets;
}
