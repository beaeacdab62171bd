/** Reading an answer in parts, while its connection is lent out. */
import type { Table as ArrowTable, RecordBatch } from 'apache-arrow';
import {
  arrowBatches,
  arrowTable,
  type Connection,
  type RowFormat,
  rowFormatOf,
  writeRows,
  writeWholeFile,
} from '../engine/index.js';
import { MoraineError } from '../errors/index.js';
import { type JsonValue, parseJson, type Schema } from '../iceberg/index.js';

/** Rows that can be read on a connection. */
export interface RowAnswer {
  readonly connection: Connection;
  readonly select: string;
  readonly schema: Schema;
}

/** A row as JSON Lines have it: times and binary values as text, integers beyond 2^53 as bigint, decimals as the nearest number. */
export type FeatureRow = Readonly<Record<string, JsonValue>>;

/**
 * The rows of an answer. Each method reads them from the beginning, and only `toArrow` and `toRows` hold all of them in memory.
 * Close it: it holds a connection of the query engine, and what the answer is made of.
 */
export interface FeatureReader<Answer> {
  /** Summary of the answer. */
  readonly answer: Answer;
  readonly schema: Schema;
  /** Record batches of at most 2,048 rows. An empty answer gives none. @throws CLOSED once the reader is closed */
  batches(): AsyncIterable<RecordBatch>;
  toArrow(): Promise<ArrowTable>;
  toRows(): Promise<readonly FeatureRow[]>;
  /**
   * Writes a file that appears when it is complete, in the format of its extension unless given (jsonl, json, csv, parquet, arrow).
   * @returns the number of rows
   */
  write(path: string, options?: { readonly format?: RowFormat }): Promise<bigint>;
  /** Ends the reading. May be called twice. */
  close(): Promise<void>;
}

/**
 * Turns a callback that lends an answer into a reader that keeps it until it is closed.
 * @param lend runs `use` with the answer and cleans up when that ends
 * @param describe what the reader tells of the answer
 */
export async function openReader<Lent extends RowAnswer, Answer>(
  lend: (use: (answer: Lent) => Promise<void>) => Promise<void>,
  describe: (answer: Lent) => Answer,
): Promise<FeatureReader<Answer>> {
  let close = (): void => undefined;
  const closed = new Promise<void>((resolve) => {
    close = resolve;
  });
  let lending: Promise<void> = Promise.resolve();
  const lent = await new Promise<Lent>((resolve, reject) => {
    lending = lend(async (answer) => {
      resolve(answer);
      await closed;
    });
    lending.catch(reject);
  });
  return new LentReader(lent, describe(lent), async () => {
    close();
    await lending;
  });
}

class LentReader<Answer> implements FeatureReader<Answer> {
  readonly answer: Answer;
  readonly #rows: RowAnswer;
  readonly #end: () => Promise<void>;
  readonly #reading = new Set<Promise<unknown>>();
  #closed = false;

  constructor(rows: RowAnswer, answer: Answer, end: () => Promise<void>) {
    this.answer = answer;
    this.#rows = rows;
    this.#end = end;
  }

  get schema(): Schema {
    return this.#rows.schema;
  }

  batches(): AsyncIterable<RecordBatch> {
    const { connection, select, schema } = this.#open();
    return this.#each(arrowBatches(connection, `(${select})`, schema));
  }

  /** Of a closed reader there is no next one. @throws CLOSED */
  async *#each(batches: AsyncGenerator<RecordBatch, void, undefined>): AsyncGenerator<RecordBatch, void, undefined> {
    for (;;) {
      const next = await this.#read(() => batches.next());
      if (next.done === true) return;
      yield next.value;
    }
  }

  toArrow(): Promise<ArrowTable> {
    return this.#read(({ connection, select, schema }) => arrowTable(connection, `(${select})`, schema));
  }

  toRows(): Promise<readonly FeatureRow[]> {
    return this.#read((rows) => readRows(rows));
  }

  async write(path: string, options: { readonly format?: RowFormat } = {}): Promise<bigint> {
    const format = options.format ?? rowFormatOf(path);
    if (format === undefined) {
      throw new MoraineError('INVALID_ARGUMENT', `The extension of ${path} tells no format; give one.`);
    }
    return this.#read(({ connection, select, schema }) =>
      writeWholeFile(path, (sink) => writeRows(connection, select, schema, format, sink)),
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#reading);
    await this.#end();
  }

  /** A read that closing waits for: the connection must not go from under it. */
  async #read<T>(read: (rows: RowAnswer) => Promise<T>): Promise<T> {
    const reading = read(this.#open());
    this.#reading.add(reading);
    try {
      return await reading;
    } finally {
      this.#reading.delete(reading);
    }
  }

  #open(): RowAnswer {
    if (this.#closed) throw new MoraineError('CLOSED', 'The reader is closed.');
    return this.#rows;
  }
}

async function readRows({ connection, select, schema }: RowAnswer): Promise<readonly FeatureRow[]> {
  const chunks: Uint8Array[] = [];
  const sink = {
    write: (bytes: Uint8Array): Promise<void> => {
      chunks.push(bytes);
      return Promise.resolve();
    },
  };
  await writeRows(connection, select, schema, 'jsonl', sink);
  const lines = Buffer.concat(chunks).toString('utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => parseJson(line) as FeatureRow);
}
