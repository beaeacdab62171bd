/** The files of one snapshot of an online table by bucket: what a lookup needs to know, kept in memory. */
import {
  applyTransform,
  currentSnapshot,
  type IcebergType,
  type PrimitiveValue,
  type Schema,
  type Snapshot,
} from '../iceberg/index.js';
import { type PlannedFile, planFiles, type Table } from '../tables/index.js';

/** A file as the engine opens it. */
export interface IndexedFile {
  readonly path: string;
  readonly recordCount: bigint;
  readonly sequenceNumber: bigint;
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
  readonly #specs: readonly SpecFiles[];

  private constructor(snapshot: Snapshot | null, schema: Schema, specs: readonly SpecFiles[]) {
    this.snapshot = snapshot;
    this.schema = schema;
    this.#specs = specs;
  }

  /** Reads the current snapshot's manifests. */
  static async load(table: Table, schema: Schema, keyFieldId: number): Promise<FileIndex> {
    const snapshot = currentSnapshot(table.metadata);
    const { files } = await planFiles(table, { snapshot, schema });
    const specs = new Map<number, SpecFiles>();
    for (const planned of files) {
      const spec = specs.get(planned.spec.specId) ?? emptySpec(bucketsOf(planned, keyFieldId));
      specs.set(planned.spec.specId, spec);
      const bucket = spec.buckets === undefined ? ANY_BUCKET : Number(planned.file.partition[0]);
      const list = spec.byBucket.get(bucket) ?? [];
      spec.byBucket.set(bucket, list);
      const path = await table.io.resolve(planned.file.filePath);
      list.push({ path, recordCount: planned.file.recordCount, sequenceNumber: planned.sequenceNumber });
    }
    return new FileIndex(snapshot, schema, [...specs.values()]);
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
}

function emptySpec(buckets: number | undefined): SpecFiles {
  return { buckets, byBucket: new Map<number, IndexedFile[]>() };
}

function bucketsOf({ spec }: PlannedFile, keyFieldId: number): number | undefined {
  const [field, ...others] = spec.fields;
  if (field?.transform.kind !== 'bucket' || others.length > 0 || field.sourceId !== keyFieldId) return undefined;
  return field.transform.numBuckets;
}
