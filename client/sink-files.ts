/** JSON Lines files into a table, exactly once: what a run that was killed has committed is not written again. */
import { readInput } from '../engine/index.js';
import { MoraineError } from '../errors/index.js';
import { mappingOf, openProjectSink, type Project, type SinkSettings } from '../project/index.js';
import {
  type Chunk,
  CommitWatch,
  chunksOf,
  type Delivery,
  FollowedFiles,
  type IcebergSink,
  jsonRecords,
  placeOf,
  type RecordMapping,
  readThenClose,
  requireRegularFiles,
  type SinkCommit,
  type SinkFilesProgress,
  type SourceRange,
  streamedLines,
} from '../sink/index.js';
import { createMissingTable } from './create-table.js';
import { NO_COMMITS, type SinkTotals, withCommit } from './sink-totals.js';

export interface SinkFilesOptions extends RecordMapping, SinkSettings {
  /** Tells the sinks of a table apart: positions are kept under it. `files` by default. */
  readonly name?: string | undefined;
  /** Records of a commit; 10,000 by default. */
  readonly batchSize?: number | undefined;
  /** Milliseconds after which records are committed that make no whole batch; 10,000 by default. */
  readonly batchIntervalMs?: number | undefined;
  /** Create the table if it does not exist, with the columns of the first file; goes with no mapping of fields. */
  readonly create?: boolean | undefined;
  /** Partition transforms of a table that is created. */
  readonly partition?: string | undefined;
  /**
   * Wait at the ends of the files for more, until the signal is aborted: paths may have no file yet, and files may be renamed, truncated and replaced. A last line
   * without an end is no record then. What fails and may come right is tried again.
   */
  readonly follow?: boolean | undefined;
  /** Told of each commit. */
  readonly onCommit?: ((commit: SinkCommit) => void) | undefined;
  /** With `follow`: told after commits, and of a lag every 10 seconds. */
  readonly onProgress?: ((progress: SinkFilesProgress) => void) | undefined;
  /** With `follow`: told of what happens to files, and of commits that are tried again. Of a stream: told of a last line of which only a part was read when the signal came. */
  readonly onNotice?: ((text: string) => void) | undefined;
  /** Ends the reading: what was read is committed first. */
  readonly signal?: AbortSignal | undefined;
}

/** Records that come once, such as those of standard input: who starts again after a crash does not know which of them are in the table. */
export interface RecordStream {
  /** What messages call it. */
  readonly name: string;
  /** JSON Lines, in pieces of any size. */
  readonly stream: AsyncIterable<Uint8Array>;
}

/** The path of a file, or a stream. */
export type SinkInput = string | RecordStream;

/** What is promised of inputs: a stream among them has no positions. */
export type DeliveryOf<Inputs extends readonly SinkInput[]> = Inputs[number] extends string
  ? 'exactly-once'
  : true extends { readonly [Index in keyof Inputs]: Inputs[Index] extends RecordStream ? true : false }[number]
    ? 'at-least-once'
    : Delivery;

/** What a run has done. */
export interface SinkFilesResult<Promised extends Delivery = Delivery> extends SinkTotals {
  /** `exactly-once` if all inputs are files; `at-least-once` if one of them is a stream: what of it was sent before a crash may be sent and written again. */
  readonly delivery: Promised;
  /** For each file, up to which byte the table has its records; of one that was followed, what is at its path in the end. */
  readonly files: readonly { readonly file: string; readonly position: bigint }[];
  /** Whether the signal ended it before the files' ends. */
  readonly isInterrupted: boolean;
}

const DEFAULT_NAME = 'files';
const DEFAULT_BATCH = 10_000;
/** Time between two looks at a sink whose stream gives nothing. */
const LOOK_MS = 250;

/**
 * Writes the records of JSON Lines files into a table, one after the other, from where the table has them. Every value must fit its column exactly: by
 * `badRecords` a record that does not stops the run, which names its place and has written nothing of its batch, or is left out and counted.
 * @param inputs absolute paths, in folders that the project may read, and streams, whose records are written at least once: they have no positions
 * With `follow` the files are read on, one after the other, until the signal is aborted.
 * @throws TABLE_NOT_FOUND, INPUT_UNREADABLE, COLUMN_NOT_FOUND, TYPE_MISMATCH, INVALID_ARGUMENT; as {@link IcebergSink}
 */
export async function sinkFiles<const Inputs extends readonly SinkInput[]>(
  project: Project,
  tableName: string,
  inputs: Inputs,
  options: SinkFilesOptions = {},
): Promise<SinkFilesResult<DeliveryOf<Inputs>>> {
  const { name = DEFAULT_NAME, batchSize = DEFAULT_BATCH, signal } = options;
  requireReadable(inputs, options);
  const paths = inputs.filter((input) => typeof input === 'string');
  await requireRegularFiles(paths);
  if (options.create === true) await createMissing(project, tableName, inputs, options);
  let totals = NO_COMMITS;
  const onCommit = (commit: SinkCommit): void => {
    totals = withCommit(totals, commit);
    options.onCommit?.(commit);
  };
  const sink = await openProjectSink(project, tableName, { ...options, name, batchSize, onCommit });
  const reading = new Reading(sink, mappingOf(options, options), batchSize);
  await readThenClose(sink, () => (options.follow === true ? reading.follow(paths) : reading.all(inputs)));
  const files = paths.map((file) => ({ file, position: sink.positions.get(reading.partitionOf(file)) ?? 0n }));
  const delivery = (paths.length === inputs.length ? 'exactly-once' : 'at-least-once') as DeliveryOf<Inputs>;
  return { ...totals, delivery, files, isInterrupted: signal?.aborted === true };
}

