/** Files that others write to, read on until somebody says that it is enough. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { IcebergSink } from '../iceberg-sink.js';
import { ProgressPace } from '../progress-pace.js';
import type { SinkMetrics } from '../sink-metrics.js';
import { CommitWatch, untilDone, type WriteOptions, writeRecords } from '../write-records.js';
import { FollowedPath } from './followed-path.js';
import type { FilePiece, Following } from './growing-file.js';
import { jsonRecords, type RecordMapping } from './json-records.js';

/** How far a sink of files is. */
export interface SinkFilesProgress extends SinkMetrics {
  /** Bytes of the files that are not committed yet, lines without an end among them. */
  readonly lagBytes: bigint;
}

export interface FollowOptions extends WriteOptions {
  readonly mapping: RecordMapping;
  /** `stopped`, by default: read until the signal is aborted; `ends`: until the ends that the files have. */
  readonly until?: 'stopped' | 'ends' | undefined;
  readonly onProgress?: ((progress: SinkFilesProgress) => void) | undefined;
}

/** Time between two looks at the files. */
const POLL_MS = 250;
const QUIET_MS = 60_000;

/**
 * Gives the lines that files have and get to a sink, in pieces of at most `maxLines`. What keeps it from committing and may come right is tried again until it
 * does.
 */
export class FollowedFiles {
  readonly #sink: IcebergSink;
  readonly #options: FollowOptions;
  readonly #paths: readonly FollowedPath[];
  readonly #watch: CommitWatch;
  readonly #pace = new ProgressPace();

  constructor(sink: IcebergSink, paths: readonly string[], maxLines: number, options: FollowOptions) {
    this.#sink = sink;
    this.#options = options;
    this.#watch = new CommitWatch(sink, options);
    const known = { positions: new Map(sink.positions), marks: new Map(sink.marks) };
    const onNotice = (text: string) => options.onNotice?.(text);
    const following: Following = { known, read: new Map(), maxLines, quietMs: QUIET_MS, onNotice };
    this.#paths = paths.map((path) => new FollowedPath(path, following));
  }

  /**
   * Reads, and leaves it to the caller to close the sink.
   * @returns whether it came to the ends that the files had, if it was to
   * @throws MoraineError `INPUT_UNREADABLE` for a file that was cut short or cannot be read; what has ended the sink
   */
  async read(): Promise<boolean> {
    for (const path of this.#paths) await path.findRenamed();
    // Also while a file is read or a commit fails: what has been opened may be renamed.
    const looks = setInterval(() => this.#look(), POLL_MS);
    try {
      while (!this.#isEnded()) {
        await this.#pass();
        this.#watch.look();
        this.#tell();
        if (this.#options.until === 'ends' && !this.#isEnded()) return true;
        await this.#pause(POLL_MS);
      }
      return false;
    } finally {
      clearInterval(looks);
    }
  }

  /** Reads each path to its end, one after the other. */
  async #pass(): Promise<void> {
    for (const path of this.#paths) {
      for await (const piece of path.pieces()) {
        await this.#write(piece);
        this.#tell();
        if (this.#isEnded()) return;
      }
      if (this.#isEnded()) return;
    }
  }

  /** What cannot be looked at the next pass meets, too. */
  #look(): void {
    for (const path of this.#paths) path.look().catch(() => undefined);
  }

  /** The source partition of the file that is at a path; empty: there is none. */
  partitionOf(path: string): string {
    return this.#paths.find((each) => each.path === path)?.partition ?? '';
  }

  progress(): SinkFilesProgress {
    const { positions } = this.#sink;
    const files = this.#paths.flatMap((path) => path.files);
    // Of the names of one file one.
    const lags = new Map(
      files.map(({ id, partition, size }) => {
        const lag = size - (positions.get(partition ?? '') ?? 0n);
        return [id, lag > 0n ? lag : 0n];
      }),
    );
    return { ...this.#sink.metrics(), lagBytes: [...lags.values()].reduce((sum, lag) => sum + lag, 0n) };
  }

  /** Call it after the sink has been closed. */
  async close(): Promise<void> {
    for (const path of this.#paths) {
      await path.tellUnread(this.#sink.positions);
      await path.close();
    }
  }

  #isEnded(): boolean {
    return this.#options.signal?.aborted === true;
  }

  #tell(): void {
    const { onProgress } = this.#options;
    if (onProgress === undefined) return;
    const progress = this.progress();
    if (this.#pace.isDue(progress, progress.lagBytes)) onProgress(progress);
  }

  async #write({ chunk, file, range }: FilePiece): Promise<void> {
    const { bytes, lines: count, from } = chunk;
    const lines = { bytes, count, source: file, from, partition: range.partition };
    const records = jsonRecords(lines, this.#options.mapping);
    const onWait = (): void => this.#tell();
    await writeRecords(this.#sink, records, range, this.#options, onWait);
    // From now on the table knows the file, whatever its name is when a crash is over.
    if (range.from === 0n) await untilDone(() => this.#sink.flush(), this.#options, onWait);
  }

  async #pause(ms: number): Promise<void> {
    const { signal } = this.#options;
    await sleep(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
  }
}
