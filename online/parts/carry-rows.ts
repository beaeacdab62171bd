/**
 * Decoded rows whose files a compaction wrote anew go over to the parts of the new files, so that these are not decoded. What the compaction left out is left
 * out here, too, and the rows get the sequence number of their new files. No read of the compaction's time or a later one can tell them from decoded ones.
 */
import type { PrimitiveValue } from '../../iceberg/index.js';
import { Turns } from '../../processes/index.js';
import type { FileToOpen } from '../../scans/index.js';
import type { Compaction } from '../compactions.js';
import { ANY_TIME } from '../event-times.js';
import { type Behind, type Cell, Part, type Slot } from './cell.js';
import { valueAt } from './column.js';
import type { DecodedTable } from './decoded-table.js';
import { longAt } from './key-index.js';
import { KeyRanges } from './key-ranges.js';
import { partOf, SLICE_MS, type SlotToLoad } from './load-parts.js';
import { newestRows } from './newest-rows.js';
import type { PartLoader } from './part-loader.js';
import { routeRows, rowsByRange } from './route-rows.js';
import { allRows, gatherRows, type Rows, Segment, type SomeRows } from './segment.js';
import { splitRanges } from './split-ranges.js';

/** A cell all of whose rows are decoded, but for those of missing files. */
export interface HeldCell {
  readonly ranges: KeyRanges;
  /** By range. */
  readonly parts: readonly HeldPart[];
}

/** What a slot had. */
interface HeldPart extends SlotToLoad {
  readonly behind: Behind;
}

const whole = (slot: Slot, part: Part): HeldPart => ({ slot, behind: { part, files: [], isWider: false } });

/** The cells of a table that are decoded, by name. What their slots give up later stays here. */
export function heldCells(table: DecodedTable): ReadonlyMap<string, HeldCell> {
  const held = new Map<string, HeldCell>();
  for (const [name, { slots, ranges }] of table.cells()) {
    const parts = slots.flatMap((slot): readonly HeldPart[] => {
      const { part, behind } = slot;
      if (part !== null) return [whole(slot, part)];
      return behind === null ? [] : [{ slot, behind }];
    });
    if (ranges !== undefined && parts.length === slots.length) held.set(name, { ranges, parts });
  }
  return held;
}

/**
 * Fills the slots of a table, but for those that reads have filled meanwhile.
 * @param held the cells of the table before it, as they were when this one was made of it
 * @param compactions all that happened in between, but for appends
 * @param loader decodes what parts lack of files that went
 * @throws what decoding may throw
 */
export async function carryRows(
  next: DecodedTable,
  before: DecodedTable,
  held: ReadonlyMap<string, HeldCell>,
  compactions: readonly Compaction[],
  loader: PartLoader,
): Promise<void> {
  if (compactions.length === 0 || next.hasHours || before.hasHours) return;
  const sources = await sourcesOf(before, held, compactions, loader);
  if (sources === null) return;
  const carrying = new Carrying(next, targetsOf(next, before, sources, compactions), compactions);
  for (const [name, source] of sources) if (!(await carrying.route(name, source))) return;
  await carrying.fill();
}

/** A reader that lacks more files than that of those that went decodes what was written anew. */
const MOST_LACKED_FILES = 2_048;

/** A cell with files that were written anew. */
interface Source extends HeldCell {
  /** By the sequence number of its rows. */
  readonly moved: ReadonlyMap<bigint, Compaction>;
  /** Sequence numbers of files that some of its parts lack. */
  readonly missing: ReadonlySet<bigint | undefined>;
}

