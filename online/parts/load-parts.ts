/** Decoding the parts of many slots at once. */
import { type Connection, columnAlias } from '../../engine/index.js';
import type { IcebergType, PrimitiveType, PrimitiveValue } from '../../iceberg/index.js';
import { Turns } from '../../processes/index.js';
import type { FileToOpen } from '../../scans/index.js';
import { type Behind, type Cell, Part, type Slot } from './cell.js';
import { type Column, valueAt } from './column.js';
import { type DecodableFiles, decodeRows } from './decode-rows.js';
import type { KeyRanges } from './key-ranges.js';
import { grouped, rowsByRange } from './route-rows.js';
import { allRows, gatherRows, type Rows, Segment, type SomeRows } from './segment.js';

/** A slot to fill. */
export interface SlotToLoad {
  readonly slot: Slot;
  /** An older part to which rows of some files are added; null: all files are read. */
  readonly behind: Behind | null;
}

/** Appended rows stay apart until there are so many, or one for so many loaded ones. */
const FEW_APPENDED_ROWS = 256;
const LOADED_FOR_ONE_APPENDED = 4;

/** Milliseconds of decoding after which reads of decoded rows have a turn. */
export const SLICE_MS = 1;

/**
 * Decodes parts with one statement, and gives the event loop a turn now and then.
 * @throws FILE_NOT_FOUND, DATA_FILE_CORRUPT, DELETE_FILE_CORRUPT naming the file; STORAGE_UNAVAILABLE, ENGINE_OUT_OF_MEMORY
 */
export async function loadParts(
  connection: Connection,
  table: DecodableFiles,
  wanted: readonly SlotToLoad[],
): Promise<ReadonlyMap<Slot, Part>> {
  const router = new Router(wanted);
  const found = new Map<Slot, SomeRows[]>(wanted.map(({ slot }) => [slot, []]));
  const condition = conditionOf(wanted, columnAlias(table.columns.lookup.id));
  const turns = new Turns(SLICE_MS);
  for await (const { rows, files } of decodeRows(connection, table, router.files, condition)) {
    for (const [slot, places] of router.route(rows, files, table.columns.lookup.type)) {
      found.get(slot)?.push({ from: rows, rows: Int32Array.from(places) });
    }
    await turns.give();
  }
  const parts = new Map<Slot, Part>();
  const wider = new WiderParts(table.columns.lookup.type as PrimitiveType, turns);
  for (const { slot, behind } of wanted) {
    const some = found.get(slot) ?? [];
    const own = behind?.isWider === true ? await wider.rowsOf(behind.part, slot) : null;
    const before = own === null ? (behind?.part ?? null) : null;
    parts.set(slot, await partOf(before, own === null ? some : [...own, ...some], turns, behind?.part.fromUs));
  }
  return parts;
}

/** Rows of parts whose ranges were split, by their new range. */
class WiderParts {
  readonly #keyType: PrimitiveType;
  readonly #turns: Turns;
  readonly #routed = new Map<Part, readonly SomeRows[][]>();

  constructor(keyType: PrimitiveType, turns: Turns) {
    this.#keyType = keyType;
    this.#turns = turns;
  }

  async rowsOf(part: Part, { cell, range }: Slot): Promise<readonly SomeRows[]> {
    let routed = this.#routed.get(part);
    if (routed === undefined) {
      const all = part.segments.map(({ rows }) => rows);
      routed = await rowsByRange(all, this.#keyType, cell.ranges as KeyRanges, this.#turns);
      this.#routed.set(part, routed);
    }
    return routed[range] ?? [];
  }
}

/**
 * A part with further rows.
 * @param fromUs as of {@link Part}
 */
export async function partOf(
  before: Part | null,
  some: readonly SomeRows[],
  turns: Turns,
  fromUs?: bigint,
): Promise<Part> {
  if (before === null) return new Part(await Segment.of(some, turns), null, fromUs);
  if (some.length === 0) return before;
  const { loaded, appended } = before;
  const small = await gatherRows([...(appended === null ? [] : [allRows(appended.rows)]), ...some], turns);
  const isFew = small.count <= Math.max(FEW_APPENDED_ROWS, loaded.rows.count / LOADED_FOR_ONE_APPENDED);
  if (isFew) return new Part(loaded, new Segment(small), fromUs);
  return new Part(await Segment.of([allRows(loaded.rows), allRows(small)], turns), null, fromUs);
}

/** What rows may be left out where only some ranges of large cells are wanted. */
function conditionOf(wanted: readonly SlotToLoad[], column: string): string | undefined {
  const conditions = wanted.map(({ slot: { cell, range } }) => cell.ranges?.conditionOf(range, column) ?? 'true');
  return conditions.includes('true') ? undefined : conditions.join(' OR ');
}

/** Knows the slot of each row. */
class Router {
  readonly files: readonly FileToOpen[];
  /** By the file's place: its slots by range. */
  readonly #slots: readonly ReadonlyMap<number, Slot>[];
  readonly #cells: readonly Cell[];

  constructor(wanted: readonly SlotToLoad[]) {
    const files: FileToOpen[] = [];
    const slots: Map<number, Slot>[] = [];
    const cells: Cell[] = [];
    const places = new Map<FileToOpen, number>();
    for (const { slot, behind } of wanted) {
      for (const file of behind?.files ?? slot.cell.files) {
        let place = places.get(file);
        if (place === undefined) {
          place = files.push(file) - 1;
          places.set(file, place);
          slots.push(new Map());
          cells.push(slot.cell);
        }
        slots[place]?.set(slot.range, slot);
      }
    }
    this.files = files;
    this.#slots = slots;
    this.#cells = cells;
  }

  /** The rows of a batch by slot; those of no slot are left out. */
  route(rows: Rows, files: BigInt64Array, keyType: IcebergType): ReadonlyMap<Slot, number[]> {
    return grouped(0, rows.count, (row) => this.#slotOf(Number(files[row]), rows.key, row, keyType));
  }

  #slotOf(place: number, key: Column, row: number, keyType: IcebergType): Slot | undefined {
    const ranges = this.#cells[place]?.ranges;
    const slots = this.#slots[place];
    if (ranges === undefined || ranges.count === 1) return slots?.get(0);
    const value = valueAt(keyType, key, row);
    return value === null ? undefined : slots?.get(ranges.rangeOf(value as PrimitiveValue));
  }
}
