/**
 * Measured: what the causes of `model.ts` cost. Written by `node dist/bench/fit-scale.js --write` from the runs of the bench job `scale`,
 * by least squares of relative errors; see docs/scale.md for the runs, and for others that these figures were not fitted on.
 */

/** Requests and bytes that do not come from data files' rows. */
export interface FixedTraffic {
  readonly readRequests: number;
  readonly writeRequests: number;
  readonly readBytes: number;
  readonly writtenBytes: number;
}

/** What the causes of one kind of run cost. */
export interface Coefficients {
  /** Seconds, by cause. */
  readonly cpuSeconds: Readonly<Record<string, number>>;
  /** Of one shard, MiB by cause; `run` is the process itself. */
  readonly memoryMib: Readonly<Record<string, number>>;
  /** Calls of the catalog by a run, whatever its size. */
  readonly catalogCalls: number;
  readonly traffic: {
    readonly perRun: FixedTraffic;
    readonly perShard: FixedTraffic;
    /** Metadata of one data file that is added. */
    readonly perFile: Pick<FixedTraffic, 'readBytes' | 'writtenBytes'>;
    /** Bytes written for a byte of the source. */
    readonly perSourceByte: number;
    /** Bytes that parts stage for a byte of the source. */
    readonly perStagedByte: number;
    /** Bytes of one column of one file, whatever its rows. */
    readonly perFileColumn: number;
  };
}

// fitted
/** Source rows of the largest run that was fitted on. */
export const MEASURED_ROWS = 3000000;

export const MATERIALIZATION: Coefficients = {
  cpuSeconds: {
    run: 0,
    shards: 0.0904,
    rows: 0.0802,
    cells: 0.0045,
    writtenRows: 0,
    writtenCells: 0.565,
    writtenFiles: 0.00489,
    files: 0.011,
    readMib: 0,
    fetchedMib: 0.00981,
    deleteFiles: 0.000697,
  },
  memoryMib: {
    run: 253,
    rows: 0,
    writtenRows: 16.8,
    writtenCells: 64.4,
    writtenFiles: 0.14,
    files: 0.0081,
    collectedCells: 34,
  },
  catalogCalls: 7,
  traffic: {
    perRun: {
      readRequests: 21,
      writeRequests: 4,
      readBytes: 57200,
      writtenBytes: 0,
    },
    perShard: {
      readRequests: 3,
      writeRequests: 1,
      readBytes: 25200,
      writtenBytes: 0,
    },
    perFile: {
      readBytes: 154,
      writtenBytes: 0,
    },
    perSourceByte: 0.987,
    perStagedByte: 1.3,
    perFileColumn: 232,
  },
};

export const RETRIEVAL: Coefficients = {
  cpuSeconds: {
    run: 0.426,
    shards: 0,
    parts: 0,
    rows: 0.0802,
    cells: 0,
    entityRows: 0.165,
    answeredRows: 0.974,
    answeredCells: 0.875,
    pairs: 0.0348,
    sortedRows: 0,
    stagedCells: 0.208,
    files: 0.0103,
    readMib: 0,
    fetchedMib: 0.00918,
    deleteFiles: 0.000697,
  },
  memoryMib: {
    run: 261,
    rows: 6.57,
    answeredRows: 97.7,
    answeredCells: 15.8,
    sortedRows: 25.1,
    files: 0,
    collectedCells: 34,
  },
  catalogCalls: 11,
  traffic: {
    perRun: {
      readRequests: 19.1,
      writeRequests: 9,
      readBytes: 49000,
      writtenBytes: 152000,
    },
    perShard: {
      readRequests: 8.81,
      writeRequests: 1,
      readBytes: 29300,
      writtenBytes: 0,
    },
    perFile: {
      readBytes: 0,
      writtenBytes: 0,
    },
    perSourceByte: 0.944,
    perStagedByte: 1.3,
    perFileColumn: 0,
  },
};
// end of fitted