/** Null: not all rows that were written anew are decoded, but for those of files that parts lack, or they cannot be told from others. */
async function sourcesOf(
  before: DecodedTable,
  held: ReadonlyMap<string, HeldCell>,
  compactions: readonly Compaction[],
  loader: PartLoader,
): Promise<ReadonlyMap<string, Source> | null> {
  const sources = new Map<string, Source>();
  const incomplete: HeldPart[] = [];
  const compactionOf = new Map(
    compactions.flatMap((compaction) => [...compaction.removed].map((location) => [location, compaction] as const)),
  );
  for (const [name, { files }] of before.cells()) {
    if (!files.some(({ location }) => compactionOf.has(location))) continue;
    const ofCell = held.get(name);
    const byNumber = compactionsByNumber(files, compactionOf);
    if (ofCell === undefined || byNumber === null) return null;
    const moved = new Map([...byNumber].flatMap(([number, of]) => (of === undefined ? [] : [[number, of] as const])));
    const lacksMoved = ofCell.parts.some(
      ({ behind }) => behind.isWider || behind.files.some(({ location }) => compactionOf.has(location)),
    );
    if (lacksMoved) for (const part of ofCell.parts) incomplete.push(part);
    const missing = lacksMoved ? [] : ofCell.parts.flatMap(({ behind }) => behind.files);
    sources.set(name, { ...ofCell, moved, missing: new Set(missing.map(({ sequenceNumber }) => sequenceNumber)) });
  }
  if (incomplete.length === 0) return sources;
  const lacked = new Set(incomplete.flatMap(({ behind }) => behind.files));
  return lacked.size > MOST_LACKED_FILES ? null : await completed(before, sources, incomplete, loader);
}

/** A service that is behind lacks rows of files that went: these few are decoded, so that not all that was written anew has to be. */
async function completed(
  before: DecodedTable,
  sources: ReadonlyMap<string, Source>,
  incomplete: readonly HeldPart[],
  loader: PartLoader,
): Promise<ReadonlyMap<string, Source>> {
  const parts = await loader.complete(before, incomplete);
  const complete = (held: HeldPart): HeldPart => {
    const part = parts.get(held.slot);
    return part === undefined ? held : whole(held.slot, part);
  };
  return new Map([...sources].map(([name, source]) => [name, { ...source, parts: source.parts.map(complete) }]));
}

/** The compactions that wrote the files of each sequence number anew; null: files of one number have stayed and gone, or there is none. */
function compactionsByNumber(
  files: readonly FileToOpen[],
  compactionOf: ReadonlyMap<string, Compaction>,
): ReadonlyMap<bigint, Compaction | undefined> | null {
  const byNumber = new Map<bigint, Compaction | undefined>();
  for (const { location, sequenceNumber: number } of files) {
    const compaction = compactionOf.get(location);
    if (number === undefined || (byNumber.has(number) && byNumber.get(number) !== compaction)) return null;
    byNumber.set(number, compaction);
  }
  return byNumber;
}

/** A cell to be filled. */
interface Target {
  readonly cell: Cell;
  /** Its slots have parts already, to which rows are added. */
  readonly isBegun: boolean;
  /** By these its rows are collected. */
  readonly ranges: KeyRanges;
  /** Files that compactions wrote. */
  readonly written: ReadonlySet<FileToOpen>;
  /** Files that are neither written nor decoded. */
  readonly missing: readonly FileToOpen[];
  /** By range, then by the compaction that wrote the rows; null: their files have stayed. */
  readonly rows: readonly Map<Compaction | null, SomeRows[]>[];
}

/** Cells with files that were written, and those that have lost some, by name; null: it stays empty. */
function targetsOf(
  next: DecodedTable,
  before: DecodedTable,
  sources: ReadonlyMap<string, Source>,
  compactions: readonly Compaction[],
): ReadonlyMap<string, Target | null> {
  const known = new Map(before.cells());
  const targets = new Map<string, Target | null>();
  for (const [name, cell] of next.cells()) {
    const [source, old] = [sources.get(name), known.get(name)];
    const written = new Set(cell.files.filter(({ location }) => compactions.some(({ added }) => added.has(location))));
    if (source === undefined && written.size === 0) continue;
    const isBegun = cell.slots.some(({ behind }) => behind !== null);
    const isCold = !isBegun && source === undefined && old !== undefined;
    const isLarge = cell.recordCount > BigInt(cell.partRows);
    const ofSource = isLarge ? source?.ranges : undefined;
    const ranges = (isBegun ? cell.ranges : ofSource) ?? new KeyRanges(next.keyType, []);
    const decoded = new Set<string>(
      old?.files.filter((file) => source?.missing.has(file.sequenceNumber) !== true).map(({ location }) => location),
    );
    const missing = cell.files.filter((file) => !written.has(file) && !decoded.has(file.location));
    const rows = Array.from({ length: ranges.count }, () => new Map<Compaction | null, SomeRows[]>());
    targets.set(name, isCold ? null : { cell, isBegun, ranges, written, missing, rows });
  }
  return targets;
}

