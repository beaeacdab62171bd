/** The same retrieval by Feast with its own Iceberg source. */
import { join } from 'node:path';
import { type BenchJob, figure } from '../job.js';
import { runForeign } from '../python.js';
import { framePath, frameRows, prepareRetrieval, RETRIEVAL_DATA, retrieve, VIEW } from '../retrieval.js';
import { FEATURES } from '../world.js';

const NAME = 'feast';
const FRAMES = { '10k': 'of all days', '10k of a day': 'of one day' } as const;
type Frame = keyof typeof FRAMES;
const FRAME_NAMES = Object.keys(FRAMES) as Frame[];
const FEAST = { name: 'feast_retrieval.py', requirements: 'requirements-feast.txt' };

/** Feast's answer for a frame. */
const retrieveByFeast =
  (frame: Frame): BenchJob['variants'][string] =>
  (context, measure) =>
    runForeign(
      context,
      measure,
      FEAST,
      `bench.${VIEW}`,
      framePath(context.dataFolder, frame),
      FEATURES.join(','),
      join(context.scratchFolder, 'answer.parquet'),
    );

export const feast: BenchJob = {
  name: NAME,
  title: 'Eight features for frames on one table; floor: Feast with its DuckDB store and its Iceberg source.',
  runs: 5,
  data: RETRIEVAL_DATA,
  prepare: prepareRetrieval,
  variants: Object.fromEntries(
    FRAME_NAMES.flatMap((frame) => [
      [`ours ${frame}`, (context, measure) => retrieve(context, measure, { frame })],
      [`feast ${frame}`, retrieveByFeast(frame)],
    ]),
  ),
  figures(medians, size) {
    return FRAME_NAMES.flatMap((frame) => {
      const ours = medians[`ours ${frame}`];
      const theirs = medians[`feast ${frame}`]?.extra;
      if (ours === undefined || theirs === undefined) throw new Error('a variant was not measured');
      const rows = frameRows(size, frame);
      if (ours.extra['rows'] !== rows || theirs['count'] !== rows) throw new Error(`an answer has not ${rows} rows`);
      const { cpuSeconds = Number.NaN, wallSeconds = Number.NaN, peakMb = Number.NaN } = theirs;
      const what = `${rows} entity rows ${FRAMES[frame]}`;
      return [
        figure(NAME, size, `${what}, CPU`, ours.cpuSeconds, 's', { floor: cpuSeconds, atMost: 0.1 }),
        figure(NAME, size, `${what}, wall`, ours.wallSeconds, 's', { floor: wallSeconds, atMost: 0.1 }),
        figure(NAME, size, `${what}, peak memory`, ours.peakMb, 'MB', { floor: peakMb, atMost: 0.25 }),
      ];
    });
  },
};
