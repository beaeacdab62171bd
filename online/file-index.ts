/** The files of one snapshot of an online table by partition: what a lookup needs to know, kept in memory. */
import type { Connection } from '../engine/index.js';
import {
  applyTransform,
  currentSnapshot,
  type IcebergType,
  type PrimitiveValue,
  type Schema,
  type Snapshot,
} from '../iceberg/index.js';
import { Turns } from '../processes/index.js';
import { type FileToOpen, fileToOpen, isLasting, KnownFiles, type OpenFiles, openFiles } from '../scans/index.js';
import { type PlannedFile, planFiles, type Table } from '../tables/index.js';
import { ANY_TIME, type EventTimes, eitherTimes, eventTimesOf, latestFirst } from './event-times.js';
import { FileWalk } from './file-walk.js';
import { bucketOf, hourOf, type PartitionPlaces, type PlacingColumns, partitionPlaces } from './online-partitioning.js';
import { SLICE_MS } from './parts/load-parts.js';
import { countedFile, type ReadAmplification, readAmplification } from './read-amplification.js';
import type { OnlineColumns } from './stored-columns.js';

/** Files whose rows a lookup does not tell apart: those of a bucket, of an hour, or of both. */
export interface CellFiles {
  /** Among those of a spec. */
  readonly name: string;
  readonly files: readonly FileToOpen[];
  readonly times: EventTimes;
}

/** Files of one partition spec. */
export interface SpecFiles {
  readonly specId: number;
  /** Undefined: rows of a key may be in any of its files. */
  readonly buckets: number | undefined;
  readonly byBucket: ReadonlyMap<number, readonly CellFiles[]>;
}

/** The bucket of files of specs without buckets of the key. */
export const ANY_BUCKET = -1;
/** Walks, for sets of buckets, that an index keeps. */
const MAX_WALKS = 1_000;

/** Where the rows of each key are. */
export class FileIndex {
  readonly snapshot: Snapshot | null;
  readonly schema: Schema;
  readonly #table: Table;
  readonly specs: readonly SpecFiles[];
  /** Its files, as they were planned. */
  readonly planned: readonly PlannedFile[];
  readonly #known: KnownFiles;
  readonly #columns: PlacingColumns;
  #amplification: ReadAmplification | undefined;
  /** Walks that were asked for before. */
  readonly #walks = new Map<string, FileWalk>();

  private constructor(
    table: Table,
    schema: Schema,
    planned: readonly PlannedFile[],
    specs: readonly SpecFiles[],
    known: KnownFiles,
    columns: PlacingColumns,
  ) {
    this.snapshot = currentSnapshot(table.metadata);
    this.schema = schema;
    this.planned = planned;
    this.#table = table;
    this.specs = specs;
    this.#known = known;
    this.#columns = columns;
  }

