/** The files of one partition of one spec, and the parts that their rows are decoded in. */
import type { PrimitiveType } from '../../iceberg/index.js';
import type { FileToOpen } from '../../scans/index.js';
import { ANY_TIME, type EventTimes } from '../event-times.js';
import { KeyRanges } from './key-ranges.js';
import type { Segment } from './segment.js';
import { splitRanges } from './split-ranges.js';

/** Most rows that a part is made for, unless a reader is told otherwise. */
export const MAX_PART_ROWS = 16_384;

/** Decoded rows of a range of keys of a cell. Immutable. */
export class Part {
  /** Rows as they were loaded. */
  readonly loaded: Segment;
  /** Rows that files brought which were appended since. */
  readonly appended: Segment | null;
  /** It answers reads of this time and later ones, in microseconds since the epoch: of earlier times the files may have other rows. */
  readonly fromUs: bigint;

  constructor(loaded: Segment, appended: Segment | null, fromUs: bigint = ANY_TIME.earliestUs) {
    this.loaded = loaded;
    this.appended = appended;
    this.fromUs = fromUs;
  }

  get segments(): readonly Segment[] {
    return this.appended === null ? [this.loaded] : [this.loaded, this.appended];
  }
}

/** A part of an earlier snapshot, and the files that it lacks. */
export interface Behind {
  readonly part: Part;
  readonly files: readonly FileToOpen[];
  /** The part has rows of other ranges, too: its range was split. */
  readonly isWider: boolean;
}

/** The place of a part, which is decoded or not. */
export class Slot {
  readonly cell: Cell;
  /** Number of its range of keys. */
  readonly range: number;
  part: Part | null = null;
  behind: Behind | null;
  /** Those that were used last before it and first after it, among those with parts; of the cache. */
  usedBefore: Slot | null = null;
  usedAfter: Slot | null = null;

  constructor(cell: Cell, range: number, behind: Behind | null = null) {
    this.cell = cell;
    this.range = range;
    this.behind = behind;
  }

  /** Whether it is still one of its cell: a cell that nothing was decoded of may get others. */
  get isCurrent(): boolean {
    return this.cell.slots[this.range] === this;
  }
}

/** Files with the event times of their rows. */
export interface FilesOfCell {
  readonly files: readonly FileToOpen[];
  readonly times: EventTimes;
}

/** The files of a bucket, of an hour, or of both. A snapshot that changes them makes another cell. */
export class Cell {
  readonly files: readonly FileToOpen[];
  /** Rows of the files. */
  readonly recordCount: bigint;
  /** Event times that its rows may have. */
  readonly times: EventTimes;
  /** Most rows that a part is made for. */
  readonly partRows: number;
  readonly #keyType: PrimitiveType;
  readonly #fingerprints: ReadonlyMap<string, string>;
  /** Rows of the files when the ranges were chosen. */
  #rangedRows = 0n;
  #ranges: KeyRanges | undefined;
  #slots: readonly Slot[] = [];

  constructor(keyType: PrimitiveType, { files, times }: FilesOfCell, partRows = MAX_PART_ROWS) {
    this.#keyType = keyType;
    this.partRows = partRows;
    this.files = files;
    this.recordCount = files.reduce((sum, { recordCount }) => sum + recordCount, 0n);
    this.times = times;
    this.#fingerprints = new Map(files.map((file) => [file.location, fingerprintOf(file)]));
    if (this.recordCount <= BigInt(partRows)) this.setRanges(new KeyRanges(keyType, []));
  }

  /** Rows of a range when it is chosen: fewer than a part may have, since files are appended. */
  get rangeRows(): number {
    return Math.ceil(this.partRows / 2);
  }

  /** Undefined until they are known: a small cell has one range, a large one is looked at first. */
  get ranges(): KeyRanges | undefined {
    return this.#ranges;
  }

  get slots(): readonly Slot[] {
    return this.#slots;
  }

