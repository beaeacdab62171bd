/** How much of a topic is asked for at once, and for how long: less where links are slow, or where records are many times their size once they are decompressed. Pure. */

const MIB = 2 ** 20;
const [LEAST_BYTES, FIRST_BYTES, MOST_BYTES] = [MIB / 16, MIB, 16 * MIB];
/** A broker that is gone is noticed by the time that its answer may take: that is never long. */
const [FIRST_MS, LAST_MS] = [10_000, 30_000];
/** An answer that takes so much of its time is large enough. */
const SLOW_SHARE = 1 / 4;
/** Answers are filled with whole batches, or end with a part of one: those that have so much of what was asked for are as many bytes as there may be. */
const FULL_SHARE = 1 / 2;

/** An answer, that of all brokers together. */
export interface FetchAnswer {
  /** Bytes of the records, decompressed. */
  readonly recordBytes: number;
  /** The largest share of the bytes asked for that one of the brokers has given, as they are sent. */
  readonly share: number;
  readonly tookMs: number;
}

export class FetchSize {
  #bytes = FIRST_BYTES;
  #limitMs = FIRST_MS;

  /** Bytes that brokers are asked for, compressed as they have them, all brokers together. They give one batch of records at least, whatever its size. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Milliseconds in which the answer has to come. */
  get limitMs(): number {
    return this.#limitMs;
  }

  came({ recordBytes, share, tookMs }: FetchAnswer): void {
    const isSlow = tookMs > this.#limitMs * SLOW_SHARE;
    if (recordBytes > MOST_BYTES) this.#bytes = Math.max(this.#bytes / 2, LEAST_BYTES);
    // One that is not full says nothing of those that are.
    else if (!isSlow && share >= FULL_SHARE && 2 * recordBytes <= MOST_BYTES)
      this.#bytes = Math.min(2 * this.#bytes, MOST_BYTES);
    if (!isSlow) this.#limitMs = Math.max(this.#limitMs / 2, FIRST_MS);
  }

  /** No answer came in time: a batch that is alone larger than the bytes asked for may need more of it. */
  wasLate(): void {
    this.#bytes = Math.max(this.#bytes / 4, LEAST_BYTES);
    this.#limitMs = Math.min(2 * this.#limitMs, LAST_MS);
  }
}