  /** Others have their turns meanwhile: there may be very many files. */
  static async #of(
    table: Table,
    schema: Schema,
    columns: Pick<OnlineColumns, 'lookup' | 'eventTimestamp'>,
    planned: readonly PlannedFile[],
    before: readonly FileIndex[],
  ): Promise<FileIndex> {
    const turns = new Turns(SLICE_MS);
    const builders = new Map<number, SpecBuilder>();
    const known = new KnownFiles();
    for (const one of planned) {
      const spec = builders.get(one.spec.specId) ?? new SpecBuilder(one, columns);
      builders.set(one.spec.specId, spec);
      const file = spec.add(one);
      for (const index of before) known.addFrom(index.#known, file.location);
      await turns.give();
    }
    const specs: SpecFiles[] = [];
    for (const spec of builders.values()) specs.push(await spec.build(turns));
    const placing = { keyId: columns.lookup.id, eventTimeId: columns.eventTimestamp.id };
    return new FileIndex(table, schema, planned, specs, known, placing);
  }

  /**
   * Reads the current snapshot's manifests.
   * @param before an index of the same view: what it knows of files that are still there is kept
   */
  static async load(
    table: Table,
    schema: Schema,
    columns: Pick<OnlineColumns, 'lookup' | 'eventTimestamp'>,
    before?: FileIndex,
  ): Promise<FileIndex> {
    const snapshot = currentSnapshot(table.metadata);
    const { files } = await planFiles(table, { snapshot, schema, appliesDeletes: true });
    return await FileIndex.#of(table, schema, columns, files, before === undefined ? [] : [before]);
  }

  /** The index of a table by the files of an earlier snapshot and those that were appended since. @param next the table's own */
  static async bridged(
    table: Table,
    columns: Pick<OnlineColumns, 'lookup' | 'eventTimestamp'>,
    { before, appended, next }: { before: FileIndex; appended: readonly PlannedFile[]; next: FileIndex },
  ): Promise<FileIndex> {
    return await FileIndex.#of(table, before.schema, columns, [...before.planned, ...appended], [before, next]);
  }

  /** The name of the table, which is that of its view. */
  get tableName(): string {
    return this.#table.identifier.name;
  }

  /** Whether a file of an earlier snapshot is gone. */
  lacksFilesOf({ planned }: FileIndex): boolean {
    const live = new Set(this.planned.map(({ file }) => file.filePath));
    return planned.some(({ file }) => !live.has(file.filePath));
  }

  /** What reads of this snapshot pay. */
  get amplification(): ReadAmplification {
    this.#amplification ??= readAmplification(
      this.planned.map(({ file, spec, sequenceNumber }) => countedFile(file, spec, sequenceNumber, this.#columns)),
    );
    return this.#amplification;
  }

  get fileCount(): number {
    let count = 0;
    for (const { byBucket } of this.specs)
      for (const cells of byBucket.values()) for (const { files } of cells) count += files.length;
    return count;
  }

  /** The files that may have rows of any of the keys, from those of the latest times back; the same for the same buckets. */
  walkFor(type: IcebergType, keys: readonly PrimitiveValue[]): FileWalk {
    const wanted = this.specs.map(({ buckets }) =>
      buckets === undefined ? [ANY_BUCKET] : bucketsOfKeys(buckets, type, keys),
    );
    const name = JSON.stringify(wanted);
    let walk = this.#walks.get(name);
    if (walk === undefined) {
      if (this.#walks.size >= MAX_WALKS) this.#walks.clear();
      const ofSpecs = this.specs.map(({ byBucket }, index) =>
        (wanted[index] ?? []).flatMap((bucket) => {
          const cells = byBucket.get(bucket);
          return cells === undefined ? [] : [cells];
        }),
      );
      walk = new FileWalk(ofSpecs.flat());
      this.#walks.set(name, walk);
    }
    return walk;
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

/** Collects the files of a spec. */
class SpecBuilder {
  readonly #specId: number;
  readonly #columns: Pick<OnlineColumns, 'lookup' | 'eventTimestamp'>;
  /** Undefined: the spec partitions by something else, too. */
  readonly #places: PartitionPlaces | undefined;
  readonly #cells = new Map<string, { bucket: number; files: FileToOpen[]; times: EventTimes | undefined }>();

  constructor({ spec }: PlannedFile, columns: Pick<OnlineColumns, 'lookup' | 'eventTimestamp'>) {
    const { lookup, eventTimestamp } = columns;
    this.#specId = spec.specId;
    this.#columns = columns;
    this.#places = partitionPlaces(spec, { keyId: lookup.id, eventTimeId: eventTimestamp.id });
  }

  add(planned: PlannedFile): FileToOpen {
    const file = fileToOpen(planned);
    const { partition } = planned.file;
    const bucket = bucketOf(this.#places, partition) ?? ANY_BUCKET;
    const hour = hourOf(this.#places, partition);
    const name = [...(bucket === ANY_BUCKET ? [] : [bucket]), ...(hour === undefined ? [] : [hour.earliestUs])].join(
      '/',
    );
    const cell = this.#cells.get(name) ?? { bucket, files: [], times: undefined };
    this.#cells.set(name, cell);
    cell.files.push(file);
    const times = eventTimesOf(planned, this.#columns.eventTimestamp, hour ?? ANY_TIME);
    cell.times = cell.times === undefined ? times : eitherTimes(cell.times, times);
    return file;
  }

  async build(turns: Turns): Promise<SpecFiles> {
    const byBucket = new Map<number, CellFiles[]>();
    for (const [name, { bucket, files, times = ANY_TIME }] of this.#cells) {
      const cells = byBucket.get(bucket) ?? [];
      byBucket.set(bucket, cells);
      cells.push({ name, files, times });
      await turns.give();
    }
    for (const cells of byBucket.values()) {
      cells.sort(latestFirst);
      await turns.give();
    }
    return { specId: this.#specId, buckets: this.#places?.bucket?.numBuckets, byBucket };
  }
}