  /** Gives it empty slots. */
  setRanges(ranges: KeyRanges): void {
    this.#ranges = ranges;
    this.#rangedRows = this.recordCount;
    this.#slots = Array.from({ length: ranges.count }, (_, range) => new Slot(this, range));
  }

  /** Whether reads have been given something to go on from: a part, or ranges that were chosen for them. */
  get isBegun(): boolean {
    const isChosen = this.#ranges !== undefined && this.recordCount > BigInt(this.partRows);
    return isChosen || this.#slots.some(({ part, behind }) => part !== null || behind !== null);
  }

  /** The cell of these files, with all that this one has decoded and that is still right: this one itself if nothing has changed. */
  next(given: FilesOfCell): Cell {
    const next = new Cell(this.#keyType, given, this.partRows);
    if (next.#hasFilesOf(this) && next.files.length === this.files.length) return this;
    next.goOnFrom(this);
    return next;
  }

  /** Takes over what the cell of an earlier snapshot has decoded and what is still right, unless it has begun by itself. */
  goOnFrom(before: Cell): void {
    if (this.isBegun || before.#ranges === undefined || !this.#hasFilesOf(before)) return;
    const isDecoded = before.#slots.every(({ part, behind }) => part !== null || behind !== null);
    if (!isDecoded && this.recordCount > before.#mostRows) return;
    const added = this.files.filter(({ location }) => !before.#fingerprints.has(location));
    const decoded = before.#slots.map(({ part, behind }) => (part ?? behind?.part)?.segments ?? []);
    const { partRows, rangeRows } = this;
    this.#ranges = splitRanges(before.#ranges, decoded, { keyType: this.#keyType, partRows, rangeRows });
    this.#rangedRows = isDecoded ? this.recordCount : before.#rangedRows;
    this.#slots = narrowerSlots(this, this.#ranges, before.#slots, before.#ranges, added);
  }

  /** Whether the rows of another cell's files are those that they are here. */
  #hasFilesOf(other: Cell): boolean {
    return [...other.#fingerprints].every(([location, deletes]) => this.#fingerprints.get(location) === deletes);
  }

  /** Beyond so many rows the ranges are chosen anew, if some of them are not decoded: nobody knows how those have grown. */
  get #mostRows(): bigint {
    const twice = 2n * this.#rangedRows;
    return twice > BigInt(this.partRows) ? twice : BigInt(this.partRows);
  }
}

/** The slots of a cell whose ranges are those of an earlier one, some of them split. */
function narrowerSlots(
  cell: Cell,
  ranges: KeyRanges,
  slots: readonly Slot[],
  wider: KeyRanges,
  added: readonly FileToOpen[],
): readonly Slot[] {
  const froms = Array.from({ length: ranges.count }, (_, range) => {
    const start = ranges.startOf(range);
    return slots[start === undefined ? 0 : wider.rangeOf(start)] as Slot;
  });
  return froms.map((from, range) => {
    const isSplit = from === froms[range - 1] || from === froms[range + 1];
    return new Slot(cell, range, behindBy(from, added, isSplit));
  });
}

function behindBy({ part, behind }: Slot, added: readonly FileToOpen[], isSplit: boolean): Behind | null {
  if (part !== null) return { part, files: added, isWider: isSplit };
  if (behind === null) return null;
  return { part: behind.part, files: [...behind.files, ...added], isWider: behind.isWider || isSplit };
}

/** Names what decides the rows of a file: their order among others, and its deletes. */
function fingerprintOf({ sequenceNumber, deleted }: FileToOpen): string {
  if (deleted === undefined) return `${sequenceNumber ?? ''}`;
  const { vector, positions, equality } = deleted.deletes;
  const all = [...(vector === undefined ? [] : [vector]), ...positions, ...equality];
  const names = all.map(({ file, sequenceNumber: of }) => `${file.filePath} ${file.contentOffset ?? ''} ${of}`);
  return [`${sequenceNumber ?? ''}`, ...names].join('\n');
}
