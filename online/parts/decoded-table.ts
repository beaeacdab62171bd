/** The decoded parts of one snapshot of an online table. */
import type { Connection } from '../../engine/index.js';
import { applyTransform, type PrimitiveType, type PrimitiveValue, type Schema } from '../../iceberg/index.js';
import type { FileToOpen } from '../../scans/index.js';
import { ANY_BUCKET, type FileIndex } from '../file-index.js';
import type { OnlineColumns } from '../stored-columns.js';
import { Cell, type Slot } from './cell.js';
import type { DecodableFiles } from './decode-rows.js';

/** Cells of the files of one partition spec. */
interface SpecCells {
  readonly specId: number;
  readonly buckets: number | undefined;
  readonly byBucket: ReadonlyMap<number, Cell>;
}

/** A cell that has other files than an earlier snapshot's. */
export interface ChangedCell {
  readonly cell: Cell;
  /** Keys that are in the parts which were decoded; undefined: the smallest. */
  readonly keys: readonly (PrimitiveValue | undefined)[];
}

/** Cells by spec and bucket. Those whose files are unchanged are shared with the snapshot before. */
export class DecodedTable implements DecodableFiles {
  readonly columns: OnlineColumns;
  readonly #index: FileIndex;
  readonly #specs: readonly SpecCells[];
  readonly #keyType: PrimitiveType;

  private constructor(index: FileIndex, columns: OnlineColumns, specs: readonly SpecCells[]) {
    this.#index = index;
    this.columns = columns;
    this.#specs = specs;
    this.#keyType = columns.lookup.type as PrimitiveType;
  }

  /** @param before an earlier snapshot of the same table, read with the same columns */
  static of(index: FileIndex, columns: OnlineColumns, before: DecodedTable | undefined): DecodedTable {
    const keyType = columns.lookup.type as PrimitiveType;
    const known = new Map<string, Cell>();
    for (const [name, cell] of before === undefined ? [] : before.#cells()) known.set(name, cell);
    const specs = index.specs.map(({ specId, buckets, byBucket }) => ({
      specId,
      buckets,
      byBucket: new Map(
        [...byBucket].map(([bucket, files]) => {
          const cell = known.get(cellName(specId, bucket));
          return [bucket, cell === undefined ? new Cell(keyType, files) : cell.next(files)] as const;
        }),
      ),
    }));
    return new DecodedTable(index, columns, specs);
  }

  get schema(): Schema {
    return this.#index.schema;
  }

  open(connection: Connection, files: readonly FileToOpen[]): ReturnType<FileIndex['open']> {
    return this.#index.open(connection, files);
  }

  /** The cells that may have rows of a key. */
  cellsOf(key: PrimitiveValue): readonly Cell[] {
    const found: Cell[] = [];
    for (const { buckets, byBucket } of this.#specs) {
      const bucket =
        buckets === undefined
          ? ANY_BUCKET
          : (applyTransform({ kind: 'bucket', numBuckets: buckets }, this.#keyType, key) as number);
      const cell = byBucket.get(bucket);
      if (cell !== undefined) found.push(cell);
    }
    return found;
  }

  /** Every slot there is so far. */
  *slots(): Generator<Slot, void, undefined> {
    for (const [, cell] of this.#cells()) yield* cell.slots;
  }

  /** Cells with other files than an earlier snapshot has, of which that has decoded something, and new ones. */
  changedSince(before: DecodedTable): readonly ChangedCell[] {
    const known = new Map(before.#cells());
    const changed: ChangedCell[] = [];
    for (const [name, cell] of this.#cells()) {
      const old = known.get(name);
      if (old === cell) continue;
      const decoded = old?.slots.filter(({ part, behind }) => part !== null || behind !== null) ?? [];
      if (old !== undefined && decoded.length === 0) continue;
      changed.push({ cell, keys: decoded.map(({ range }) => old?.ranges?.startOf(range)) });
    }
    return changed;
  }

  *#cells(): Generator<readonly [string, Cell], void, undefined> {
    for (const { specId, byBucket } of this.#specs)
      for (const [bucket, cell] of byBucket) yield [cellName(specId, bucket), cell];
  }
}

const cellName = (specId: number, bucket: number): string => `${specId}/${bucket}`;
