/** Which engine runs a plan. */

/** An engine that runs plans. */
export type EngineName = 'duckdb' | 'trino';

/** Bytes after pruning up to which DuckDB runs a plan unless the configuration says otherwise: 1 TiB. */
export const DEFAULT_TRINO_ABOVE_BYTES = 2 ** 40;

/** The engine for so many bytes of data files: `trino` for more than the limit. */
export function chooseEngine(fileBytes: number, trinoAboveBytes: number = DEFAULT_TRINO_ABOVE_BYTES): EngineName {
  return fileBytes > trinoAboveBytes ? 'trino' : 'duckdb';
}