/** Gives the records of inputs to a sink. */
class Reading {
  readonly #sink: IcebergSink;
  readonly #options: SinkFilesOptions;
  readonly #batchSize: number;
  /** Positions and marks with what was read since the last commit: a copy of a file may follow it. */
  readonly #known: { readonly positions: Map<string, bigint>; readonly marks: Map<string, string> };
  readonly #partitions = new Map<string, string>();

  constructor(sink: IcebergSink, options: SinkFilesOptions, batchSize: number) {
    this.#sink = sink;
    this.#options = options;
    this.#batchSize = batchSize;
    this.#known = { positions: new Map(sink.positions), marks: new Map(sink.marks) };
  }

  /** The source partition of a file that was read; empty: there is none. */
  partitionOf(file: string): string {
    return this.#partitions.get(file) ?? '';
  }

  async all(inputs: readonly SinkInput[]): Promise<void> {
    for (const input of inputs) {
      if (this.#options.signal?.aborted === true) break;
      await (typeof input === 'string' ? this.#file(input) : this.#stream(input));
    }
  }

  async follow(paths: readonly string[]): Promise<void> {
    const { signal, onNotice, onProgress } = this.#options;
    const options = { mapping: this.#options, signal, onNotice, onProgress };
    const followed = new FollowedFiles(this.#sink, paths, this.#batchSize, options);
    try {
      await followed.read();
      await this.#sink.close();
      onProgress?.(followed.progress());
    } finally {
      for (const path of paths) this.#partitions.set(path, followed.partitionOf(path));
      await followed.close();
    }
  }

  async #file(file: string): Promise<void> {
    const place = await placeOf(file, this.#known);
    if (place === null) return;
    const { partition, position, mark } = place;
    this.#partitions.set(file, partition);
    for await (const chunk of chunksOf(file, position, this.#batchSize)) {
      if (this.#options.signal?.aborted === true) break;
      const { from, to, bytes } = chunk;
      mark.append(bytes);
      const range = { partition, from, to, mark: mark.toString() };
      await this.#write(chunk, file, range);
      this.#known.positions.set(partition, to);
      this.#known.marks.set(partition, range.mark);
    }
  }

  async #stream({ name, stream }: RecordStream): Promise<void> {
    const { signal, onNotice } = this.#options;
    // What ends the sink, or keeps it from committing, is heard of also while nothing comes.
    const failed = new AbortController();
    const watch = new CommitWatch(this.#sink, { onNotice });
    const looks = setInterval(() => {
      try {
        if (this.#sink.failure === undefined) watch.look();
        else failed.abort();
      } catch (error) {
        // Nobody else hears of what the caller's function throws.
        failed.abort(error);
      }
    }, LOOK_MS);
    const either = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
    try {
      for await (const chunk of streamedLines(stream, name, { maxLines: this.#batchSize, signal: either, onNotice }))
        await this.#write(chunk, name);
    } finally {
      clearInterval(looks);
    }
    if (this.#sink.failure !== undefined) throw this.#sink.failure;
    failed.signal.throwIfAborted();
  }

  async #write({ bytes, lines: count, from }: Chunk, source: string, range?: SourceRange): Promise<void> {
    const records = jsonRecords({ bytes, count, source, from, partition: range?.partition }, this.#options);
    await this.#sink.writer(0).writeBatch(records, range);
  }
}

/** @throws INVALID_ARGUMENT for a stream that is given twice, or is to be followed */
function requireReadable(inputs: readonly SinkInput[], { follow }: SinkFilesOptions): void {
  const streams = inputs.filter((input) => typeof input !== 'string');
  const twice = streams.find(({ stream }, index) => streams.findIndex((other) => other.stream === stream) < index);
  if (twice !== undefined)
    throw new MoraineError('INVALID_ARGUMENT', `${twice.name} is given twice, and can be read once only.`);
  const [stream] = streams;
  if (follow === true && stream !== undefined)
    throw new MoraineError('INVALID_ARGUMENT', `${stream.name} is read to its end; only files can be followed.`);
}

/** Creates a table that does not exist, with the columns of the first file. */
async function createMissing(
  project: Project,
  tableName: string,
  inputs: readonly SinkInput[],
  { partition, fields, times, rest, raw, error }: SinkFilesOptions,
): Promise<void> {
  const { catalog, identifier } = await project.resolveTable(tableName);
  if (await catalog.tableExists(identifier)) return;
  if ([fields, times, rest, raw, error].some((mapped) => mapped !== undefined))
    throw new MoraineError(
      'INVALID_ARGUMENT',
      'A table is created with the fields of a file as its columns. Create it before, where fields are mapped to columns.',
    );
  const file = inputs.find((input) => typeof input === 'string');
  if (file === undefined)
    throw new MoraineError('INVALID_ARGUMENT', 'A table is created with the columns of a file, and none is given.');
  const engine = await project.engine();
  const { schema } = await engine.withConnection((connection) => readInput(connection, file, { format: 'jsonl' }));
  await createMissingTable(catalog, identifier, { schema, partition });
}
