/** Records that wait for their batch. Pure. */
import { MoraineError } from '../../errors/index.js';
import { type BatchRange, orderOf, positionMismatch } from '../protocol/batch-ranges.js';
import type { SinkRecords } from '../sink-records.js';
import type { Delivery, SourcePositions, SourceRange } from '../source-position.js';

const MAX_MARK_CHARS = 200;

/** Records of one batch, or of a part of one, in the order in which they came, and the range of each partition. */
export interface BufferedBatch {
  readonly records: readonly SinkRecords[];
  readonly ranges: readonly BatchRange[];
  readonly bytes: number;
  readonly delivery: Delivery;
}

interface BufferedRecords {
  readonly records: SinkRecords;
  /** The writer in whose part they are. */
  readonly writer: number;
  readonly hasRange: boolean;
}

interface BufferedRange {
  readonly range: BatchRange;
  readonly writer: number;
}

export class BatchBuffer {
  readonly #sink: string;
  readonly #committed: () => SourcePositions;
  #records: BufferedRecords[] = [];
  #ranges = new Map<string, BufferedRange>();
  /** Ends of ranges that were buffered: those of batches that were cut off are not committed yet. */
  readonly #next = new Map<string, bigint>();
  #count = 0;
  #bytes = 0;

  /** @param committed the positions that were committed, also those that a rollback has taken back */
  constructor(sink: string, committed: () => SourcePositions) {
    this.#sink = sink;
    this.#committed = committed;
  }

  get isEmpty(): boolean {
    return this.#records.length === 0 && this.#ranges.size === 0;
  }

  /** Records that wait. */
  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Takes records into the next batch. All that waits of a partition is in the part of the writer that wrote it first.
   * @param writer whose records they are
   * @returns false if their range was taken before: then nothing is done
   * @throws MoraineError `SINK_POSITION_MISMATCH` if the range does not follow what was taken of its partition before; `INVALID_ARGUMENT`
   */
  add(records: SinkRecords, range: SourceRange | undefined, writer = 0): boolean {
    if (range !== undefined && !this.#addRange(records, range, writer)) return false;
    const hasRange = range !== undefined;
    const owner = hasRange ? (this.#ranges.get(range.partition)?.writer ?? writer) : writer;
    if (records.count > 0) this.#records.push({ records, writer: owner, hasRange });
    this.#count += records.count;
    this.#bytes += records.bytes;
    return true;
  }

  #addRange({ count }: SinkRecords, range: SourceRange, writer: number): boolean {
    const { partition, from, to, mark } = range;
    if (mark !== undefined && mark.length > MAX_MARK_CHARS)
      throw new MoraineError(
        'INVALID_ARGUMENT',
        `The mark of ${JSON.stringify(partition)} has ${mark.length} characters; ${MAX_MARK_CHARS} are kept.`,
      );
    if (to < from || (to === from && count > 0)) {
      const message = `The range ${from} to ${to} of ${JSON.stringify(partition)} cannot hold ${count} records.`;
      throw new MoraineError('INVALID_ARGUMENT', message);
    }
    const taken = this.#next.get(partition) ?? this.#committed().get(partition);
    const order = orderOf({ ...range, isFirst: taken === undefined }, taken);
    if (order === 'below') return false;
    if (order === 'mismatch') throw positionMismatch(this.#sink, range, taken);
    const first = this.#ranges.get(partition);
    this.#ranges.set(
      partition,
      first === undefined
        ? { range: { ...range, isFirst: taken === undefined }, writer }
        : { ...first, range: { ...first.range, to, mark } },
    );
    this.#next.set(partition, to);
    return true;
  }

  /** Takes what waits out of the buffer, or the part of one writer; null: nothing does. */
  cut(writer?: number): BufferedBatch | null {
    const isCut = (each: { readonly writer: number }): boolean => writer === undefined || each.writer === writer;
    const [records, ranges] = [this.#records.filter(isCut), [...this.#ranges].filter(([, each]) => isCut(each))];
    if (records.length === 0 && ranges.length === 0) return null;
    this.#records = this.#records.filter((each) => !isCut(each));
    for (const [partition] of ranges) this.#ranges.delete(partition);
    const [count, bytes] = sizeOf(records);
    this.#count -= count;
    this.#bytes -= bytes;
    const delivery = records.every(({ hasRange }) => hasRange) ? 'exactly-once' : 'at-least-once';
    return {
      records: records.map((each) => each.records),
      ranges: ranges.map(([, { range }]) => range),
      bytes,
      delivery,
    };
  }
}

function sizeOf(records: readonly BufferedRecords[]): readonly [count: number, bytes: number] {
  return records.reduce<readonly [number, number]>(
    ([count, bytes], { records: each }) => [count + each.count, bytes + each.bytes],
    [0, 0],
  );
}
