/** The same retrieval by Feast with its own Iceberg source. */
import { join } from 'node:path';
import { type BenchJob, figure } from '../job.js';
import { runForeign } from '../python.js';
import { framePath, frameRows, prepareRetrieval, RETRIEVAL_DATA, retrieve, VIEW } from '../retrieval.js';
import { FEATURES } from '../world.js';

const NAME = 'feast';
const FRAME = '10k';
const FEAST = { name: 'feast_retrieval.py', requirements: 'requirements-feast.txt' };

export const feast: BenchJob = {
  name: NAME,
  title: 'Eight features for a frame on one table; floor: Feast with its DuckDB store and its Iceberg source.',
  runs: 1,
  data: RETRIEVAL_DATA,
  prepare: prepareRetrieval,
  variants: {
    ours: (context, measure) => retrieve(context, measure, { frame: FRAME }),
    feast: (context, measure) =>
      runForeign(
        context,
        measure,
        FEAST,
        `bench.${VIEW}`,
        framePath(context.dataFolder, FRAME),
        FEATURES.join(','),
        join(context.scratchFolder, 'answer.parquet'),
      ),
  },
  figures(medians, size) {
    const { ours } = medians;
    const theirs = medians['feast']?.extra;
    if (ours === undefined || theirs === undefined) throw new Error('a variant was not measured');
    const rows = frameRows(size, FRAME);
    if (ours.extra['rows'] !== rows || theirs['count'] !== rows) throw new Error(`an answer has not ${rows} rows`);
    const { cpuSeconds = Number.NaN, wallSeconds = Number.NaN, peakMb = Number.NaN } = theirs;
    return [
      figure(NAME, size, `${rows} entity rows, CPU`, ours.cpuSeconds, 's', { floor: cpuSeconds, atMost: 0.1 }),
      figure(NAME, size, `${rows} entity rows, wall`, ours.wallSeconds, 's', { floor: wallSeconds, atMost: 0.1 }),
      figure(NAME, size, `${rows} entity rows, peak memory`, ours.peakMb, 'MB', { floor: peakMb, atMost: 0.25 }),
    ];
  },
};
