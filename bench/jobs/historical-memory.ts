/** A join whose inputs are five times the memory that it may use. */
import { type BenchJob, type BenchSize, figure } from '../job.js';
import { prepareRetrieval, RETRIEVAL_DATA, retrieve } from '../retrieval.js';

const NAME = 'historical-memory';
/** A fifth of the rows that are joined, uncompressed: eighty bytes of each feature row, twenty-four of each entity row. */
const LIMIT_MB: Readonly<Record<BenchSize, number>> = { S: 64, M: 160 };
const ALLOWANCE_MB = 300;

export const historicalMemory: BenchJob = {
  name: NAME,
  title: 'The largest frame joined with the whole table in a fifth of the memory that both take.',
  runs: 1,
  data: RETRIEVAL_DATA,
  prepare: prepareRetrieval,
  variants: {
    ours: (context, measure) => retrieve(context, measure, { frame: '1m', memoryLimit: `${LIMIT_MB[context.size]}MB` }),
  },
  figures(medians, size) {
    const { ours } = medians;
    if (ours === undefined) throw new Error('a variant was not measured');
    return [
      figure(NAME, size, 'CPU', ours.cpuSeconds, 's'),
      figure(NAME, size, `peak memory with a limit of ${LIMIT_MB[size]} MB`, ours.peakMb, 'MB', {
        atMost: LIMIT_MB[size] + ALLOWANCE_MB,
      }),
    ];
  },
};
