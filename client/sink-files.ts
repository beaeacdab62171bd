/** JSON Lines files into a table, exactly once: what a run that was killed has committed is not written again. */
import { randomUUID } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Connection, quoteIdentifier, readInput } from '../engine/index.js';
import { isMoraineError, MoraineError } from '../errors/index.js';
import type { Schema } from '../iceberg/index.js';
import type { Project } from '../project/index.js';
import { IcebergSink, type OpenedRecords, type SinkCommit, type SinkRecords } from '../sink/index.js';
import { exactRows } from './input-columns.js';
import { type Chunk, chunksOf, identityOf } from './ndjson-chunks.js';

export interface SinkFilesOptions {
  /** Tells the sinks of a table apart: positions are kept under it. `files` by default. */
  readonly name?: string | undefined;
  /** Records of a commit; 10,000 by default. */
  readonly batchSize?: number | undefined;
  /** Milliseconds after which records are committed that make no whole batch; 10,000 by default. */
  readonly batchIntervalMs?: number | undefined;
  /** Told of each commit. */
  readonly onCommit?: ((commit: SinkCommit) => void) | undefined;
  /** Ends the reading: what was read is committed first. */
  readonly signal?: AbortSignal | undefined;
}

/** What a run has done. */
export interface SinkFilesResult {
  readonly rows: bigint;
  /** Snapshots that the run has made for records. */
  readonly commits: number;
  /** The last of them; null: there was nothing new. */
  readonly snapshotId: bigint | null;
  /** For each file, up to which byte the table has its records. */
  readonly files: readonly { readonly file: string; readonly position: bigint }[];
  /** Whether the signal ended it before the files' ends. */
  readonly isInterrupted: boolean;
}

const DEFAULT_NAME = 'files';
const DEFAULT_BATCH = 10_000;

/**
 * Writes the records of JSON Lines files into a table that exists, one after the other, from where the table has them. Columns are matched by name, and
 * every value must fit its column exactly: a batch with a record that does not is not written, and the error names its place.
 * @param files absolute paths, in folders that the project may read
 * @throws TABLE_NOT_FOUND, INPUT_UNREADABLE, COLUMN_NOT_FOUND, TYPE_MISMATCH; INVALID_ARGUMENT for files that cannot be told apart; as {@link IcebergSink}
 */
export async function sinkFiles(
  project: Project,
  tableName: string,
  files: readonly string[],
  { name = DEFAULT_NAME, batchSize = DEFAULT_BATCH, batchIntervalMs, onCommit, signal }: SinkFilesOptions = {},
): Promise<SinkFilesResult> {
  const sources = await identified(files);
  const { catalog, identifier } = await project.resolveTable(tableName);
  const done = { rows: 0n, commits: 0, snapshotId: null as bigint | null };
  const deps = { catalog, io: project.io, engine: await project.engine() };
  const sink = await IcebergSink.open(deps, {
    ...{ table: identifier, name, batchSize },
    ...(batchIntervalMs === undefined ? {} : { batchIntervalMs }),
    onCommit: (commit) => {
      done.rows += commit.rows;
      done.commits += 1;
      done.snapshotId = commit.snapshotId;
      onCommit?.(commit);
    },
  });
  try {
    for (const { file, partition } of sources) {
      if (partition === null) continue;
      for await (const chunk of chunksOf(file, sink.positions.get(partition) ?? 0n, batchSize)) {
        if (signal?.aborted === true) break;
        const { from, to } = chunk;
        await sink.writer(0).writeBatch(recordsOf(file, chunk), { partition, from, to });
      }
    }
  } catch (error) {
    // Records before the place of the error are whole.
    await sink.close().catch(() => undefined);
    throw error;
  }
  await sink.close();
  const positions = sources.map(({ file, partition }) => ({
    file,
    position: (partition === null ? undefined : sink.positions.get(partition)) ?? 0n,
  }));
  return { ...done, files: positions, isInterrupted: signal?.aborted === true };
}

interface Source {
  readonly file: string;
  readonly partition: string | null;
}

/** @throws INVALID_ARGUMENT */
async function identified(files: readonly string[]): Promise<readonly Source[]> {
  const sources: Source[] = [];
  for (const file of files) {
    const partition = await identityOf(file);
    const same = partition === null ? undefined : sources.find((other) => other.partition === partition);
    if (same !== undefined)
      throw new MoraineError(
        'INVALID_ARGUMENT',
        `${same.file} and ${file} have the same name and the same first line: they cannot be told apart. Give one of them another name.`,
      );
    sources.push({ file, partition });
  }
  return sources;
}

/** Lines of a file as records of a sink. */
function recordsOf(file: string, { bytes, lines, from, to }: Chunk): SinkRecords {
  const place = `${file} (bytes ${from} to ${to})`;
  return {
    count: lines,
    bytes: bytes.length,
    open: async (connection, schema) => {
      const path = join(connection.tempDirectory, `sink-${randomUUID()}.jsonl`);
      await writeFile(path, bytes);
      try {
        return await openRows(connection, { path, place, schema });
      } catch (error) {
        await rm(path, { force: true });
        throw isMoraineError(error) ? placed(error, path, place) : error;
      }
    },
  };
}

/** The error of records as one that says where they are. */
function placed(error: MoraineError, path: string, place: string): MoraineError {
  const message = error.message.replaceAll(path, place);
  const full = message.includes(place) ? message : `${place}: ${message}`;
  return new MoraineError(error.code, full, { details: error.details, cause: error });
}

async function openRows(
  connection: Connection,
  { path, place, schema }: { readonly path: string; readonly place: string; readonly schema: Schema },
): Promise<OpenedRecords> {
  const types = new Map(schema.fields.map(({ name, type }) => [name, type]));
  const input = await readInput(connection, path, { format: 'jsonl', types });
  const rows = await exactRows(connection, input, schema, { input: place, target: 'the table' });
  const names = schema.fields.map(({ name }) => quoteIdentifier(name)).join(', ');
  const sql = `SELECT * FROM (${rows}) AS records(${names})`;
  const [[count] = []] = await connection.rows(`SELECT count(*)::BIGINT FROM (${sql})`);
  return { sql, rows: BigInt(String(count)), rejected: [], close: () => rm(path, { force: true }) };
}
