/** The query engine: one hardened DuckDB instance in this process. */
import { resolve } from 'node:path';
import type { DuckDBInstance as Instance } from '@duckdb/node-api';
import { MoraineError } from '../errors/index.js';
import { localPath } from '../locations/index.js';
import { makeTemporaryFolder, type TemporaryFolder } from '../processes/index.js';
import { Connection } from './connection.js';
import { duckdb } from './duckdb.js';
import { classifyDuckDbError } from './duckdb-error.js';
import { escapeGlob } from './scan/file-readers.js';
import { registerBucketFunctions } from './sql/bucket-function.js';
import { quoteLiteral } from './sql/sql-text.js';

/** Limits of the engine. */
export interface EngineOptions {
  /**
   * Memory for queries; above it operators spill, and those that cannot fail with ENGINE_OUT_OF_MEMORY. Statements get
   * {@link COUNTED_MEMORY_SHARE} of it, because they allocate more than is counted. The rest of the process comes on top.
   */
  readonly memoryLimitBytes: number;
  readonly threads: number;
  /** A folder for spilled data; a folder of its own is made inside and removed on close. */
  readonly tempDirectory: string;
  /** Disk for spilled data; by default sixteen times the memory limit, at least 16 GiB. */
  readonly tempLimitBytes?: number;
  /** The only folders that statements may read or write (storage roots and input folders). */
  readonly allowedDirectories: readonly string[];
  /** Single files that statements may read besides, by absolute path. */
  readonly allowedFiles?: readonly string[];
  /**
   * Left rows up to which an ASOF join compares every pair instead of sorting. By default none, so that what is tried with few rows is what
   * many rows get; statements that people write are left with DuckDB's own number.
   */
  readonly asofLoopRows?: number;
}

/** Files that one partitioned write may hold open; below the usual limit of 1,024 per process. */
export const MAX_OPEN_PARTITION_FILES = 512;

/**
 * The share of the configured memory that DuckDB may count. Its limit covers the buffer manager only: decompression, small
 * allocations of sorts and hash tables, and what the allocator keeps for reuse come on top.
 */
const COUNTED_MEMORY_SHARE = 0.9;

/**
 * Opens the engine: no file outside the allowed folders, no extension but those built in, UTC, and a configuration
 * that no statement can change any more.
 * @throws INVALID_ARGUMENT for a folder or number that DuckDB does not accept, STORAGE_UNAVAILABLE for a temporary folder that cannot be made
 */
export async function openEngine(options: EngineOptions): Promise<Engine> {
  const temporary = await makeTempDirectory(options.tempDirectory);
  const tempDirectory = temporary.path;
  try {
    const instance = await duckdb.api.DuckDBInstance.create(':memory:', {
      threads: String(options.threads),
      memory_limit: `${countedBytes(options)}B`,
      temp_directory: tempDirectory,
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
      allow_community_extensions: 'false',
      // A process that goes on for months would keep files that it read once, up to its limit; the system's own cache has them as well.
      enable_external_file_cache: 'false',
    });
    const connection = await instance.connect();
    for (const setting of hardening(options, tempDirectory)) await connection.run(setting);
    registerBucketFunctions(connection);
    connection.disconnectSync();
    return new Engine(instance, temporary, options);
  } catch (error) {
    await temporary.remove();
    throw doesNotStart(error);
  }
}

async function makeTempDirectory(folder: string): Promise<TemporaryFolder> {
  try {
    return await makeTemporaryFolder(folder, 'engine');
  } catch (error) {
    const known = classifyDuckDbError(error);
    throw known.code === 'INTERNAL' ? doesNotStart(error) : known;
  }
}

function doesNotStart(error: unknown): MoraineError {
  const message = `The query engine does not start: ${(error as Error).message}`;
  return new MoraineError('INVALID_ARGUMENT', message, { cause: error });
}

function countedBytes({ memoryLimitBytes }: EngineOptions): number {
  return Math.floor(memoryLimitBytes * COUNTED_MEMORY_SHARE);
}

/** Data that a small memory cannot hold may still be large. */
const defaultTempBytes = ({ memoryLimitBytes }: EngineOptions): number => Math.max(memoryLimitBytes * 16, 16 * 2 ** 30);

function hardening(options: EngineOptions, tempDirectory: string): string[] {
  // A trailing slash keeps `/data` from allowing `/database`.
  const literal = [...options.allowedDirectories.map((folder) => resolve(folder)), tempDirectory];
  // Readers are given paths with their glob characters escaped, and that text is what is compared.
  const folders = new Set([...literal, ...literal.map(escapeGlob)]);
  const list = [...folders].map((folder) => quoteLiteral(folder.endsWith('/') ? folder : `${folder}/`)).join(', ');
  const files = new Set([...(options.allowedFiles ?? []), ...(options.allowedFiles ?? []).map(escapeGlob)]);
  return [
    // Ignored when given at start, before the temporary directory exists.
    `SET max_temp_directory_size = '${options.tempLimitBytes ?? defaultTempBytes(options)}B'`,
    `SET GLOBAL TimeZone = 'UTC'`,
    `SET preserve_insertion_order = true`,
    // Freed memory goes back to the system instead of staying with the thread that freed it.
    `SET allocator_background_threads = true`,
    `SET GLOBAL asof_loop_join_threshold = ${options.asofLoopRows ?? 0}`,
    `SET partitioned_write_max_open_files = ${MAX_OPEN_PARTITION_FILES}`,
    `SET allowed_directories = [${list}]`,
    `SET allowed_paths = [${[...files].map(quoteLiteral).join(', ')}]`,
    `SET enable_external_access = false`,
    `SET lock_configuration = true`,
  ];
}

/** A running engine; close it to free its memory and temporary files. */
export class Engine {
  readonly threads: number;
  /** Limit for all statements that run at one time. */
  readonly memoryLimitBytes: number;
  readonly #instance: Instance;
  readonly #temporary: TemporaryFolder;
  #closed = false;

  constructor(instance: Instance, temporary: TemporaryFolder, options: EngineOptions) {
    this.#instance = instance;
    this.#temporary = temporary;
    this.threads = options.threads;
    this.memoryLimitBytes = countedBytes(options);
  }

  /**
   * Lends a fresh connection to `use` and closes it afterwards. An aborted signal interrupts the running statement.
   * @throws CANCELLED when the signal is aborted; CLOSED
   */
  async withConnection<T>(
    use: (connection: Connection) => Promise<T>,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<T> {
    if (this.#closed) throw new MoraineError('CLOSED', 'The query engine is closed.');
    const duckdb = await this.#instance.connect().catch((error: unknown) => {
      throw classifyDuckDbError(error);
    });
    const connection = new Connection(duckdb, localPath(this.#temporary.path), this.threads, options.signal);
    try {
      connection.throwIfAborted();
      return await use(connection);
    } finally {
      duckdb.disconnectSync();
      await connection.copies.remove();
    }
  }

  /**
   * Frees the engine. Statements still running are the caller's mistake. Temporary files that cannot be removed are left: the work that
   * used the engine is done, and may have committed.
   */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#instance.closeSync();
    await this.#temporary.remove().catch(() => undefined);
  }
}
