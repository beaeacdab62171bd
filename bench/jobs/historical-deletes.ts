/** Retrieval from a table of which one row in fifty was deleted, beside the same table without deletes. */
import { type BenchJob, figure } from '../job.js';
import { DELETED_VIEWS, frameRows, prepareRetrieval, RETRIEVAL_DATA, retrieve } from '../retrieval.js';

const NAME = 'historical-deletes';
const FRAME = '100k';

export const historicalDeletes: BenchJob = {
  name: NAME,
  title: 'Eight features for a frame from a table with 2 % of its rows deleted; floor: the table without deletes.',
  runs: 5,
  data: RETRIEVAL_DATA,
  prepare: prepareRetrieval,
  variants: {
    plain: (context, measure) => retrieve(context, measure, { frame: FRAME }),
    ...Object.fromEntries(
      DELETED_VIEWS.map((view) => [view, (context, measure) => retrieve(context, measure, { frame: FRAME, view })]),
    ),
  },
  figures(medians, size) {
    const { plain } = medians;
    if (plain === undefined) throw new Error('a variant was not measured');
    return DELETED_VIEWS.flatMap((view) => {
      const deleted = medians[view];
      if (deleted === undefined) throw new Error(`${view} was not measured`);
      const what = `${frameRows(size, FRAME)} entity rows, ${view} deletes`;
      return [
        figure(NAME, size, `${what}, CPU`, deleted.cpuSeconds, 's', { floor: plain.cpuSeconds, atMost: 1.3 }),
        figure(NAME, size, `${what}, peak memory`, deleted.peakMb, 'MB', { floor: plain.peakMb, atMost: 1.3 }),
      ];
    });
  },
};