class Carrying {
  readonly #turns = new Turns(SLICE_MS);
  readonly #next: DecodedTable;
  readonly #targets: ReadonlyMap<string, Target | null>;
  /** From which time on all that is carried answers. */
  #fromUs: bigint;

  constructor(next: DecodedTable, targets: ReadonlyMap<string, Target | null>, compactions: readonly Compaction[]) {
    this.#next = next;
    this.#targets = targets;
    this.#fromUs = compactions.reduce((latest, { asOfUs }) => later(latest, asOfUs), ANY_TIME.earliestUs);
  }

  /** Collects the rows of a cell by where they are now. @returns false: a row has no place */
  async route(name: string, { parts, moved, missing }: Source): Promise<boolean> {
    const own = this.#targets.get(name) ?? undefined;
    let isWhole = true;
    const listOf = ({ key: keys, sequenceNumber }: Rows, row: number): SomeRows[] | undefined => {
      const key = valueAt(this.#next.keyType, keys, row) as PrimitiveValue | null;
      if (key === null) return undefined;
      const number = longAt(sequenceNumber, row) as bigint;
      const compaction = moved.get(number);
      if (compaction === undefined)
        return own === undefined || missing.has(number) ? undefined : listIn(own, key, null);
      const target = this.#targets.get(this.#next.cellNameOf(compaction.specId, key));
      if (target === undefined) isWhole = false;
      return target === undefined || target === null ? undefined : listIn(target, key, compaction);
    };
    for (const {
      behind: { part },
    } of parts) {
      this.#fromUs = later(this.#fromUs, part.fromUs);
      for (const { rows } of part.segments) await routeRows(rows, (row) => listOf(rows, row), this.#turns);
    }
    return isWhole;
  }

  async fill(): Promise<void> {
    for (const target of this.#targets.values()) {
      if (target === null) continue;
      if (target.isBegun) await this.#add(target);
      else await this.#fill(target);
    }
  }

  async #add({ cell, written, rows }: Target): Promise<void> {
    for (const slot of cell.slots) {
      const { behind } = slot;
      if (behind === null) continue;
      const some = (await this.#newest(rows[slot.range])).map(allRows);
      const fromUs = some.length === 0 ? behind.part.fromUs : later(behind.part.fromUs, this.#fromUs);
      const part = await partOf(behind.part, some, this.#turns, fromUs);
      if (slot.behind === behind)
        slot.behind = { ...behind, part, files: behind.files.filter((file) => !written.has(file)) };
    }
  }

  async #fill({ cell, ranges: chosen, rows, missing }: Target): Promise<void> {
    const collected: SomeRows[][] = [];
    for (const lists of rows) collected.push([...(lists.get(null) ?? []), ...(await this.#newest(lists)).map(allRows)]);
    let byRange = await this.#gather(collected);
    const { partRows, rangeRows } = cell;
    const decoded = byRange.map((of) => [{ rows: of }]);
    const ranges = splitRanges(chosen, decoded, { keyType: this.#next.keyType, partRows, rangeRows });
    if (ranges !== chosen)
      byRange = await this.#gather(await rowsByRange(byRange, this.#next.keyType, ranges, this.#turns));
    const parts: Part[] = [];
    for (const of of byRange) {
      parts.push(new Part(new Segment(of), null, this.#fromUs));
      await this.#turns.give();
    }
    if (cell.isBegun) return;
    cell.setRanges(ranges);
    for (const slot of cell.slots) slot.behind = { part: parts[slot.range] as Part, files: missing, isWider: false };
  }

  /** Rows that compactions wrote. */
  async #newest(lists: ReadonlyMap<Compaction | null, readonly SomeRows[]> | undefined): Promise<readonly Rows[]> {
    const newest: Rows[] = [];
    for (const [compaction, list] of lists ?? [])
      if (compaction !== null) newest.push(await newestRows(list, compaction, this.#turns));
    return newest;
  }

  async #gather(lists: readonly (readonly SomeRows[])[]): Promise<readonly Rows[]> {
    const gathered: Rows[] = [];
    for (const list of lists) gathered.push(await gatherRows(list, this.#turns));
    return gathered;
  }
}

function listIn({ ranges, rows }: Target, key: PrimitiveValue, compaction: Compaction | null): SomeRows[] {
  const lists = rows[ranges.rangeOf(key)] as Map<Compaction | null, SomeRows[]>;
  const list = lists.get(compaction) ?? [];
  lists.set(compaction, list);
  return list;
}

function later(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
