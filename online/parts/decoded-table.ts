/** The decoded parts of one snapshot of an online table. */
import type { Connection } from '../../engine/index.js';
import { applyTransform, type PrimitiveType, type PrimitiveValue, type Schema } from '../../iceberg/index.js';
import { Turns } from '../../processes/index.js';
import type { FileToOpen } from '../../scans/index.js';
import { latestFirst } from '../event-times.js';
import { ANY_BUCKET, type FileIndex } from '../file-index.js';
import type { OnlineColumns } from '../stored-columns.js';
import { Cell, type Slot } from './cell.js';
import type { DecodableFiles } from './decode-rows.js';
import { SLICE_MS } from './load-parts.js';

/** Cells of the files of one partition spec. */
interface SpecCells {
  readonly specId: number;
  readonly buckets: number | undefined;
  readonly byBucket: ReadonlyMap<number, readonly NamedCell[]>;
}

interface NamedCell {
  readonly name: string;
  readonly cell: Cell;
}

/** Lists of cells, for sets of buckets, that a table keeps. */
const MAX_WALKS = 4_096;

/** A cell that has other files than an earlier snapshot's. */
export interface ChangedCell {
  readonly cell: Cell;
  /** Keys that are in the parts which were decoded; undefined: the smallest. */
  readonly keys: readonly (PrimitiveValue | undefined)[];
}

/** Cells by spec and partition. Those whose files are unchanged are shared with the snapshot before. */
export class DecodedTable implements DecodableFiles {
  readonly columns: OnlineColumns;
  /** Most rows that a part of it is made for. */
  readonly partRows: number;
  /** Whether a key has more cells than one for each spec, so that a read may leave out those of earlier times. */
  readonly hasHours: boolean;
  readonly #index: FileIndex;
  readonly #specs: readonly SpecCells[];
  /** Of the column that is looked up. */
  readonly keyType: PrimitiveType;
  /** By the buckets of a key. */
  readonly #walks = new Map<number | string, readonly Cell[]>();

  private constructor(index: FileIndex, columns: OnlineColumns, specs: readonly SpecCells[], partRows: number) {
    this.partRows = partRows;
    this.#index = index;
    this.columns = columns;
    this.#specs = specs;
    this.keyType = columns.lookup.type as PrimitiveType;
    this.hasHours = specs.some(({ byBucket }) => [...byBucket.values()].some(({ length }) => length > 1));
  }

  /**
   * Others have their turns meanwhile: there may be very many files. What is decoded of the earlier snapshot goes on from cell by cell.
   * @param before an earlier snapshot of the same table, read with the same columns
   * @param partRows most rows that a part is made for
   */
  static async of(
    index: FileIndex,
    columns: OnlineColumns,
    before: DecodedTable | undefined,
    partRows: number,
  ): Promise<DecodedTable> {
    const turns = new Turns(SLICE_MS);
    const keyType = columns.lookup.type as PrimitiveType;
    const known = new Map<string, Cell>();
    for (const [name, cell] of before === undefined ? [] : before.cells()) {
      known.set(name, cell);
      await turns.give();
    }
    const specs: SpecCells[] = [];
    for (const { specId, buckets, byBucket: files } of index.specs) {
      const byBucket = new Map<number, NamedCell[]>();
      for (const [bucket, ofBucket] of files) {
        const cells: NamedCell[] = [];
        byBucket.set(bucket, cells);
        for (const filesOfCell of ofBucket) {
          const name = `${specId}:${filesOfCell.name}`;
          const cell = known.get(name);
          cells.push({
            name,
            cell: cell === undefined ? new Cell(keyType, filesOfCell, partRows) : cell.next(filesOfCell),
          });
          await turns.give();
        }
      }
      specs.push({ specId, buckets, byBucket });
    }
    return new DecodedTable(index, columns, specs, partRows);
  }

  get view(): string {
    return this.#index.tableName;
  }

  get schema(): Schema {
    return this.#index.schema;
  }

  open(connection: Connection, files: readonly FileToOpen[]): ReturnType<FileIndex['open']> {
    return this.#index.open(connection, files);
  }

  /** The cells that may have rows of a key, those with the latest event times first. */
  cellsOf(key: PrimitiveValue): readonly Cell[] {
    const buckets = this.#specs.map(({ buckets: numBuckets }) =>
      numBuckets === undefined ? ANY_BUCKET : this.#bucketOf(numBuckets, key),
    );
    const name = buckets.length === 1 ? (buckets[0] as number) : buckets.join();
    let cells = this.#walks.get(name);
    if (cells === undefined) {
      cells = this.#specs
        .flatMap(({ byBucket }, index) => byBucket.get(buckets[index] as number) ?? [])
        .map(({ cell }) => cell)
        .sort(latestFirst);
      if (this.#walks.size >= MAX_WALKS) this.#walks.clear();
      this.#walks.set(name, cells);
    }
    return cells;
  }

  /** The name of the cell of a spec that has the rows of a key, where cells have no hours. */
  cellNameOf(specId: number, key: PrimitiveValue): string {
    const buckets = this.#specs.find((spec) => spec.specId === specId)?.buckets;
    return `${specId}:${buckets === undefined ? '' : this.#bucketOf(buckets, key)}`;
  }

  /** Every slot there is so far. */
  *slots(): Generator<Slot, void, undefined> {
    for (const [, cell] of this.cells()) yield* cell.slots;
  }

  #bucketOf(numBuckets: number, key: PrimitiveValue): number {
    return applyTransform({ kind: 'bucket', numBuckets }, this.keyType, key) as number;
  }

  /** Takes over what an earlier snapshot has decoded since this one was made of it. */
  goOnFrom(before: DecodedTable): void {
    const known = new Map(before.cells());
    for (const [name, cell] of this.cells()) {
      const old = known.get(name);
      if (old !== undefined && old !== cell) cell.goOnFrom(old);
    }
  }

  /** Cells with other files than an earlier snapshot has, of which that has decoded something, and new ones. */
  changedSince(before: DecodedTable): readonly ChangedCell[] {
    const known = new Map(before.cells());
    const changed: ChangedCell[] = [];
    for (const [name, cell] of this.cells()) {
      const old = known.get(name);
      if (old === cell) continue;
      const decoded = old?.slots.filter(({ part, behind }) => part !== null || behind !== null) ?? [];
      if (old !== undefined && decoded.length === 0) continue;
      changed.push({ cell, keys: decoded.map(({ range }) => old?.ranges?.startOf(range)) });
    }
    return changed;
  }

  /** By the names of their specs and partitions. */
  *cells(): Generator<readonly [string, Cell], void, undefined> {
    for (const { byBucket } of this.#specs)
      for (const cells of byBucket.values()) for (const { name, cell } of cells) yield [name, cell];
  }
}
