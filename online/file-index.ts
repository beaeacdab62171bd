/** The files of one snapshot of an online table by bucket: what a lookup needs to know, kept in memory. */
import {
  type CheckedFile,
  type Connection,
  checkFiles,
  type FileLayout,
  type FileToPrepare,
  readableFormat,
  type Scan,
  withConvertedCopies,
} from '../engine/index.js';
import { deletesOf } from '../features/index.js';
import {
  applyTransform,
  currentSnapshot,
  type IcebergType,
  type NameMapping,
  nameMapping,
  type PrimitiveValue,
  type Schema,
  type Snapshot,
} from '../iceberg/index.js';
import { type PlannedFile, planFiles, type Table } from '../tables/index.js';

/** A file as the engine opens it. */
export interface IndexedFile extends CheckedFile, FileToPrepare {
  readonly recordCount: bigint;
}

/** Files of one partition spec. */
interface SpecFiles {
  /** Undefined: not a bucket of the key alone; all files must be read. */
  readonly buckets: number | undefined;
  readonly byBucket: Map<number, IndexedFile[]>;
}

const ANY_BUCKET = -1;

/** Where the rows of each bucket are. */
export class FileIndex {
  readonly snapshot: Snapshot | null;
  readonly schema: Schema;
  readonly #table: Table;
  readonly #specs: readonly SpecFiles[];
  readonly #nameMapping: NameMapping | undefined;
  /** Of the files that were looked at so far, by path. */
  readonly #layouts: Map<string, FileLayout>;

  private constructor(table: Table, schema: Schema, specs: readonly SpecFiles[], layouts: Map<string, FileLayout>) {
    this.snapshot = currentSnapshot(table.metadata);
    this.schema = schema;
    this.#table = table;
    this.#specs = specs;
    this.#nameMapping = nameMapping(table.metadata);
    this.#layouts = layouts;
  }

  /**
   * Reads the current snapshot's manifests.
   * @param before an index of the same view: what it knows of files that are still there is kept
   */
  static async load(table: Table, schema: Schema, keyFieldId: number, before?: FileIndex): Promise<FileIndex> {
    const snapshot = currentSnapshot(table.metadata);
    const { files } = await planFiles(table, { snapshot, schema, appliesDeletes: true });
    const specs = new Map<number, SpecFiles>();
    const layouts = new Map<string, FileLayout>();
    for (const planned of files) {
      const spec = specs.get(planned.spec.specId) ?? emptySpec(bucketsOf(planned, keyFieldId));
      specs.set(planned.spec.specId, spec);
      const bucket = spec.buckets === undefined ? ANY_BUCKET : Number(planned.file.partition[0]);
      const list = spec.byBucket.get(bucket) ?? [];
      spec.byBucket.set(bucket, list);
      const path = await table.io.resolve(planned.file.filePath);
      const { recordCount, fileSizeInBytes } = planned.file;
      const format = readableFormat(planned.file);
      list.push({ ...planned, path, format, recordCount, fileSizeInBytes });
      const layout = before === undefined ? undefined : before.#layouts.get(path);
      if (layout !== undefined) layouts.set(path, layout);
    }
    return new FileIndex(table, schema, [...specs.values()], layouts);
  }

  /** The files that may hold rows of any of the keys. */
  filesFor(type: IcebergType, keys: readonly PrimitiveValue[]): readonly IndexedFile[] {
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
  async open(
    connection: Connection,
    files: readonly IndexedFile[],
  ): Promise<Pick<Scan, 'files' | 'layouts' | 'nameMapping' | 'deletes'>> {
    const unknown = files.filter((file) => !this.#layouts.has(file.path));
    if (unknown.length > 0) this.#remember(await checkFiles(connection, unknown));
    const mapping = this.#nameMapping === undefined ? {} : { nameMapping: this.#nameMapping };
    const deletes = await deletesOf(connection, this.#table, files, this.#layouts);
    return await withConvertedCopies(connection, { files, layouts: this.#layouts, ...deletes, ...mapping });
  }

  /** Thousands of files have few layouts: equal ones are kept once. */
  #remember(found: ReadonlyMap<string, FileLayout>): void {
    const known = new Map([...this.#layouts.values()].map((layout) => [layout.fingerprint, layout]));
    for (const [path, layout] of found) {
      const one = known.get(layout.fingerprint) ?? layout;
      known.set(one.fingerprint, one);
      this.#layouts.set(path, one);
    }
  }
}

function emptySpec(buckets: number | undefined): SpecFiles {
  return { buckets, byBucket: new Map<number, IndexedFile[]>() };
}

function bucketsOf({ spec }: PlannedFile, keyFieldId: number): number | undefined {
  const [field, ...others] = spec.fields;
  if (field?.transform.kind !== 'bucket' || others.length > 0 || field.sourceId !== keyFieldId) return undefined;
  return field.transform.numBuckets;
}
