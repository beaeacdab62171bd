/** JSON Lines that come by and by, from a source that does not give them twice: what was taken from it becomes records, also if the reading is ended. */
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Chunk, chunks, type More, partOfRecord, type UnreadBytes } from './ndjson-chunks.js';

/** Lines that have come wait no longer for others. */
const GATHER_MS = 250;
/** A piece that was asked for when the reading was ended is waited for so long: it may have been taken from its source. */
const LAST_PIECE_MS = 100;

interface StreamedOptions {
  /** Lines of a piece at most. */
  readonly maxLines: number;
  /** Ends the reading: what was taken from the stream by then is given, and the stream is closed. */
  readonly signal?: AbortSignal | undefined;
  /** Told of a last line of which only a part was taken when the reading was ended. */
  readonly onNotice?: ((text: string) => void) | undefined;
}

/**
 * The lines of a stream in pieces; a quarter of a second after its first line has come a piece is given as it is. A last line without an end is one if it is a JSON
 * object.
 * @param name what messages call it
 * @throws INPUT_UNREADABLE for a stream that ends within a record, and for a line of more than 64 MiB; what the stream throws
 */
export async function* streamedLines(
  stream: AsyncIterable<Uint8Array>,
  name: string,
  { maxLines, signal, onNotice }: StreamedOptions,
): AsyncGenerator<Chunk, void, undefined> {
  const arrivals = new Arrivals(stream, signal);
  const onPart = (at: bigint): void => {
    if (signal?.aborted !== true) throw partOfRecord(name, at);
    onNotice?.(`${name} was left within the record at byte ${at}: nothing of it was written.`);
  };
  try {
    for await (const chunk of chunks((unread) => arrivals.more(unread), name, { from: 0n, maxLines, onPart })) {
      yield chunk;
      arrivals.haveWaited();
    }
  } finally {
    arrivals.close();
  }
}

/** What comes of a stream, which is asked for one piece after the other. */
class Arrivals {
  readonly #stream: AsyncIterable<Uint8Array>;
  readonly #pieces: AsyncIterator<Uint8Array>;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = (): void => this.#wake();
  /** Settled once the piece that was asked for is there. */
  #asked: Promise<void> | undefined;
  #result: IteratorResult<Uint8Array> | undefined;
  #error: { readonly cause: unknown } | undefined;
  #wake: () => void = () => undefined;
  /** Since when there are lines that were not given. */
  #linesSinceMs: number | undefined;
  #isDrained = false;

  constructor(stream: AsyncIterable<Uint8Array>, signal: AbortSignal | undefined) {
    this.#stream = stream;
    this.#pieces = stream[Symbol.asyncIterator]();
    this.#signal = signal;
    signal?.addEventListener('abort', this.#onAbort);
  }

  /** Lines were given, and whoever got them has taken a while. */
  haveWaited(): void {
    this.#linesSinceMs = undefined;
  }

  async more(unread: UnreadBytes): Promise<More> {
    if (this.#isDrained) return 'end';
    if (unread.countLines(1) > 0) this.#linesSinceMs ??= performance.now();
    this.#ask();
    while (this.#isPending && !this.#isLast && this.#leftMs() > 0) await this.#wait();
    const isLast = this.#isLast;
    if (isLast) await Promise.race([this.#asked, sleep(LAST_PIECE_MS)]);
    // What came before the stream failed counts, too.
    const isDue = this.#error !== undefined || (!isLast && this.#leftMs() <= 0);
    if (isDue && unread.countLines(1) > 0) {
      this.haveWaited();
      return 'lines';
    }
    const isThere = this.#take(unread);
    if (!isLast) return isThere ? 'bytes' : 'end';
    this.#takeRead(unread);
    this.#isDrained = true;
    return 'bytes';
  }

  close(): void {
    this.#signal?.removeEventListener('abort', this.#onAbort);
    if (this.#stream instanceof Readable) this.#stream.destroy();
    // Of a generator that waits for its own source it would be answered when that has something.
    void this.#pieces.return?.().catch(() => undefined);
  }

  get #isLast(): boolean {
    return this.#signal?.aborted === true;
  }

  get #isPending(): boolean {
    return this.#result === undefined && this.#error === undefined;
  }

  /** Milliseconds that lines may still wait; Infinity if none wait. */
  #leftMs(): number {
    return this.#linesSinceMs === undefined ? Infinity : this.#linesSinceMs + GATHER_MS - performance.now();
  }

  #ask(): void {
    this.#asked ??= this.#pieces.next().then(
      (result) => {
        this.#result = result;
        this.#wake();
      },
      (cause: unknown) => {
        this.#error = { cause };
        this.#wake();
      },
    );
  }

  /** Until something has come, lines have waited for long enough, or the reading is ended. */
  async #wait(): Promise<void> {
    const leftMs = this.#leftMs();
    await new Promise<void>((resolve) => {
      const timer = leftMs === Infinity ? undefined : setTimeout(resolve, leftMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** @returns false: the stream has ended, or has given nothing yet. @throws what it throws */
  #take(unread: UnreadBytes): boolean {
    const [result, error] = [this.#result, this.#error];
    if (error !== undefined) throw error.cause;
    if (result === undefined) return false;
    [this.#asked, this.#result] = [undefined, undefined];
    if (result.done === true) return false;
    fill(unread, result.value);
    return true;
  }

  /** Takes what the stream has read of its source, all at once: it must not read on meanwhile. */
  #takeRead(unread: UnreadBytes): void {
    if (!(this.#stream instanceof Readable)) return;
    for (;;) {
      const piece = this.#stream.read() as Uint8Array | null;
      if (piece === null) break;
      fill(unread, piece);
    }
    this.#stream.destroy();
  }
}

function fill(unread: UnreadBytes, piece: Uint8Array): void {
  unread.space(piece.length).set(piece);
  unread.filled(piece.length);
}
