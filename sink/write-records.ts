/** Giving records to a sink whose commits may fail for a while. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isMoraineError } from '../errors/index.js';
import type { IcebergSink } from './iceberg-sink.js';
import type { SinkRecords } from './sink-records.js';
import type { SourceRange } from './source-position.js';

export interface WriteOptions {
  /** Whether a commit that fails and may come right is tried again here; it is by default. */
  readonly retries?: boolean | undefined;
  /** Nothing more is written once it is aborted. */
  readonly signal?: AbortSignal | undefined;
  readonly onNotice?: ((text: string) => void) | undefined;
}

/** What keeps a sink from committing is told again after so long. */
const TELL_AGAIN_MS = 60_000;

/** Looks at the commits that a sink makes by itself, behind those who write to it. */
export class CommitWatch {
  readonly #sink: Pick<IcebergSink, 'failure' | 'blockedBy'>;
  readonly #options: WriteOptions;
  #told: { readonly code: string; readonly atMs: number } | undefined;

  constructor(sink: Pick<IcebergSink, 'failure' | 'blockedBy'>, options: WriteOptions) {
    [this.#sink, this.#options] = [sink, options];
  }

  /** Tells what keeps the sink from committing. @throws MoraineError what has ended it; without `retries` also what may come right */
  look(): void {
    const { failure, blockedBy } = this.#sink;
    if (failure !== undefined) throw failure;
    if (blockedBy === undefined) {
      this.#told = undefined;
      return;
    }
    if (this.#options.retries === false) throw blockedBy;
    const { message, code } = blockedBy;
    const nowMs = performance.now();
    // Messages name files, which have other names in each attempt.
    if (this.#told?.code === code && nowMs - this.#told.atMs < TELL_AGAIN_MS) return;
    this.#told = { code, atMs: nowMs };
    this.#options.onNotice?.(`${message} [${code}] It is tried again when the batch interval has passed.`);
  }
}

const [FIRST_RETRY_MS, LAST_RETRY_MS] = [1_000, 60_000];

/** @param onWait as of {@link untilDone}. @throws MoraineError as {@link untilDone} */
export function writeRecords(
  sink: IcebergSink,
  records: SinkRecords,
  range: SourceRange,
  options: WriteOptions,
  onWait: () => void,
): Promise<void> {
  return untilDone(() => sink.writer(0).writeBatch(records, range), options, onWait);
}

/**
 * Has a sink do something, again after errors that may come right.
 * @param onWait called before each wait
 * @throws MoraineError what has ended the sink; without `retries` also what may come right
 */
export async function untilDone(
  work: () => Promise<unknown>,
  { retries = true, signal, onNotice }: WriteOptions,
  onWait: () => void,
): Promise<void> {
  for (let waitMs = FIRST_RETRY_MS; signal?.aborted !== true; waitMs = Math.min(2 * waitMs, LAST_RETRY_MS)) {
    try {
      await work();
      return;
    } catch (error) {
      if (!retries || !isMoraineError(error) || !error.retryable) throw error;
      onNotice?.(`${error.message} [${error.code}] It is tried again in ${waitMs / 1_000} s.`);
      onWait();
      await sleep(waitMs, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
    }
  }
}

/** Commits what a source gives to a sink until it ends, also what it gave before it failed: those records are whole. @throws what reading and committing throw */
export async function readThenClose<T>(sink: IcebergSink, read: () => Promise<T>): Promise<T> {
  let result: T;
  try {
    result = await read();
  } catch (error) {
    await sink.close().catch(() => undefined);
    throw error;
  }
  await sink.close();
  return result;
}
