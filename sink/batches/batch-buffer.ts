/** Records that wait for their batch. Pure. */
import { MoraineError } from '../../errors/index.js';
import { type BatchRange, orderOf, positionMismatch } from '../protocol/batch-ranges.js';
import type { SinkRecords } from '../sink-records.js';
import type { SourcePositions, SourceRange } from '../source-position.js';

const MAX_MARK_CHARS = 200;

/** Records of one batch, in the order in which they came, and the range of each partition. */
export interface BufferedBatch {
  readonly records: readonly SinkRecords[];
  readonly ranges: readonly BatchRange[];
  readonly bytes: number;
}

export class BatchBuffer {
  readonly #sink: string;
  readonly #committed: () => SourcePositions;
  #records: SinkRecords[] = [];
  #ranges = new Map<string, BatchRange>();
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
   * Takes records into the next batch.
   * @returns false if their range was taken before: then nothing is done
   * @throws MoraineError `SINK_POSITION_MISMATCH` if the range does not follow what was taken of its partition before; `INVALID_ARGUMENT`
   */
  add(records: SinkRecords, range: SourceRange | undefined): boolean {
    if (range !== undefined && !this.#addRange(records, range)) return false;
    if (records.count > 0) this.#records.push(records);
    this.#count += records.count;
    this.#bytes += records.bytes;
    return true;
  }

  #addRange({ count }: SinkRecords, range: SourceRange): boolean {
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
      first === undefined ? { ...range, isFirst: taken === undefined } : { ...first, to, mark },
    );
    this.#next.set(partition, to);
    return true;
  }

  /** Takes what waits out of the buffer; null: nothing does. */
  cut(): BufferedBatch | null {
    if (this.isEmpty) return null;
    const batch = { records: this.#records, ranges: [...this.#ranges.values()], bytes: this.#bytes };
    this.#records = [];
    this.#ranges = new Map();
    this.#count = 0;
    this.#bytes = 0;
    return batch;
  }
}
