/** Point-in-time retrieval for frames of three sizes, beside a hand-written ASOF join and beside reading the whole table. */
import { type BenchJob, figure, type Measurement } from '../job.js';
import {
  asofSql,
  framePath,
  frameRows,
  prepareRetrieval,
  RETRIEVAL_DATA,
  readAllSql,
  retrieve,
  runRaw,
} from '../retrieval.js';

const NAME = 'historical';

export const historical: BenchJob = {
  name: NAME,
  title:
    'Eight features for each row of an entity frame with ties decided, a ttl and the order kept; floor: a raw ASOF join without those three.',
  runs: 5,
  data: RETRIEVAL_DATA,
  prepare: prepareRetrieval,
  variants: {
    'ours 1m': (context, measure) => retrieve(context, measure, { frame: '1m' }),
    'floor 1m': (context, measure) =>
      runRaw(context, measure, (files) => asofSql(framePath(context.dataFolder, '1m'), files)),
    'ours 100k': (context, measure) => retrieve(context, measure, { frame: '100k' }),
    'floor 100k': (context, measure) =>
      runRaw(context, measure, (files) => asofSql(framePath(context.dataFolder, '100k'), files)),
    'ours 1k': (context, measure) => retrieve(context, measure, { frame: '1k' }),
    'ours 1k of a day': (context, measure) => retrieve(context, measure, { frame: '1k of a day' }),
    'whole table': (context, measure) => runRaw(context, measure, readAllSql),
  },
  figures(medians, size) {
    const of = (variant: string): Measurement => {
      const median = medians[variant];
      if (median === undefined) throw new Error(`${variant} was not measured`);
      return median;
    };
    const rows = (frame: '1m' | '100k' | '1k') => `${frameRows(size, frame)} entity rows`;
    const cpu = (frame: '1m' | '100k', atMost: number) =>
      figure(NAME, size, `${rows(frame)}, CPU`, of(`ours ${frame}`).cpuSeconds, 's', {
        floor: of(`floor ${frame}`).cpuSeconds,
        atMost,
      });
    const overAll = (frame: '1k' | '1k of a day', what: string, atMost?: number) =>
      figure(NAME, size, what, of(`ours ${frame}`).cpuSeconds, 's', {
        floor: of('whole table').cpuSeconds,
        ...(atMost === undefined ? {} : { atMost }),
      });
    return [
      cpu('1m', 1.1),
      cpu('100k', 0.7),
      overAll('1k of a day', `${rows('1k')} of one day, CPU over reading the whole table`, 0.1),
      overAll('1k', `${rows('1k')} of all days, CPU over reading the whole table`),
      figure(NAME, size, `${rows('1m')}, peak memory`, of('ours 1m').peakMb, 'MB', { floor: of('floor 1m').peakMb }),
    ];
  },
};
