/** The files of one partition of one spec, and the parts that their rows are decoded in. */
import type { PrimitiveType } from '../../iceberg/index.js';
import type { FileToOpen } from '../../scans/index.js';
import type { EventTimes } from '../event-times.js';
import { KeyRanges } from './key-ranges.js';
import type { Segment } from './segment.js';

/** Most rows that a part is made for. */
export const MAX_PART_ROWS = 16_384;

/** Decoded rows of a range of keys of a cell. Immutable. */
export class Part {
  /** Rows as they were loaded. */
  readonly loaded: Segment;
  /** Rows that files brought which were appended since. */
  readonly appended: Segment | null;

  constructor(loaded: Segment, appended: Segment | null) {
    this.loaded = loaded;
    this.appended = appended;
  }

  get segments(): readonly Segment[] {
    return this.appended === null ? [this.loaded] : [this.loaded, this.appended];
  }
}

/** A part of an earlier snapshot, and the files that it lacks. */
export interface Behind {
  readonly part: Part;
  readonly files: readonly FileToOpen[];
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
  readonly #keyType: PrimitiveType;
  readonly #fingerprints: ReadonlyMap<string, string>;
  /** Rows of the files when the ranges were chosen. */
  #rangedRows = 0n;
  #ranges: KeyRanges | undefined;
  #slots: readonly Slot[] = [];

  constructor(keyType: PrimitiveType, { files, times }: FilesOfCell) {
    this.#keyType = keyType;
    this.files = files;
    this.recordCount = files.reduce((sum, { recordCount }) => sum + recordCount, 0n);
    this.times = times;
    this.#fingerprints = new Map(files.map((file) => [file.location, fingerprintOf(file)]));
    if (this.recordCount <= MAX_PART_ROWS) this.setRanges(new KeyRanges(keyType, []));
  }

  /** Undefined until they are known: a small cell has one range, a large one is looked at first. */
  get ranges(): KeyRanges | undefined {
    return this.#ranges;
  }

  get slots(): readonly Slot[] {
    return this.#slots;
  }

  setRanges(ranges: KeyRanges): void {
    this.#ranges = ranges;
    this.#rangedRows = this.recordCount;
    this.#slots = Array.from({ length: ranges.count }, (_, range) => new Slot(this, range));
  }

  /** The cell of these files, with all that this one has decoded and that is still right: this one itself if nothing has changed. */
  next(given: FilesOfCell): Cell {
    const { files } = given;
    const next = new Cell(this.#keyType, given);
    const isKept = [...this.#fingerprints].every(([location, deletes]) => next.#fingerprints.get(location) === deletes);
    if (isKept && files.length === this.files.length) return this;
    if (!isKept || this.#ranges === undefined || next.recordCount > this.#mostRows) return next;
    const added = files.filter(({ location }) => !this.#fingerprints.has(location));
    next.#ranges = this.#ranges;
    next.#rangedRows = this.#rangedRows;
    next.#slots = this.#slots.map(({ part, behind, range }) => new Slot(next, range, behindBy(part, behind, added)));
    return next;
  }

  /** Beyond so many rows the ranges are chosen anew. */
  get #mostRows(): bigint {
    const twice = 2n * this.#rangedRows;
    return twice > BigInt(MAX_PART_ROWS) ? twice : BigInt(MAX_PART_ROWS);
  }
}

function behindBy(part: Part | null, behind: Behind | null, added: readonly FileToOpen[]): Behind | null {
  if (part !== null) return { part, files: added };
  return behind === null ? null : { part: behind.part, files: [...behind.files, ...added] };
}

/** Names what decides the rows of a file: their order among others, and its deletes. */
function fingerprintOf({ sequenceNumber, deleted }: FileToOpen): string {
  if (deleted === undefined) return `${sequenceNumber ?? ''}`;
  const { vector, positions, equality } = deleted.deletes;
  const all = [...(vector === undefined ? [] : [vector]), ...positions, ...equality];
  const names = all.map(({ file, sequenceNumber: of }) => `${file.filePath} ${file.contentOffset ?? ''} ${of}`);
  return [`${sequenceNumber ?? ''}`, ...names].join('\n');
}
