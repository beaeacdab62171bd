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
import {
  fileToOpen,
  KnownLayouts,
  type LocatedFile,
  locateFiles,
  type OpenFiles,
  openLocated,
} from '../scans/index.js';
import { type PlannedFile, planFiles, type Table } from '../tables/index.js';

/** Files of one partition spec. */
interface SpecFiles {
  /** Undefined: not a bucket of the key alone; all files must be read. */
  readonly buckets: number | undefined;
  readonly byBucket: Map<number, LocatedFile[]>;
}

const ANY_BUCKET = -1;

/** Where the rows of each bucket are. */
export class FileIndex {
  readonly snapshot: Snapshot | null;
  readonly schema: Schema;
  readonly #table: Table;
  readonly #specs: readonly SpecFiles[];
  readonly #layouts: KnownLayouts;

  private constructor(table: Table, schema: Schema, specs: readonly SpecFiles[], layouts: KnownLayouts) {
    this.snapshot = currentSnapshot(table.metadata);
    this.schema = schema;
    this.#table = table;
    this.#specs = specs;
    this.#layouts = layouts;
  }

  /**
   * Reads the current snapshot's manifests.
   * @param before an index of the same view: what it knows of files that are still there is kept
   */
  static async load(table: Table, schema: Schema, keyFieldId: number, before?: FileIndex): Promise<FileIndex> {
    const snapshot = currentSnapshot(table.metadata);
    const { files } = await planFiles(table, { snapshot, schema, appliesDeletes: true });
    const located = await locateFiles(
      table.io,
      files.map((planned) => ({ ...fileToOpen(planned), planned })),
    );
    const specs = new Map<number, SpecFiles>();
    const layouts = new KnownLayouts();
    for (const { planned, ...file } of located) {
      const spec = specs.get(planned.spec.specId) ?? emptySpec(bucketsOf(planned, keyFieldId));
      specs.set(planned.spec.specId, spec);
      const bucket = spec.buckets === undefined ? ANY_BUCKET : Number(planned.file.partition[0]);
      const list = spec.byBucket.get(bucket) ?? [];
      spec.byBucket.set(bucket, list);
      list.push(file);
      const layout = before === undefined ? undefined : before.#layouts.get(file.path);
      if (layout !== undefined) layouts.add(file.path, layout);
    }
    return new FileIndex(table, schema, [...specs.values()], layouts);
  }

  /** The files that may hold rows of any of the keys. */
  filesFor(type: IcebergType, keys: readonly PrimitiveValue[]): readonly LocatedFile[] {
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
  async open(connection: Connection, files: readonly LocatedFile[]): Promise<OpenFiles> {
    return await openLocated(connection, this.#table, files, this.#layouts);
  }
}

function emptySpec(buckets: number | undefined): SpecFiles {
  return { buckets, byBucket: new Map<number, LocatedFile[]>() };
}

function bucketsOf({ spec }: PlannedFile, keyFieldId: number): number | undefined {
  const [field, ...others] = spec.fields;
  if (field?.transform.kind !== 'bucket' || others.length > 0 || field.sourceId !== keyFieldId) return undefined;
  return field.transform.numBuckets;
}
